"""Outlines drawn on the image."""

from __future__ import annotations

import numpy as np
import pytest

from segraft.errors import UserError
from segraft.labels.borders import boundaries
from segraft.reporting.overlay import overlay


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_the_overlay_shows_image_and_outlines(channels: int) -> None:
    labels = np.zeros((20, 30), np.uint32)
    labels[5:15, 5:15], labels[5:15, 15:25] = 1, 2
    image = np.random.default_rng(0).integers(0, 4000, (channels, 20, 30)).astype(np.uint16)
    picture = overlay(image, labels)
    assert picture.shape == (20, 30, 3)
    assert picture.dtype == np.uint8
    plain = overlay(image, np.zeros_like(labels))
    edge = boundaries(labels)
    assert np.array_equal(picture[~edge], plain[~edge])
    assert len(np.unique(picture[edge], axis=0)) == 2  # one colour per object
    if channels == 1:
        assert (plain == plain[..., :1]).all()
    if channels == 2:
        assert not plain[..., 2].any()


def test_volumes_have_no_overlay() -> None:
    labels = np.zeros((4, 5, 6), np.uint32)
    labels[1:3, 2:4, 5] = 3
    with pytest.raises(UserError, match="2-D"):
        overlay(labels[None], labels)


def test_no_objects_are_no_error() -> None:
    assert not overlay(np.zeros((1, 3, 4)), np.zeros((3, 4), np.uint32)).any()
