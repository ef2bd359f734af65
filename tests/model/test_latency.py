"""The widest student within a number of milliseconds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segraft.errors import UserError
from segraft.model.latency import WIDEST, Widths


def made_up(milliseconds: float, count: int = WIDEST) -> Widths:
    """Widths whose times are known: so many milliseconds each."""
    times = {width: width * milliseconds / 1e3 for width in range(1, count + 1)}
    return Widths("resunet-tiny", 1, 4, (32, 32), "cpu", times)


@given(st.floats(0.1, 30), st.floats(1, 2000))
def test_the_widest_that_fits(milliseconds: float, limit: float) -> None:
    widths = made_up(milliseconds)
    if widths.seconds[1] > limit / 1e3:
        with pytest.raises(UserError, match="the narrowest resunet-tiny takes"):
            widths.widest(limit / 1e3)
        return
    found = widths.widest(limit / 1e3)
    assert widths.seconds[found] <= limit / 1e3
    assert found == WIDEST or widths.seconds[found + 1] > limit / 1e3


def test_widths_are_measured() -> None:
    widths = Widths("resunet-tiny", 2, 4, (40, 48), "cpu")
    assert widths.of(2) > 0
    assert list(widths.seconds) == [2]


@pytest.mark.parametrize(
    ("name", "size", "reason"),
    [
        ("mobilenet", (32, 32), "latency: got mobilenet, expected a network that has widths"),
        ("mala-tiny", (32, 32), "latency: got mala-tiny"),
        ("resunet-tiny", (32, 32, 32), "image size: got"),
        ("resunet-tiny", (0, 32), "image size: got"),
    ],
)
def test_what_has_no_widths_is_refused(name: str, size: tuple[int, ...], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        Widths(name, 1, 4, size)


def test_no_number_is_no_limit() -> None:
    with pytest.raises(UserError, match="got nan ms, expected more"):
        made_up(1).widest(float("nan"))
