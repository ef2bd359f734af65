"""The hardware of a number has a name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from segraft.errors import UserError
from segraft.model import hardware as module
from segraft.model.hardware import hardware


def test_the_processor_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text("processor\t: 0\nmodel name\t: Fast 9000\nprocessor\t: 1\nmodel name\t: Fast 9000\n")
    monkeypatch.setattr(module, "PROCESSORS", told)
    assert hardware("cpu") == {"device": "cpu", "name": "Fast 9000", "threads": torch.get_num_threads()}
    monkeypatch.setattr(module, "PROCESSORS", tmp_path / "none")
    assert hardware("cpu")["name"]
    with pytest.raises(UserError, match="device: got 'gpu'"):
        hardware("gpu")
