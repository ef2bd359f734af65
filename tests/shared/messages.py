"""Messages of errors."""

from __future__ import annotations

import pytest

from segraft.errors import UserError


def one_line(error: pytest.ExceptionInfo[UserError]) -> str:
    """The message, which must be one line."""
    text = str(error.value)
    assert "\n" not in text
    return text
