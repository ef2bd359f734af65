"""Known names, and errors that mean too little memory."""

from __future__ import annotations

import pytest

from segraft.errors import UserError, choose, out_of_memory


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    registry = {"mutex": 1, "waterz": 2}
    assert choose("segmenter", "waterz", registry) == 2
    with pytest.raises(UserError, match=r"^unknown segmenter 'mutx'; known: mutex, waterz; did you mean 'mutex'\?$"):
        choose("segmenter", "mutx", registry)
    with pytest.raises(UserError, match=r"^unknown segmenter 'lmc'; known: none$"):
        choose("segmenter", "lmc", {})


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), True),
        (RuntimeError("shape mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_errors_that_mean_too_little_memory(error: Exception, expected: bool) -> None:
    assert out_of_memory(error) is expected
