"""The channel axis of an image."""

import numpy as np
import pytest

from segraft.errors import UserError
from segraft.images.channels import spatial_axes, to_channels_first
from shared.messages import one_line


@pytest.mark.parametrize(
    ("shape", "ndim", "expected"),
    [
        ((8, 9), 2, (1, 8, 9)),
        ((8, 9, 3), 2, (3, 8, 9)),
        ((8, 9, 4), 2, (3, 8, 9)),
        ((4, 8, 9), 2, (4, 8, 9)),
        ((1, 1), 2, (1, 1, 1)),
        ((1, 1, 3), 2, (3, 1, 1)),
        ((1, 2, 1, 8, 9), 2, (2, 8, 9)),
        ((8, 9, 9), 3, (1, 8, 9, 9)),
        ((2, 8, 9, 9), 3, (2, 8, 9, 9)),
        ((8, 9, 9, 2), 3, (2, 8, 9, 9)),
        ((1, 1, 1, 9, 9), 3, (1, 1, 9, 9)),
    ],
)
def test_the_channel_axis_is_found_by_rule(shape: tuple[int, ...], ndim: int, expected: tuple[int, ...]) -> None:
    assert to_channels_first(np.zeros(shape), ndim).shape == expected


def test_channels_are_picked_from_the_channel_axis() -> None:
    stains = np.arange(6 * 8 * 9).reshape(6, 8, 9)
    np.testing.assert_array_equal(to_channels_first(stains, 2, (4, 0)), stains[[4, 0]])
    np.testing.assert_array_equal(to_channels_first(stains.transpose(1, 2, 0), 2, (4, 0)), stains[[4, 0]])
    np.testing.assert_array_equal(to_channels_first(stains[:4].transpose(1, 2, 0), 2, (3,)), stains[[3]])


@pytest.mark.parametrize(
    ("shape", "ndim", "channels"),
    [
        ((6, 8, 9), 2, None),
        ((8,), 2, None),
        ((2, 8, 9, 9), 2, None),
        ((3, 8, 9), 2, (3,)),
        ((3, 8, 9), 2, ()),
    ],
)
def test_images_without_a_clear_channel_axis_are_refused(
    shape: tuple[int, ...], ndim: int, channels: tuple[int, ...] | None
) -> None:
    with pytest.raises(UserError, match=r"cell\.tif") as error:
        to_channels_first(np.zeros(shape), ndim, channels, "cell.tif")
    one_line(error)


@pytest.mark.parametrize(
    ("shape", "ndim"),
    [((8, 9), 2), ((8, 9, 3), 2), ((2, 8, 9), 2), ((8, 9, 9), 3), ((1, 2, 8, 9, 9), 3), ((1, 1), 2)],
)
def test_axes_of_space_without_labels(shape: tuple[int, ...], ndim: int) -> None:
    assert spatial_axes(np.zeros(shape)) == ndim
