"""What pip makes of the wheel in a fresh environment: small, and enough to segment with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from segraft.images.reading import read_labels
from shared.exports import write_pair

PROJECT = Path(__file__).parent.parent
LARGEST = 400e6
"""Bytes of all packages, without the installer and without bytecode, which Python writes beside them."""
LEFT_OUT = ("pip", "setuptools", "__pycache__")


def run(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_fresh_environment_is_small_and_predicts(tmp_path: Path) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "dist", PROJECT)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    run(sys.executable, "-m", "venv", tmp_path / "env")
    run(tmp_path / "env/bin/pip", "install", "-c", PROJECT / "constraints.txt", wheel)
    (packages,) = (tmp_path / "env/lib").glob("python3*/site-packages")
    assert not (packages / "torch").exists()
    files = [path for path in packages.rglob("*") if path.is_file()]
    kept = [path for path in files if not set(LEFT_OUT) & set(path.relative_to(packages).parts)]
    assert sum(path.stat().st_size for path in kept) < LARGEST

    write_pair(tmp_path)
    image = np.random.default_rng(1).random((64, 48)).astype(np.float32)
    tifffile.imwrite(tmp_path / "image.tif", image)
    run(
        tmp_path / "env/bin/segraft",
        "predict",
        tmp_path / "model.onnx",
        tmp_path / "image.tif",
        "--out",
        tmp_path / "out",
    )
    assert read_labels(tmp_path / "out" / "image.tif").max() > 1
