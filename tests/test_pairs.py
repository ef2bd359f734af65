"""Every student by every method, from a small teacher of its family, through every segmenter; and pairs that cannot be.

Few steps on few pixels: whether it runs and learns something finite, not how well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import segraft
from segraft.commands.distill import distill
from segraft.commands.train import train
from segraft.data import DATASETS
from segraft.errors import UserError
from segraft.model.config import Segmentation
from segraft.networks import NETWORKS
from segraft.segment import SEGMENTERS
from segraft.weights import METHOD_WEIGHTS
from shared.networks import SMALL_FILTERS, SMALL_PATCH
from shared.runs import history
from shared.samples import row_of_cells

pytestmark = pytest.mark.usefixtures("without_reports")

TEACHERS = {
    "resunet": "nested-unet",
    "resunet-tiny": "resunet",
    "resunet-swift": "resunet",
    "nested-unet": "resunet",
    "mobilenet": "resunet",
    "mala": "mala",
    "mala-tiny": "mala",
}
"""A teacher of another make where there is one: stages of other numbers and sizes."""


@pytest.fixture(autouse=True, scope="module")
def _sets() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, ndim in (("flat", 2), ("deep", 3)):
            patch.setitem(DATASETS, name, lambda root, split, ndim=ndim: (row_of_cells(ndim),))
        yield


def settings(name: str, steps: int = 2) -> dict[str, Any]:
    """Settings of a short training of a network."""
    ndim = segraft.networks.dimensions(name)
    return {
        "dataset": {2: "flat", 3: "deep"}[ndim],
        "filters": SMALL_FILTERS[name],
        "tune": False,
        "dim": 4,
        "patch": SMALL_PATCH[ndim],
        "batch": 2,
        "steps": steps,
        "warmup": 0,
        "validate_every": steps,
        "device": "cpu",
        "workers": 0,
        "geometry": ("flip",),
        "intensity": (),
    }


@pytest.fixture(scope="module")
def teachers(tmp_path_factory: pytest.TempPathFactory, _sets: None) -> dict[str, Path]:
    """A run of every network, two steps long."""
    root = tmp_path_factory.mktemp("teachers")
    for name in NETWORKS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("segraft.reporting.page.available", lambda: False)
            train(network=name, out=root / name, **settings(name))
    return {name: root / name for name in NETWORKS}


@pytest.mark.parametrize("method", METHOD_WEIGHTS)
@pytest.mark.parametrize("student", NETWORKS)
def test_every_student_learns_by_every_method(
    teachers: dict[str, Path], tmp_path: Path, student: str, method: str
) -> None:
    given = settings(student)
    teacher = teachers[TEACHERS[student]]
    model = distill(student=student, teacher=teacher, method=method, out=tmp_path / "run", **given)
    lines = history(tmp_path / "run")
    terms = {name for line in lines for name in line} - {"step", "val", "kept"}
    assert terms == {"affinity", "foreground", *METHOD_WEIGHTS[method]}
    assert all(np.isfinite(line[name]) for line in lines for name in terms & set(line))
    fresh = segraft.create_network(student, 1, 4, SMALL_FILTERS[student])
    assert {name: p.shape for name, p in model.runner.network.state_dict().items()} == {
        name: p.shape for name, p in fresh.state_dict().items()
    }


@pytest.mark.parametrize("segmenter", SEGMENTERS)
@pytest.mark.parametrize("name", ["resunet-tiny", "mala-tiny"])
def test_every_segmenter_serves_images_and_volumes(teachers: dict[str, Path], name: str, segmenter: str) -> None:
    model = segraft.load(teachers[name])
    model.config = replace(model.config, segmentation=Segmentation(segmenter, foreground_threshold=0.1))
    cells = row_of_cells(model.geometry.ndim)
    labels = model.predict(cells.image)
    assert labels.shape == cells.image.shape[1:]
    assert labels.dtype == np.uint32
    np.testing.assert_array_equal(np.unique(labels[labels > 0]), np.arange(1, labels.max() + 1))
    assert segraft.evaluate(labels, cells.labels)["n_predicted"] == labels.max()


def test_nearest_offsets_alone_train_for_waterz(tmp_path: Path) -> None:
    model = train(network="mala-tiny", offsets="3d", out=tmp_path / "run", **settings("mala-tiny") | {"tune": True})
    assert model.config.segmentation.segmenter == "waterz"
    assert len(model.offsets) == 3


def test_a_knowledge_review_learns_its_own_weights_and_resumes_them(teachers: dict[str, Path], tmp_path: Path) -> None:
    given = settings("resunet-tiny", steps=4) | {"validate_every": 2, "teacher": teachers["resunet"], "method": "rekd"}
    distill(student="resunet-tiny", out=tmp_path / "run", **given)
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    fusions = [name for name in state["state_dict"] if name.startswith("distiller.fusions")]
    moments = state["optimizer_states"][0]["state"]
    assert fusions
    assert len(moments) > len(list(segraft.load(tmp_path / "run").runner.network.parameters()))


@pytest.mark.parametrize(
    ("student", "teacher", "changes", "words"),
    [
        ("resunet-tiny", "mala", {}, "ndim: got 3 of the teacher .*, 2 of the student"),
        ("mala-tiny", "resunet", {}, "ndim: got 2 of the teacher .*, 3 of the student"),
        ("resunet-tiny", "resunet", {"dim": 5}, "dim: got 4 of the teacher .*, 5 of the student"),
        ("resunet-tiny", "resunet", {"offsets": "3d"}, "offsets: got 3d .* 2 dimensions, expected 2d"),
        ("mala-tiny", "mala", {"offsets": "2d"}, "offsets: got 2d .* 3 dimensions, expected 3d or 3d-long"),
        ("mala-tiny", "mala", {"patch": (24, 64, 64)}, "nearest 24 × 70 × 70"),
        ("mala-tiny", "mala", {"width": 2, "filters": None}, "width: got 2 for mala-tiny"),
        ("resunet-tiny", "resunet", {"channels": (0,), "method": "spkd", "batch": 1}, "give --batch 2 or more"),
        ("resunet-tiny", "mobilenet", {"patch": (12, 12)}, "expected \\(16, 16\\) or more, which the teacher"),
    ],
)
def test_pairs_that_cannot_be_are_answered_before_training(
    teachers: dict[str, Path], tmp_path: Path, student: str, teacher: str, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words) as caught:
        distill(student=student, teacher=teachers[teacher], out=tmp_path / "run", **settings(student) | changes)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_full_size_networks_take_a_step(tmp_path: Path, name: str) -> None:
    ndim = segraft.networks.dimensions(name)
    given = settings(name, steps=1) | {"filters": None, "batch": 1, "patch": {2: (64, 64), 3: (37, 241, 241)}[ndim]}
    train(network=name, out=tmp_path / "run", **given)
    assert (tmp_path / "run" / "model.safetensors").exists()
