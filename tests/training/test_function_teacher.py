"""Students of a Python function that labels or embeds images."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segraft.cli import main
from segraft.commands.distill import distill
from segraft.errors import UserError
from segraft.losses.graph_relation import GraphRelationLoss
from segraft.tensors import Output
from segraft.training.function_teacher import FunctionTeacher
from segraft.training.module import TrainingModule
from shared.runs import SMALL, assert_same_run, history, stop_after

SOURCE = """
import numpy as np
from scipy.ndimage import label

CALLS = []

def labels(image):
    assert image.dtype == np.float32
    CALLS.append(image.copy())
    image[:] = 0
    return label(CALLS[-1][0] > 0.5)[0]

def embedding(image):
    return np.stack([image[0], 1 - image[0], image[0] ** 2, np.ones_like(image[0])])

def flat(image): return image[0, :3]
def nan(image): return embedding(image) * np.nan
def words(image): return "cells"
def halves(image): return image[0] * 0 + 0.5
def broken(image): raise KeyError("no weights\\nhere")
def many(image): return np.zeros((7, *image.shape[1:]))

def changing(image):
    CALLS.append(image)
    return embedding(image) if len(CALLS) < 4 else embedding(image)[:, :-1]

def failing(image):
    CALLS.append(image)
    return labels(image) if len(CALLS) < 9 else 1 / 0

number = 3
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of the user's in the current folder, imported anew in each test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    (tmp_path / "mine.py").write_text(SOURCE)
    return tmp_path / "mine.py"


def calls() -> list[np.ndarray]:
    return sys.modules["mine"].CALLS  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", ["labels", "embedding"])
def test_from_the_command_line(tmp_path: Path, capsys: Any, name: str) -> None:
    words = ["distill", "synthetic", "--options.count", "2", "--options.size", "32", "32", "--out", "run"]
    words += ["--teacher", f"mine:{name}", "--patch", "32", "32", "--steps", "2", "--batch", "2", "--width", "2"]
    assert main([*words, "--dim", "4", "--workers", "0", "--device", "cpu", "--no-tune"]) == 0
    off = "teacher: it gives labels, whose affinities are learnt; without its embedding intra_node, intra_edge"
    assert (off in capsys.readouterr().err) == (name == "labels")
    terms = set(history(tmp_path / "run")[0]) - {"step", "affinity", "foreground"}
    assert terms == ({"intra_affinity"} if name == "labels" else set(SMALL_TERMS))


SMALL_TERMS = ("intra_node", "intra_edge", "intra_affinity", "inter_edge", "inter_affinity")


def test_it_sees_what_the_student_sees(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And what it does to the image stays with it."""
    seen: list[torch.Tensor] = []
    original = TrainingModule.training_step

    def noted(self: TrainingModule, batch: Any, index: int) -> Any:
        seen.extend(batch[0].clone())
        loss = original(self, batch, index)
        assert torch.equal(batch[0], torch.stack(seen[-2:]))
        return loss

    monkeypatch.setattr(TrainingModule, "training_step", noted)
    distill("grey", out=tmp_path / "run", teacher="mine:labels", **SMALL | {"steps": 3})
    _, *asked = calls()
    assert len(asked) == len(seen) == 6
    for image, patch in zip(asked, seen, strict=True):
        np.testing.assert_array_equal(image, patch.numpy())


def test_what_it_gives_is_cut_to_what_the_student_gives() -> None:
    images = torch.rand(2, 1, 12, 14)
    output = FunctionTeacher("mine:embedding", images[0])(images, (8, 8))
    assert isinstance(output, Output)
    assert torch.equal(output.embedding[:, 0], images[:, 0, 2:10, 3:11])
    labels = FunctionTeacher("mine:labels", images[0])(images, (8, 8))
    assert (labels.shape, labels.dtype) == ((2, 8, 8), torch.int64)
    assert ((labels > 0) == (images[:, 0, 2:10, 3:11] > 0.5)).all()


def test_an_embedding_teaches_as_a_network_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The terms of the first step are those of the paper's loss for what the function gives."""
    found: list[tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]] = []
    original = GraphRelationLoss.learn

    def compared(self: GraphRelationLoss, lesson: Any) -> dict[str, torch.Tensor]:
        terms = original(self, lesson)
        if not found:
            loss = GraphRelationLoss(self.offsets, type(self.memory)(32, 4), self.samples)
            images = torch.from_numpy(np.stack(seen[0]))
            embedding = torch.stack(
                [images[:, 0], 1 - images[:, 0], images[:, 0] ** 2, torch.ones_like(images[:, 0])], 1
            )
            found.append((terms, loss(lesson.student, embedding, lesson.labels)))
        return terms

    seen: list[np.ndarray] = []
    step = TrainingModule.training_step
    monkeypatch.setattr(
        TrainingModule, "training_step", lambda self, batch, k: (seen.append(batch[0].numpy()), step(self, batch, k))[1]
    )
    monkeypatch.setattr(GraphRelationLoss, "learn", compared)
    distill("grey", out=tmp_path / "run", teacher="mine:embedding", **SMALL | {"steps": 1})
    terms, wanted = found[0]
    for name in SMALL_TERMS:
        torch.testing.assert_close(terms[name], wanted[name])


