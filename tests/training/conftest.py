"""The data sets that trainings here see, and two runs that were never stopped.

What trains is imported inside: it takes seconds, and the process that only hands tests to workers needs none of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def made_up_sets() -> Iterator[None]:
    """Make the images of ``SETS`` known as data sets."""
    from segraft.data import DATASETS
    from shared.runs import SETS

    with pytest.MonkeyPatch.context() as patch:
        for name, splits in SETS.items():
            patch.setitem(DATASETS, name, lambda root, split, splits=splits: splits[split])
        yield


@pytest.fixture(scope="module", autouse=True)
def _sets() -> Iterator[None]:
    """Module by module, so that tests of other folders see the real data sets alone."""
    with made_up_sets():
        yield


@pytest.fixture(autouse=True)
def _without_reports(without_reports: None) -> None:
    """The two runs below alone draw theirs."""


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A teacher and a student that were never stopped, for all to read and none to change."""
    from segraft.commands.distill import distill
    from segraft.commands.train import train
    from shared.runs import SMALL

    root = tmp_path_factory.mktemp("runs")
    with made_up_sets():
        train("grey", out=root / "teacher", **SMALL)
        distill("grey", out=root / "student", teacher=root / "teacher", bank_size=5, bank_samples=3, **SMALL)
    return {"train": root / "teacher", "distill": root / "student"}
