"""Students that learn from images without labels, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import yaml

from segraft.cli import main
from segraft.commands.distill import distill
from segraft.errors import UserError
from segraft.losses import DISTILLERS
from segraft.training.callbacks import Stopped
from segraft.training.module import TrainingModule
from shared.runs import SETS, assert_same_run, history, recorded, squares, stop_after

NEED_NO_LABELS = {"intra_affinity", "inter_affinity"}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six images that no data set holds."""
    folder = tmp_path_factory.mktemp("images")
    for number, sample in enumerate(squares(6)):
        tifffile.imwrite(folder / f"{number}.tif", sample.image[0][::-1, ::-1])
    return folder


@pytest.fixture(scope="module")
def student(runs: dict[str, Path], images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student of labelled and unlabelled images that was never stopped."""
    out = tmp_path_factory.mktemp("mixed") / "student"
    distill(**recorded(runs["distill"], out=out, unlabelled=images))
    return out


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[torch.Tensor, dict[str, float]]]:
    """Labels and loss terms of each step."""
    seen: list[tuple[torch.Tensor, dict[str, float]]] = []
    original = TrainingModule.training_step

    def noted(self: TrainingModule, batch: Any, index: int) -> Any:
        loss = original(self, batch, index)
        assert torch.isfinite(loss)
        seen.append((batch[1], {name: float(term) for name, term in self.terms.items()}))
        return loss

    monkeypatch.setattr(TrainingModule, "training_step", noted)
    return seen


def test_from_the_command_line(runs: dict[str, Path], images: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "run"
    words = [
        "distill",
        "synthetic",
        "--options.count",
        "2",
        "--options.size",
        "32",
        "32",
        "--teacher",
        str(runs["train"]),
    ]
    words += ["--out", str(out), "--steps", "2", "--patch", "32", "32", "--width", "2", "--dim", "4", "--no-tune"]
    words += ["--batch", "4", "--device", "cpu", "--workers", "0"]
    assert main([*words, "--unlabelled", str(images), "--unlabelled-part", "0.25", "--blanks", "0"]) == 0
    assert "unlabelled: 6 images in 25% of the patches" in capsys.readouterr().err
    kept = yaml.safe_load((out / "config.yaml").read_text())
    assert (kept["unlabelled"], kept["unlabelled_part"]) == ([str(images)], 0.25)


def test_half_of_each_batch_is_unknown(
    runs: dict[str, Path], images: Path, tmp_path: Path, batches: list[tuple[torch.Tensor, dict[str, float]]]
) -> None:
    distill(**recorded(runs["distill"], out=tmp_path / "run", unlabelled=str(images / "*.tif"), blanks=0.0))
    assert [[bool((each == -1).all()) for each in labels] for labels, _ in batches] == [[False, True]] * 8
    assert all(terms[name] > 0 for _, terms in batches for name in ("affinity", "foreground", *NEED_NO_LABELS))


def test_a_batch_of_nothing_known(
    runs: dict[str, Path], images: Path, tmp_path: Path, batches: list[tuple[torch.Tensor, dict[str, float]]]
) -> None:
    """What needs labels is 0, what needs none is not, and all weights stay finite."""
    given = recorded(runs["distill"], out=tmp_path / "run", unlabelled=images, batch=1, blanks=0.0)
    model = distill(**given)
    for labels, terms in batches[1::2]:
        assert (labels == -1).all()
        assert {name for name, value in terms.items() if value > 0} == NEED_NO_LABELS
    assert len(batches) == 8
    assert all(torch.isfinite(weight).all() for weight in model.runner.network.state_dict().values())


@pytest.mark.parametrize("method", sorted({*DISTILLERS} - {"graph"}))
def test_other_methods(runs: dict[str, Path], images: Path, tmp_path: Path, method: str) -> None:
    given = {"unlabelled": images, "method": method, "weights": {}, "steps": 2}
    distill(**recorded(runs["distill"], out=tmp_path / "run", **given))


def test_they_change_what_is_learnt(runs: dict[str, Path], student: Path) -> None:
    assert history(student) != history(runs["distill"])


@pytest.mark.parametrize("cache", [None, 6])
def test_a_resumed_run_is_that_of_one_that_never_stopped(
    runs: dict[str, Path],
    images: Path,
    student: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cache: int | None,
) -> None:
    whole, out = student, tmp_path / "run"
    if cache:
        whole = tmp_path / "whole"
        distill(**recorded(runs["distill"], out=whole, unlabelled=images, cache=cache))
    with monkeypatch.context() as patch:
        stop_after(5, patch)
        with pytest.raises(Stopped):
            distill(**recorded(runs["distill"], out=out, unlabelled=images, cache=cache))
    distill(config=out, resume=True)
    assert_same_run(out, whole)


def test_a_pool_holds_them_and_knows_it(runs: dict[str, Path], images: Path, tmp_path: Path) -> None:
    """A pool of other images, or of another part of them, is another pool."""
    pools = tmp_path / "pools"
    for number, settings in enumerate(({}, {"unlabelled": images}, {"unlabelled": images, "unlabelled_part": 0.25})):
        given = {"out": tmp_path / f"run{number}", "cache": 4, "cache_folder": pools, "steps": 1, **settings}
        distill(**recorded(runs["distill"], **given))
    assert len(list(pools.glob("patches-*"))) == len(list(pools.glob("outputs-*"))) == 3


def test_a_run_without_distillation_leaves_them_out(runs: dict[str, Path], student: Path, tmp_path: Path) -> None:
    distill(config=student, out=tmp_path / "run", method="none")
    assert_same_run(tmp_path / "run", runs["train"])


def test_images_for_training_may_be_among_them(runs: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "0.tif"
    tifffile.imwrite(path, SETS["grey"]["train"][3].image[0])
    distill(**recorded(runs["distill"], out=tmp_path / "run", unlabelled=path, steps=1))


@pytest.mark.parametrize("more", [0, 20], ids=["itself", "its end"])
def test_images_for_validation_may_not(runs: dict[str, Path], tmp_path: Path, more: int) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, np.pad(SETS["grey"]["val"][1].image[0], ((0, 0), (more, 0))))
    with pytest.raises(UserError, match=r"got .*x\.tif, which is the validation image 1, or holds it") as caught:
        distill(**recorded(runs["distill"], out=tmp_path / "run", unlabelled=path))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        ({"unlabelled_part": 1.0}, "unlabelled_part: got 1.0, expected a part of the patches, from 0 to below 1"),
        ({"unlabelled_part": -0.1}, "unlabelled_part: got -0.1"),
        ({"method": "none"}, "got images without labels for the method none, all of whose terms need labels"),
        ({"weights": {"intra_affinity": 0.0, "inter_affinity": 0.0}}, "for the method graph, all of whose terms need"),
        ({"unlabelled": "no/such/folder"}, "no/such/folder does not exist"),
        ({"patch": (64, 64)}, r"got 40 × 44 pixels, expected 64 × 64 or more"),
    ],
)
def test_mistakes_get_one_line_and_leave_nothing(
    runs: dict[str, Path], images: Path, tmp_path: Path, settings: dict[str, Any], answer: str
) -> None:
    with pytest.raises(UserError, match=answer) as caught:
        distill(**recorded(runs["distill"], out=tmp_path / "run", **{"unlabelled": images, **settings}))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()
