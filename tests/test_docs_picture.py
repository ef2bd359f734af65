"""The pictures of the pages can be drawn again."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from PIL import Image

from segraft.model import checkpoint
from segraft.networks import create_network, dimensions
from shared.models import a_config

SCRIPT = Path(__file__).parent.parent / "docs" / "make_picture.py"


@pytest.mark.parametrize(
    ("dataset", "network", "filters"), [("synthetic", "resunet-tiny", (2, 3, 4)), ("neurites", "mala-tiny", (2, 3))]
)
def test_a_picture_of_runs(
    dataset: str, network: str, filters: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, out = tmp_path / "model.safetensors", tmp_path / "picture.png"
    config = a_config({"name": network, "dim": 4, "filters": filters}, ndim=dimensions(network))
    checkpoint.save(model, create_network(network, dim=4, filters=filters), config)
    arguments = [str(out), f"one={model}", f"other={model}", "--dataset", dataset, "--side", "48"]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    with Image.open(out) as picture:
        assert picture.size == (675, 486)  # 7.5 × 5.4 inches of 90 dots


def test_a_picture_of_made_up_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, out = SCRIPT.with_name("make_neurons.py"), tmp_path / "picture.png"
    monkeypatch.setattr(sys, "argv", [str(script), str(out), "--dataset", "neurites"])
    runpy.run_path(str(script), run_name="__main__")
    with Image.open(out) as picture:
        assert picture.width > 800
