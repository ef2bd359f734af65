"""Times of single passes."""

from __future__ import annotations

import pytest

from segraft.errors import UserError
from segraft.model.timing import forward_seconds


@pytest.mark.parametrize(("name", "shape"), [("resunet-tiny", (3, 48, 64)), ("mala-tiny", (1, 37, 241, 241))])
def test_every_pass_is_timed(name: str, shape: tuple[int, ...]) -> None:
    seconds = forward_seconds(name, shape, 2, "cpu")
    assert len(seconds) == 2
    assert min(seconds) > 0


def test_more_pixels_take_longer() -> None:
    small, large = (min(forward_seconds("resunet-tiny", (1, side, side), 3, "cpu")) for side in (32, 320))
    assert large > 4 * small


def test_no_repeats_are_refused() -> None:
    with pytest.raises(UserError, match="repeats: got 0"):
        forward_seconds("resunet-tiny", (1, 32, 32), 0)
