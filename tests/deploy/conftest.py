"""Networks that were exported once, for all to read and none to change."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.exports import write_openvino, write_pair


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that finds objects, ``model.safetensors``, and what it was exported to, ``model.onnx``."""
    return write_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="session")
def openvino(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with ``model.openvino.onnx`` and ``model.int8.onnx``."""
    return write_openvino(write_pair(tmp_path_factory.mktemp("openvino")))
