"""Students of a teacher of which there are label images only."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
import yaml

from segraft.cli import main
from segraft.commands.distill import distill
from segraft.commands.predict import predict
from segraft.data import open_dataset
from segraft.errors import UserError
from segraft.training.callbacks import Stopped
from segraft.training.module import TrainingModule
from segraft.training.patches import Patches
from segraft.types import Sample
from shared.runs import SETS, SMALL, assert_same_run, history, recorded, stop_after

TERMS = {"affinity", "foreground", "intra_affinity"}


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels of three of the four training images; of the fourth there are none."""
    folder = tmp_path_factory.mktemp("labels")
    for sample in SETS["grey"]["train"][:3]:
        tifffile.imwrite(folder / f"{sample.name}_cp_masks.tif", np.asarray(sample.labels).astype(np.uint16))
    return folder


@pytest.fixture(scope="module")
def student(labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("taught") / "student"
    distill("grey", out=out, teacher_labels=labels, **SMALL)
    return out


def test_from_the_command_line(tmp_path: Path, capsys: Any) -> None:
    """Generated cells, with labels for images that have some and for images that have none."""
    options = {"count": 3, "size": (32, 32)}
    for split, seed, place in (("train", 0, ""), ("test", 1, "more")):
        for sample in open_dataset("synthetic", None, split, seed=seed, **options):
            tifffile.imwrite(tmp_path / f"{sample.name}.tif", sample.labels)
            if place:
                (tmp_path / place).mkdir(exist_ok=True)
                tifffile.imwrite(tmp_path / place / f"{sample.name}.tif", sample.image[0])
    words = [
        "distill",
        "synthetic",
        "--options.count",
        "3",
        "--options.size",
        "32",
        "32",
        "--out",
        str(tmp_path / "run"),
    ]
    words += ["--teacher-labels", str(tmp_path), "--unlabelled", str(tmp_path / "more"), "--patch", "32", "32"]
    words += ["--steps", "2", "--batch", "2", "--width", "2", "--workers", "0", "--device", "cpu", "--no-tune"]
    assert main(words) == 0
    said = capsys.readouterr().err
    assert "without its embedding intra_node, intra_edge, inter_edge, inter_affinity are off" in said
    assert f"teacher: labels in {tmp_path} of 3 of 3 images with labels and 3 of 3 images without labels" in said
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert (kept["teacher"], kept["teacher_labels"]) == (None, str(tmp_path))


def test_terms(student: Path) -> None:
    lines = [line for line in history(student) if "affinity" in line]
    assert lines
    assert all(set(line) - {"step"} == TERMS for line in lines)


def test_labels_move_with_the_image() -> None:
    """Those of the teacher are the truth's, doubled; so they are in each patch, but for their numbers."""
    samples = SETS["grey"]["train"]
    patches = Patches(
        samples,
        np.asarray,
        (32, 32),
        0,
        ("flip", "rotate90", "rotate", "scale", "elastic"),
        ("noise",),
        taught=lambda sample: None if sample.name == "2" else 2 * np.asarray(sample.labels),
    )
    assert patches.labelled_by_teacher() == 3
    plain = Patches(samples, np.asarray, (32, 32), 0, ("flip", "rotate90", "rotate", "scale", "elastic"), ("noise",))
    unknown = 0
    for k in range(24):
        image, truth, taught = patches[k]
        torch.testing.assert_close((image, truth), plain[k], rtol=0, atol=0)
        unknown += bool((taught == -1).all())
        assert (taught == -1).all() or torch.equal(taught, truth)
    assert unknown == 6
    assert patches.fingerprint() != plain.fingerprint()


def test_the_teacher_decides_where_there_is_no_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The term is that of the labels in the patch, cut to what the network sees."""
    seen = []
    original = TrainingModule.training_step

    def noted(self: TrainingModule, batch: Any, index: int) -> Any:
        loss = original(self, batch, index)
        seen.append((batch, {name: float(term) for name, term in self.terms.items()}))
        return loss

    monkeypatch.setattr(TrainingModule, "training_step", noted)
    (tmp_path / "more").mkdir()
    (tmp_path / "labels").mkdir()
    sample: Sample = SETS["grey"]["train"][3]
    tifffile.imwrite(tmp_path / "more" / "x.tif", sample.image[0])
    tifffile.imwrite(tmp_path / "labels" / "x.tif", sample.labels)
    given = SMALL | {"batch": 1, "blanks": 0.0, "steps": 4}
    distill("grey", out=tmp_path / "run", teacher_labels=tmp_path / "labels", unlabelled=tmp_path / "more", **given)
    for number, ((_, truth, taught), terms) in enumerate(seen):
        of_more = bool(number % 2)
        assert bool((truth == -1).all()) == of_more == bool((taught != -1).all())
        assert {name for name in terms if terms[name] > 0} == (
            {"intra_affinity"} if of_more else TERMS - {"intra_affinity"}
        )


def test_a_resumed_run_is_that_of_one_that_never_stopped(student: Path, labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        stop_after(5, patch)
        with pytest.raises(Stopped):
            distill("grey", out=out, teacher_labels=labels, **SMALL)
    with pytest.raises(UserError, match="was run with another teacher_labels"):
        distill(config=out, resume=True, teacher_labels=tmp_path)
    distill(config=out, resume=True)
    assert_same_run(out, student)


def test_a_pool_holds_them(labels: Path, tmp_path: Path) -> None:
    pools = tmp_path / "pools"
    given = SMALL | {"cache": 3, "cache_folder": pools}
    for name in ("one", "two"):
        distill("grey", out=tmp_path / name, teacher_labels=labels, **given)
    assert_same_run(tmp_path / "one", tmp_path / "two")
    assert [path.name.split("-")[0] for path in pools.iterdir()] == ["patches"]


def test_another_teacher_in_place_of_the_recorded_one(runs: dict[str, Path], labels: Path, tmp_path: Path) -> None:
    distill(**recorded(runs["distill"], out=tmp_path / "run", teacher_labels=labels, steps=1))
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert (kept["teacher"], kept["teacher_labels"]) == (None, str(labels))


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        (
            {"method": "at"},
            "method: got at with a teacher that gives labels and has no stages .*; expected graph or biskd",
        ),
        ({"weights": {"inter_edge": 2.0}}, "weights: got one of inter_edge, which needs an embedding of the teacher"),
        ({"teacher": "runs/teacher"}, "teacher: got both a teacher and labels of one, expected one of them"),
        ({"teacher_labels": None}, "teacher: got neither a teacher nor labels of one"),
        (
            {"dataset": "colour", "teacher_labels": "others"},
            "none of them of a training image .0, 1, 2.; expected the same",
        ),
    ],
)
def test_mistakes_get_one_line_and_leave_nothing(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], answer: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "others").mkdir()
    tifffile.imwrite(tmp_path / "others" / "elsewhere.tif", np.ones((40, 44), np.uint8))
    given = {"dataset": "grey", "out": tmp_path / "run", "teacher_labels": labels, **SMALL, **settings}
    with pytest.raises(UserError, match=answer) as caught:
        distill(**given)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_real_labels_of_another_model(tmp_path: Path, capsys: Any) -> None:
    """Nuclei that a model with runtime of its own found in real images, half of which have no labels of ours."""
    nuclei = resources.files("segraft") / "data" / "nuclei" / "train"
    images = sorted(Path(str(nuclei / "images")).iterdir())[:6]
    for number, image in enumerate(images):
        labelled = number < 4
        place = tmp_path / ("cells" if labelled else "more")
        (place / "images").mkdir(parents=True, exist_ok=True)
        shutil.copy(image, place / "images" / image.name)
        if labelled:
            (place / "masks").mkdir(exist_ok=True)
            shutil.copy(image.parents[1] / "masks" / image.name, place / "masks")
    predict("nuclei", [tmp_path / "cells" / "images", tmp_path / "more" / "images"], out=tmp_path / "found")
    given = SMALL | {"patch": (64, 64), "steps": 2, "unlabelled": tmp_path / "more" / "images"}
    distill("folder", root=tmp_path / "cells", out=tmp_path / "run", teacher_labels=tmp_path / "found", **given)
    assert "of 2 of 2 images with labels and 2 of 2 images without labels" in capsys.readouterr().err
    assert history(tmp_path / "run")[0]["intra_affinity"] > 0
