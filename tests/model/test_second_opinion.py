"""Two models on one image, and one model on the image turned round."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from segraft.errors import UserError
from segraft.graphs.affinity import label_affinities
from segraft.graphs.offsets import OFFSETS_2D
from segraft.model.options import PredictOptions
from segraft.model.second_opinion import check_comparable, second_opinion, turned_back
from segraft.networks import create_network
from segraft.types import Offsets
from shared.models import a_model, lively

IMAGE = np.random.default_rng(0).random((40, 56)).astype(np.float32)
ODD: Offsets = ((-1, 0), (0, -1), (-2, 3), (4, 1))


@pytest.mark.parametrize("offsets", [OFFSETS_2D, ODD])
def test_affinities_of_a_turned_image_are_turned_back(offsets: Offsets) -> None:
    labels = np.random.default_rng(1).integers(1, 4, (33, 30))
    here, turned = (
        label_affinities(torch.from_numpy(each[None].copy()), offsets)[0][0].numpy()
        for each in (labels, np.flip(labels))
    )
    back = np.stack([turned_back(each, offset) for each, offset in zip(turned, offsets, strict=True)])
    np.testing.assert_array_equal(back, here)


def test_a_model_agrees_with_itself() -> None:
    model = a_model(lively())
    compared = second_opinion(model, IMAGE, model)
    assert compared.labels.max() > 1
    assert not compared.disagreement.any()
    np.testing.assert_array_equal(compared.labels, compared.others)
    np.testing.assert_array_equal(compared.labels, model.predict(IMAGE))
    assert all(each.score == 0 for each in compared.doubts())


def test_two_models_disagree_alike_in_both_orders() -> None:
    first, second = a_model(lively()), a_model(create_network("resunet", dim=4, filters=(2, 4, 8)).eval())
    there, back = second_opinion(first, IMAGE, second), second_opinion(second, IMAGE, first)
    assert there.disagreement.max() > 0.1
    np.testing.assert_array_equal(there.disagreement, back.disagreement)
    np.testing.assert_array_equal(there.labels, back.others)


def test_a_model_that_does_not_mind_turning_has_no_doubt() -> None:
    """With kernels that are the same turned round, and a size that the strides divide."""
    network = lively()
    with torch.no_grad():
        for each in network.modules():
            if isinstance(each, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                each.weight.copy_((each.weight + each.weight.flip(-1, -2)) / 2)
    sure, unsure = second_opinion(a_model(network), IMAGE), second_opinion(a_model(lively()), IMAGE)
    assert sure.disagreement.max() < 0.01 < 0.1 < unsure.disagreement.max()
    assert ((sure.labels > 0) == (sure.others > 0)).mean() > 0.99


def test_a_rescaled_image_has_a_map_of_its_own_size() -> None:
    model = a_model(lively())
    compared = second_opinion(model, IMAGE, options=PredictOptions(scale=0.5))
    assert compared.labels.shape == compared.others.shape == compared.disagreement.shape == IMAGE.shape
    assert compared.disagreement.max() > 0


def test_tiles_change_nothing() -> None:
    model = a_model(lively())
    whole = second_opinion(model, IMAGE, model)
    tiled = second_opinion(model, IMAGE, model, PredictOptions(tile=32))
    np.testing.assert_allclose(tiled.disagreement, whole.disagreement, atol=1e-5)
    np.testing.assert_array_equal(tiled.labels, whole.labels)


def test_models_that_cannot_be_compared() -> None:
    flat = a_model(lively())
    solid = a_model(create_network("mala", filters=(2, 3, 4)))
    with pytest.raises(UserError, match="one of 2 axes and one of 3"):
        check_comparable(flat, solid, PredictOptions())
    coarse, fine = (a_model(lively(), voxel_size=(size, size)) for size in (200.0, 100.0))
    check_comparable(coarse, fine, PredictOptions())
    with pytest.raises(UserError, match="give scale in place of the voxel size"):
        check_comparable(coarse, fine, PredictOptions(voxel_size=(100.0, 100.0)))
    with pytest.raises(UserError, match="expected some in common"):
        check_comparable(a_model(lively(), offsets=((-1, 0),)), a_model(lively(), offsets=((0, -1),)), PredictOptions())
