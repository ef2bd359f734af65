"""Scales: 1 changes nothing, smaller is smaller everywhere, and only there where it is said."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segraft.errors import UserError
from segraft.networks import own_filters
from segraft.paper import RECIPES
from segraft.paper.scaling import SMALLEST, STRIDES, TEACHERS, scaled

SCALES = st.floats(1e-6, 1, exclude_min=True)
NAMES = st.sampled_from(list(RECIPES))
CHANGED = ("steps", "validate_every", "patch", "filters")


@given(NAMES)
def test_scale_one_changes_nothing(name: str) -> None:
    settings = RECIPES[name].settings
    assert scaled(settings, 1.0) == settings


@given(NAMES, SCALES, SCALES)
def test_smaller_scales_are_smaller_and_possible(name: str, one: float, other: float) -> None:
    settings = RECIPES[name].settings
    small, large = (scaled(settings, scale) for scale in sorted((one, other)))
    ndim = len(settings.patch or ())
    assert 1 <= small.steps <= large.steps <= settings.steps
    assert 1 <= small.validate_every <= large.validate_every <= settings.validate_every
    axes = zip(small.patch or (), large.patch or (), settings.patch or (), SMALLEST[ndim], STRIDES[ndim], strict=True)
    for a, b, full, least, stride in axes:
        assert least <= a <= b <= full
        assert (a - least) % stride == 0
    if settings.network in TEACHERS:
        own, least = TEACHERS[settings.network]
        fewer, more = small.filters or own, large.filters or own
        assert all(c <= a <= b <= d for a, b, c, d in zip(fewer, more, least, own, strict=True))


@given(NAMES, SCALES)
def test_students_and_everything_else_stay(name: str, scale: float) -> None:
    settings = RECIPES[name].settings
    small = scaled(settings, scale)
    kept = [item.name for item in fields(settings) if item.name not in CHANGED]
    assert all(getattr(small, each) == getattr(settings, each) for each in kept)
    if settings.network not in TEACHERS:
        assert (small.filters, small.width) == (settings.filters, settings.width)


def test_filters_are_those_of_the_networks() -> None:
    for name, (own, _) in TEACHERS.items():
        assert own_filters(name) == own


def test_a_tenth() -> None:
    teacher = scaled(RECIPES["table2-cvppp-resunet"].settings, 0.1)
    assert (teacher.steps, teacher.validate_every, teacher.patch) == (30_000, 500, (80, 80))
    assert teacher.filters == (10, 20, 57, 110, 215)
    assert scaled(RECIPES["table3-ac34-mala"].settings, 1e-6).patch == (37, 241, 241)


@pytest.mark.parametrize("scale", [0.0, -0.1, 1.01, float("nan"), float("inf")])
def test_other_scales_are_refused(scale: float) -> None:
    with pytest.raises(UserError, match=r"scale: got .*, expected more than 0 and at most 1"):
        scaled(RECIPES["table2-cvppp-resunet"].settings, scale)
