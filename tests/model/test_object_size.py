"""Images whose objects have another size than in training are brought to it, from a number or from a first look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from segraft.errors import UserError
from segraft.labels.diameters import typical_diameter, typical_of_images
from segraft.model.config import ModelConfig
from segraft.model.model import Model
from segraft.model.object_size import FURTHEST, LOOK, fitted
from segraft.model.options import AUTO, PredictOptions
from segraft.model.resize import nearest, resize
from segraft.model.torch_runner import TorchRunner
from shared.models import a_config, lively

KNOWN_SIZE = 20.0


def config() -> ModelConfig:
    return replace(a_config(), object_size=KNOWN_SIZE)


def disks(diameter: float, side: int) -> np.ndarray:
    """An image ``(1, side, side)`` with disks on a grid, two diameters apart."""
    step = 2 * diameter
    y, x = np.mgrid[:side, :side] % step - diameter
    return (np.hypot(y, x) < diameter / 2).astype(np.float32)[None]


def find(image: np.ndarray, options: PredictOptions) -> np.ndarray:
    """Label what is bright at the scale that is asked for."""
    factor = float(options.scale or 1)  # type: ignore[arg-type]
    shape = tuple(max(1, round(side * factor)) for side in image.shape[1:])
    labels = ndimage.label(resize(image, shape)[0] > 0.5)[0].astype(np.uint32)
    return nearest(labels, image.shape[1:])


@settings(max_examples=15, deadline=None)
@given(st.floats(6, 70))
def test_objects_come_to_a_known_size(diameter: float) -> None:
    image = disks(diameter, int(6 * diameter) + 40)
    found = fitted(find, image, PredictOptions(object_size=AUTO), config())
    assert found.object_size is None
    scale = 1.0 if found.scale is None else float(found.scale)  # type: ignore[arg-type]
    assert KNOWN_SIZE / 1.8 < diameter * scale < KNOWN_SIZE * 1.8
    if KNOWN_SIZE / 1.4 < diameter < KNOWN_SIZE * 1.4:
        assert scale == 1


def test_a_size_that_is_told_goes_to_the_usual_one() -> None:
    found = fitted(find, disks(9, 100), PredictOptions(object_size=40.0), config())
    assert found.scale == 0.5


def test_an_empty_image_stays_as_it_is() -> None:
    found = fitted(find, np.zeros((1, 40, 40), np.float32), PredictOptions(object_size=AUTO), config())
    assert (found.scale, found.object_size) == (None, None)


def test_factors_have_limits() -> None:
    tiny = np.zeros((1, 64, 64), np.float32)
    tiny[:, ::4, ::4] = 1
    found = fitted(find, tiny, PredictOptions(object_size=AUTO), replace(config(), object_size=60.0))
    assert found.scale == FURTHEST


def test_of_a_large_image_parts_are_looked_at() -> None:
    looked = []

    def look(image: np.ndarray, options: PredictOptions) -> np.ndarray:
        looked.append(image.shape[1:])
        return find(image, options)

    fitted(look, disks(40, 2 * LOOK[2]), PredictOptions(object_size=AUTO), config())
    assert set(looked) == {(LOOK[2], LOOK[2])}
    assert len(looked) == 8  # four places, twice


def test_a_told_size_is_a_scale() -> None:
    model = Model(TorchRunner(lively()), replace(config(), segmentation=a_config().segmentation))
    image = np.random.default_rng(0).random((64, 48)).astype(np.float32)
    labels = model.predict(image, object_size=10.0)
    np.testing.assert_array_equal(labels, model.predict(image, scale=2.0))
    assert labels.shape == image.shape
    assert model.predict(image, object_size="auto").shape == image.shape


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"object_size": 20.0, "scale": 2.0}, "got both scale and object size"),
        ({"object_size": 0.0}, "object size: got 0.0, expected"),
        ({"object_size": float("nan")}, "object size: got nan, expected"),
        ({"object_size": "large"}, "object size: got 'large', expected a diameter in pixels, or auto"),
    ],
)
def test_bad_sizes_are_refused(options: dict, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        PredictOptions(**options)


def test_a_model_that_knows_no_size_says_so() -> None:
    model = Model(TorchRunner(lively()), a_config())
    with pytest.raises(UserError, match="does not know that of its training images; give scale"):
        model.predict(np.zeros((32, 32), np.float32), object_size="auto")
    with pytest.raises(UserError, match="does not know"):
        PredictOptions(object_size=5.0).check(model.runner, model.config)


def test_typical_diameters() -> None:
    assert typical_diameter(np.array([]), 2) is None
    assert typical_diameter(np.array([np.pi * 25]), 2) == pytest.approx(10)
    assert typical_diameter(np.array([4 / 3 * np.pi * 125]), 3) == pytest.approx(10)
    assert typical_of_images([np.array([])], 2) is None
    areas = [np.full(3, np.pi * d**2 / 4) for d in range(10, 31)]
    assert typical_of_images([*areas, np.array([])], 2) == 20.0
