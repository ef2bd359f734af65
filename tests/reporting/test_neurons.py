"""Neurons in 3-D: their pieces, what is merged with them, and pictures that show it."""

from __future__ import annotations

import numpy as np
import pytest

from segraft.reporting.colours import rgb
from segraft.reporting.neurons import COLOURS, Comparison, Pieces, largest, neuron_rows
from segraft.reporting.surfaces import CELLS, PIXELS, Mark, render, surface

UNITS = (2.0, 1.0, 1.0)


def truth() -> np.ndarray:
    """Three slabs side by side, of which the first is the largest."""
    labels = np.zeros((10, 24, 30), np.int64)
    labels[:, :, :14], labels[:, :, 14:24], labels[:, :, 24:28] = 5, 2, 9
    return labels


def test_the_largest_neurons_come_first() -> None:
    assert largest(truth()) == [5, 2, 9]
    assert largest(truth(), 1) == [5]
    assert largest(np.zeros((2, 2, 2), int)) == []


def test_the_pieces_of_a_neuron() -> None:
    predicted = truth() + 10
    predicted[:, 15:, :14] = 40
    predicted[0, 0, 0] = 41  # a crumb
    predicted[truth() == 9] = 12  # merged with 2
    compared = Comparison(np.where(truth() > 0, predicted, 0), truth())
    assert compared.pieces(5) == Pieces((15, 40), ())
    assert compared.pieces(2) == Pieces((12,), (12,))
    assert compared.pieces(9) == Pieces((12,), (12,))
    assert compared.pieces(5).words == "2 pieces"
    assert compared.pieces(2).words == "one piece, merged"
    assert Comparison(np.zeros_like(truth()), truth()).pieces(5).words == "missed"


def colours_in(pixels: np.ndarray, colour: str) -> int:
    """How many pixels have the hue of a colour, whatever the light."""
    wanted = np.array(rgb(colour)) / max(rgb(colour))
    brightness = pixels.max(-1, keepdims=True) / 255
    own = pixels / np.maximum(pixels.max(-1, keepdims=True), 1)
    return int(((np.abs(own - wanted).max(-1) < 0.06) & (brightness[..., 0] > 0.2)).sum())


def test_rows_of_a_truth_and_a_model_that_splits_and_merges() -> None:
    predicted = truth().copy()
    predicted[:, 12:, :14] = 40
    predicted[truth() == 9] = 2
    rows = neuron_rows("volume", truth(), {"cut": predicted, "right": truth() * 3}, UNITS)
    assert [row.name for row in rows] == ["volume", "neuron 5", "neuron 2", "neuron 9"]
    assert [panel.words for panel in rows[0].panels] == ["3 largest neurons", "1 split, 2 merged", "0 split, 0 merged"]
    assert [panel.words for panel in rows[1].panels] == ["3,360 voxels", "2 pieces", "one piece"]
    assert rows[2].panels[1].words == "one piece, merged"
    true, cut, right = (panel.pixels for panel in rows[1].panels)
    assert true.shape == (PIXELS, PIXELS, 3)
    assert (right == true).all()
    assert 0.2 < colours_in(cut, COLOURS[0]) / colours_in(true, COLOURS[0]) < 0.8
    assert (rows[2].panels[1].pixels != rows[2].panels[2].pixels).any()


def test_a_surface_lies_where_its_voxels_are() -> None:
    mask = np.zeros((12, 20, 200), bool)
    mask[3:9, 5:15, 20:190] = True
    triangles = surface(mask, UNITS, "#ff0000").triangles.reshape(-1, 3)
    low, high = triangles.min(0), triangles.max(0)  # x, y, z
    cell = 170 / CELLS * 2
    assert np.abs(low - [20, 5, 6]).max() < cell
    assert np.abs(high - [190, 15, 18]).max() < cell
    assert not len(surface(np.zeros_like(mask), UNITS, "red").triangles)


@pytest.mark.parametrize("view", [None, np.array([1.0, 0.0, 0.0])])
def test_marks_lie_on_top(view: np.ndarray | None) -> None:
    mask = np.ones((8, 8, 8), bool)
    solid = surface(mask, (1, 1, 1), "#7cb342")
    plain, signed = (
        render([solid], marks, view, (8, 8, 8)) for marks in ((), [Mark("o", "#e69f00").at(np.array([4.0, 4.0, 4.0]))])
    )
    assert not colours_in(plain, "#e69f00")
    assert colours_in(signed, "#e69f00") > 10
    assert (render([], [], view, (8, 8, 8)) == 255).mean() > 0.9
