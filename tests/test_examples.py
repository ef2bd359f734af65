"""The examples run as they stand, from the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
RUNS: dict[str, tuple[tuple[str, ...], str]] = {
    "distil_cells.py": (("OUT", "--steps", "2", "--device", "cpu"), "student: "),
    "losses_in_your_own_loop.py": (("--steps", "3"), "step 2: loss "),
}


def test_every_example_is_run() -> None:
    assert {path.name for path in (PROJECT / "examples").glob("*.py")} == set(RUNS)


@pytest.mark.parametrize("name", RUNS)
def test_an_example(name: str, tmp_path: Path) -> None:
    arguments, words = RUNS[name]
    command = [sys.executable, "-W", "error", str(PROJECT / "examples" / name)]
    command += [str(tmp_path / "out") if argument == "OUT" else argument for argument in arguments]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert words in done.stdout
