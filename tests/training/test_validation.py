"""Validation: scores of the labelled images, views of the first ones, and a network that is left as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segraft.data import DATASETS
from segraft.errors import UserError
from segraft.metrics.scoring import evaluate, summarise
from segraft.model.torch_runner import TorchRunner
from segraft.networks import create_network
from segraft.settings import TrainSettings
from segraft.training.validation import Validation, open_validation
from segraft.types import Sample
from shared.models import a_model
from shared.samples import row_of_cells


def sample(labelled: bool = True, size: int = 32) -> Sample:
    """Two bright squares that touch, on black."""
    labels = np.zeros((size, size), np.int32)
    labels[4:16, 4:16], labels[16:28, 6:18] = 1, 2
    image = np.random.default_rng(0).poisson(10 + 100 * labels)[None].astype(np.uint16)
    return Sample(image, labels if labelled else None, "squares")


def model(name: str = "resunet-tiny") -> Any:
    filters = (2, 4, 8) if name == "resunet-tiny" else (3, 4, 5)
    network = create_network(name, 1, 4, filters=filters)
    return a_model(network, segmentation={"foreground_threshold": 0.1})


def test_validation_scores_labelled_images_and_leaves_training_as_it_was() -> None:
    learnt = model()
    network = learnt.runner.network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    scores = Validation([sample(), sample(labelled=False)]).run(learnt)
    assert scores["n_true"] == 2
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("name", ["resunet-tiny", "mala-tiny"])
def test_side_by_side_gives_what_one_after_the_other_gives(name: str) -> None:
    """Segmenting one image while the network sees the next changes no score, and no view."""
    learnt = model(name)
    samples = [row_of_cells(learnt.geometry.ndim, name=f"{number}") for number in range(4)]
    validation = Validation(samples, pictures=2)
    one_by_one = [evaluate(learnt.predict(each.image), each.labels) for each in samples]
    assert validation.run(learnt) == {**summarise(one_by_one), "foreground_threshold": 0.1}
    assert len(validation.views) == 2


@pytest.mark.parametrize("name", ["resunet-tiny", "mala-tiny"])
def test_the_end_of_a_search_judges_and_shows_what_it_found(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    learnt = model(name)
    samples = [row_of_cells(learnt.geometry.ndim, name=f"{number}") for number in range(3)]
    monkeypatch.setattr(
        "segraft.training.validation.best_of", lambda trials, starts, _: replace(starts[0], foreground_threshold=0.99)
    )
    judging = Validation(samples, pictures=2)
    judging.run(learnt)
    before = [view.labels for view in judging.views]
    found = judging.tune(learnt, {}, lambda _: None)
    labels = [learnt.predict(each.image, foreground_threshold=0.99) for each in samples]
    expected = summarise([evaluate(one, each.labels) for one, each in zip(labels, samples, strict=True)])
    assert found is not None
    assert found.scores == {**expected, "foreground_threshold": 0.99}
    assert len(judging.views) == 2
    assert any(np.any(one != other.labels) for one, other in zip(before, judging.views, strict=True))
    assert learnt.config.segmentation.foreground_threshold == 0.1


def test_a_report_may_show_images_without_labels() -> None:
    validation = Validation([sample(labelled=False), sample(), sample(labelled=False)], pictures=1)
    assert validation.run(model())["n_true"] == 2
    assert [view.errors for view in validation.views] == [None]


class Counted(Sequence):
    """Samples that know how often they were read."""

    def __init__(self, samples: Sequence) -> None:
        self.samples, self.reads = samples, 0

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: Any) -> Any:
        self.reads += not isinstance(index, slice)
        return self if isinstance(index, slice) else self.samples[index]


def settings(tmp_path: Path) -> TrainSettings:
    return TrainSettings(dataset="counted", out=tmp_path).for_dimension(2)


def test_images_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = Counted([sample(), sample()])
    monkeypatch.setitem(DATASETS, "counted", lambda root, split: samples)
    learnt = model()
    validation = open_validation(settings(tmp_path), learnt)
    for _ in range(3):
        validation.run(learnt)
    assert samples.reads == 2 + 1  # and once to find the end
    assert isinstance(learnt.runner, TorchRunner)


def test_images_that_cannot_be_used_are_answered_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for samples, words in (
        ([Sample(np.full((1, 8, 8), np.nan), None, "dark")], "dark: .*NaN"),
        ([sample(labelled=False)], "got 1 validation images of counted, none with labels"),
        ([], "got 0 validation images"),
    ):
        monkeypatch.setitem(DATASETS, "counted", lambda root, split, samples=samples: samples)
        with pytest.raises(UserError, match=words):
            open_validation(settings(tmp_path), model())
