"""Which offsets and settings a segmenter refuses; shapes and NaN are among what all segmenters keep to."""

from __future__ import annotations

import numpy as np
import pytest

from segraft.errors import UserError
from segraft.graphs.offsets import OFFSETS_2D, OFFSETS_3D, OFFSETS_3D_LONG
from segraft.segment import SEGMENTERS
from segraft.segment.arguments import check_fraction, check_long, check_nearest

SHUFFLED = (OFFSETS_2D[1], OFFSETS_2D[0], *OFFSETS_2D[2:])


@pytest.mark.parametrize("offsets", [OFFSETS_2D, OFFSETS_2D[:2], OFFSETS_3D, OFFSETS_3D_LONG])
def test_the_offsets_of_the_package_begin_with_the_nearest(offsets):
    check_nearest(offsets)


@pytest.mark.parametrize("offsets", [SHUFFLED, OFFSETS_2D[:1], OFFSETS_2D[2:], ((1, 0), (0, 1)), OFFSETS_3D[1:]])
def test_other_beginnings_are_refused(offsets):
    with pytest.raises(UserError, match=r"expected .* first; use OFFSETS_2D"):
        check_nearest(offsets)


@pytest.mark.parametrize("name", ["waterz", "multicut", "lifted-multicut"])
def test_who_needs_the_nearest_says_so(name):
    with pytest.raises(UserError, match="use OFFSETS_2D"):
        SEGMENTERS[name](np.ones((10, 5, 5)), SHUFFLED)


@pytest.mark.parametrize("name", ["mutex", "lifted-multicut"])
def test_who_needs_long_offsets_says_so(name):
    with pytest.raises(UserError, match=r"3 offsets.*OFFSETS_3D_LONG"):
        SEGMENTERS[name](np.ones((3, 4, 5, 5)), OFFSETS_3D)
    check_long(OFFSETS_3D_LONG, "any")


@pytest.mark.parametrize("name", ["waterz", "multicut"])
def test_who_needs_no_long_offsets_does_without(name):
    assert SEGMENTERS[name](np.ones((3, 4, 5, 5)), OFFSETS_3D).max() == 1


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("name", "setting"),
    [("waterz", "threshold"), ("waterz", "boundary"), ("multicut", "beta"), ("lifted-multicut", "boundary")],
)
def test_settings_outside_0_to_1_are_refused(name, setting, value):
    with pytest.raises(UserError, match=f"{setting}: got .*from 0 to 1"):
        SEGMENTERS[name](np.ones((10, 5, 5)), OFFSETS_2D, **{setting: value})
    for fine in (0.0, 0.5, 1.0):
        check_fraction(setting, fine)
