"""Devices by name."""

from __future__ import annotations

import pytest

from segraft.errors import UserError
from segraft.model.torch_runner import find_device


def test_devices() -> None:
    assert find_device("cpu").type == "cpu"
    assert find_device("auto").type in {"cpu", "cuda", "mps"}
    for name in ("gpu", "cuda:99", "cuda:x", "", "meta"):
        with pytest.raises(UserError, match="cpu"):
            find_device(name)
