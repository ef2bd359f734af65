"""What all tests share: run-time shape checks, seeds, real data and small images. All of it works offline."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from jaxtyping import install_import_hook

# Before the first import of segraft: every annotation of a shape is checked at every call.
install_import_hook("segraft", "beartype.beartype")

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

from segraft.tensors import Output  # noqa: E402

pytest.register_assert_rewrite("shared")  # its failed assertions show their values, as those of tests do
torch.set_num_threads(1)
settings.register_profile("gate", deadline=None, derandomize=True, database=None, max_examples=50)
settings.load_profile("gate")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # not a process of xdist, but the one that starts them
        from shared import once

        once.begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        from shared import once

        once.end()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Signals end programs, also where the tests run in the background or under ``nohup``, which ignore some."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, answer) for number, answer in usual.items()}
    yield
    for number, answer in before.items():
        signal.signal(number, answer)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Every test begins at the same point of every global generator."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _known_costs() -> Iterator[None]:
    """Trainings do not count again what a network costs, which takes as long as their steps."""
    if (building := sys.modules.get("segraft.training.building")) is None:
        yield
        return
    from shared.costs import known_complexity

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "complexity", known_complexity)
        yield


def made_up_output(
    ndim: int, channels: tuple[int, ...] = (3, 2), seed: int = 0, sizes: tuple[int, ...] = (2, 5), batch: int = 2
) -> Output:
    """A network's output of noise, in float64: stages of these channels, and of sizes n in y, n + 1 in x, 2 n in z."""
    generator = torch.Generator().manual_seed(seed)
    spaces = [(2 * size, size, size + 1)[3 - ndim :] for size in sizes]
    shapes = [(4, *spaces[-1]), (1, *spaces[-1]), *((c, *space) for c, space in zip(channels, spaces, strict=True))]
    maps = [torch.randn(batch, *shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return Output(maps[0], maps[1], tuple(maps[2:]))


@pytest.fixture
def made_up() -> Callable[..., Output]:
    """Makes outputs of networks out of noise: ``made_up_output``."""
    return made_up_output


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real data sets (``bbbc039`` and others): the environment variable ``SEGRAFT_DATA``."""
    root = Path(os.environ.get("SEGRAFT_DATA", ""))
    if "SEGRAFT_DATA" not in os.environ or not root.is_dir():
        pytest.skip("needs real data: set SEGRAFT_DATA to their folder")
    return root


@pytest.fixture
def without_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings of this test draw no report, which would take longer than they do."""
    monkeypatch.setattr("segraft.reporting.page.available", lambda: False)


def discs(seed: int, size: int = 64, count: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """A grey image of bright discs on noise and its labels, both ``(size, size)``; later discs lie on top."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    image = rng.normal(400, 30, (size, size))
    labels = np.zeros((size, size), np.int32)
    for number in range(1, count + 1):
        radius = rng.uniform(size / 12, size / 6)
        centre = rng.uniform(radius, size - radius, 2)
        inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2
        image[inside] += rng.uniform(800, 1600)
        labels[inside] = number
    return image.clip(0).astype(np.uint16), labels


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """A user's folder ``cells`` with ``images/`` and ``masks/``: ten tif pairs of the same stems, 64 × 64."""
    import tifffile

    root = tmp_path / "cells"
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for number in range(10):
        image, labels = discs(number)
        tifffile.imwrite(root / "images" / f"{number:02d}.tif", image)
        tifffile.imwrite(root / "masks" / f"{number:02d}.tif", labels)
    return root
