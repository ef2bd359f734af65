"""What is shown: the middle, the same whoever computed it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from segraft.model.options import PredictOptions
from segraft.networks import create_network
from segraft.reporting import view as view_module
from segraft.reporting.view import computed_view, shown, shown_region, view
from segraft.types import Sample
from shared.models import a_model
from shared.samples import row_of_cells


def test_the_middle_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.arange(35).reshape(5, 7)
    assert shown(image).tolist() == image.tolist()
    monkeypatch.setattr(view_module, "SHOWN", (3, 3))
    assert shown(image).tolist() == image[1:4, 2:5].tolist()
    assert shown(np.stack([image - 1, image, image + 1])).tolist() == image[1:4, 2:5].tolist()
    assert shown_region((5, 7)) == (slice(1, 4), slice(2, 5))
    assert shown_region((3, 5, 7)) == (slice(1, 2), slice(1, 4), slice(2, 5))


@pytest.mark.parametrize(("name", "filters"), [("resunet-tiny", (2, 4, 8)), ("mala-tiny", (3, 4, 5))])
@pytest.mark.parametrize("labelled", [True, False])
def test_a_view_cut_from_results_is_the_computed_one(
    name: str, filters: tuple[int, ...], labelled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What training cuts from its validation is what a report computes by itself."""
    monkeypatch.setattr(view_module, "SHOWN", (12, 14))
    torch.manual_seed(0)
    model = a_model(create_network(name, dim=4, filters=filters).eval(), segmentation={"foreground_threshold": 0.1})
    cells = row_of_cells(model.geometry.ndim)
    sample = Sample(cells.image, cells.labels if labelled else None, "cells")
    with model.maps(sample.image, PredictOptions(), shown_region(sample.image.shape[1:])) as maps:
        labels = model.labels(maps, PredictOptions(), sample.image.shape[1:])
        assert maps.embedding is not None
        found, expected = view(labels, maps.embedding, sample), computed_view(sample, model)
    assert found.labels.shape == (12, 14)
    assert found.embedding.shape == (4, 12, 14)
    assert np.array_equal(found.labels, expected.labels)
    assert np.array_equal(found.embedding, expected.embedding)
    assert found.aji == expected.aji
    assert (found.errors is None) == (not labelled)
    whole, _ = model.embed(sample.image)
    section = whole[:, len(whole[0]) // 2] if whole.ndim == 4 else whole
    rows, columns = shown_region(section.shape[1:])
    np.testing.assert_allclose(found.embedding, section[:, rows, columns], atol=1e-5)