@pytest.mark.parametrize("name", ["labels", "embedding"])
def test_it_is_asked_once_for_each_patch_of_a_pool(tmp_path: Path, name: str) -> None:
    given = SMALL | {"teacher": f"mine:{name}", "cache": 3, "cache_folder": tmp_path / "pools"}
    distill("grey", out=tmp_path / "whole", **given)
    asked = len(calls())
    assert asked == (4 if name == "labels" else 0)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(5, patch)
        with pytest.raises(UserError, match="stopped and saved after step 5"):
            distill("grey", out=tmp_path / "run", **given)
    distill(config=tmp_path / "run", resume=True)
    assert_same_run(tmp_path / "run", tmp_path / "whole")
    assert len(calls()) - asked == (2 if name == "labels" else 0), "one trial each"


def test_a_pool_of_a_function_that_answers_otherwise_is_made_anew(tmp_path: Path, module: Path) -> None:
    given = SMALL | {"teacher": "mine:labels", "cache": 3, "cache_folder": tmp_path / "pools", "steps": 1}
    distill("grey", out=tmp_path / "one", **given)
    del sys.modules["mine"]
    module.write_text(SOURCE.replace("> 0.5", "> 0.25"))
    module.touch()
    distill("grey", out=tmp_path / "two", **given)
    assert sorted(path.name.split("-")[0] for path in (tmp_path / "pools").iterdir()) == [
        "outputs",
        "outputs",
        "patches",
    ]


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        (
            {"teacher": "mine:flat"},
            r"mine:flat, asked about an image of shape \(1, 32, 32\): got float32 of shape \(3, 32\)",
        ),
        ({"teacher": "mine:nan"}, "got NaN or infinite numbers, expected finite ones"),
        (
            {"teacher": "mine:words"},
            r"got <U5 of shape \(\), expected labels \(32, 32\), or an embedding \(dim, 32, 32\)",
        ),
        (
            {"teacher": "mine:halves"},
            "teacher mine:halves: got float32 with 1024 values such as 0.5, expected integers",
        ),
        ({"teacher": "mine:broken"}, "got KeyError: .*no weights.*, expected labels or an embedding; correct it"),
        ({"teacher": "mine:many"}, "dim: got 7 of the teacher mine:many, 4 of the student, .*; give --dim 7"),
        ({"teacher": "mine:number"}, "teacher mine:number: got int, expected a function of an image"),
        (
            {"teacher": "mine:nothing"},
            "teacher mine:nothing: got AttributeError: .*, expected a function in mine.py in",
        ),
        ({"teacher": "not_there:x"}, "teacher not_there:x: got ModuleNotFoundError: .*; check the name"),
        (
            {"teacher": "mine:embedding", "method": "at"},
            "got at with a teacher that gives an embedding and has no stages",
        ),
        ({"teacher": "mine:labels", "method": "rekd"}, "got rekd with a teacher that gives labels and has no stages"),
    ],
)
def test_mistakes_get_one_line_before_training(tmp_path: Path, settings: dict[str, Any], answer: str) -> None:
    with pytest.raises(UserError, match=answer) as caught:
        distill("grey", out=tmp_path / "run", **SMALL | settings)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "answer"),
    [("changing", r"got float32 of shape \(4, 31, 32\)"), ("failing", "got ZeroDivisionError: division by zero")],
)
def test_mistakes_in_training_get_one_line_too(tmp_path: Path, capsys: Any, name: str, answer: str) -> None:
    with pytest.raises(UserError, match=answer) as caught:
        distill("grey", out=tmp_path / "run", teacher=f"mine:{name}", **SMALL)
    assert "\n" not in str(caught.value)
