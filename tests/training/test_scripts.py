"""Training from scripts and notebooks where processes are not forked, as on macOS and Windows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from shared.runs import PROJECT, SMALL, checkpoint

GUARD = 'if __name__ == "__main__":'
ENVIRONMENT = os.environ | {"PYTHONPATH": str(PROJECT / "src"), "OMP_NUM_THREADS": "1"}
ASKS = "import multiprocessing\nfrom segraft.training import workers\n"
"""The beginning of scripts that only ask how many workers they may have: without PyTorch they are quick."""
SPAWNS = 'multiprocessing.set_start_method("spawn", force=True)\n'
ANSWER = "print(workers.usable(2))\n"


def guarded(code: str) -> str:
    return f"{GUARD}\n{textwrap.indent(code, '    ')}"


def answer(tmp_path: Path, code: str) -> tuple[str, str]:
    """What a script that ends well prints: its answer, and what it is told."""
    script = tmp_path / "script.py"
    script.write_text(code)
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, env=ENVIRONMENT, timeout=60)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip(), run.stderr.strip()


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_script_that_others_can_import_has_workers(tmp_path: Path, method: str) -> None:
    code = ASKS + guarded(SPAWNS.replace("spawn", method) + ANSWER)
    assert answer(tmp_path, code) == ("2", "")


def test_a_forked_process_imports_no_script(tmp_path: Path) -> None:
    code = ASKS + SPAWNS.replace("spawn", "fork") + ANSWER
    assert answer(tmp_path, code) == ("2", "")


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_script_that_trains_whenever_it_is_imported_has_none(tmp_path: Path, method: str) -> None:
    code = ASKS + SPAWNS.replace("spawn", method) + f"def main():\n    {ANSWER}\nmain()\n"
    printed, told = answer(tmp_path, code)
    assert printed == "0"
    assert f"workers would run {tmp_path / 'script.py'} again, for it trains outside of '{GUARD}'" in told


@pytest.mark.parametrize(
    ("on_import", "reason"),
    [
        ("raise SystemExit(3)", "exit code 3"),
        ("import time; time.sleep(50)", "not done after 1 s"),
        ("workers.refuse_import()", "exit code 1"),
    ],
)
def test_a_script_that_others_cannot_import_has_none(tmp_path: Path, on_import: str, reason: str) -> None:
    code = ASKS + "workers.PATIENCE = 1\n" if "sleep" in on_import else ASKS
    code += f"if __name__ != '__main__':\n    {on_import}\n" + guarded(SPAWNS + ANSWER)
    printed, told = answer(tmp_path, code)
    assert printed == "0"
    assert f"workers cannot import {tmp_path / 'script.py'} ({reason}): put what it does below '{GUARD}'" in told
    refused = f"segraft: {tmp_path / 'script.py'} trains while another process imports it; put the training below"
    assert told.startswith(refused) == ("refuse" in on_import)


@pytest.mark.parametrize(("arguments", "workers"), [(["-c", ASKS + SPAWNS + ANSWER], 2), (["-"], 0)])
def test_a_session_without_a_file(arguments: list[str], workers: int) -> None:
    """What ``-c``, an interactive session and a notebook run is no file that others could import, and need not be."""
    run = subprocess.run(
        [sys.executable, *arguments],
        input=ASKS + SPAWNS + ANSWER,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        timeout=60,
    )
    assert (run.returncode, run.stdout) == (0, f"{workers}\n"), run.stderr
    assert ("workers cannot import <stdin>, which is no file" in run.stderr) == (not workers)


def training(out: Path, root: Path, **changes: object) -> str:
    """A call that trains on a folder with one worker."""
    settings = SMALL | {"workers": 1, "root": str(root), "out": str(out)} | changes
    return f'segraft.train("folder", **{settings!r})\n'


BEGINNING = 'import multiprocessing\nimport segraft\nmultiprocessing.set_start_method("spawn", force=True)\n'


def test_a_script_without_a_guard_trains_once(tmp_path: Path, cells: Path) -> None:
    """More pixels than a pipe holds, which a worker that dies never reads."""
    printed, told = answer(tmp_path, BEGINNING + training(tmp_path / "run", cells) + "print('trained')\n")
    assert printed.endswith("trained")
    assert told.count("Notice") == 1
    assert checkpoint(tmp_path / "run")["global_step"] == SMALL["steps"]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["cells", "run"]


@pytest.mark.slow
def test_code_without_a_file_trains_with_workers(tmp_path: Path, cells: Path) -> None:
    code = BEGINNING + training(tmp_path / "run", cells)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT, timeout=120)
    assert run.returncode == 0, run.stderr
    assert checkpoint(tmp_path / "run")["global_step"] == SMALL["steps"]


def children(process: subprocess.Popen[str]) -> list[int]:
    return [int(number) for number in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def lives(number: int) -> bool:
    """Whether there is a process of this number that has not ended."""
    status = Path(f"/proc/{number}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs the list of processes in /proc")
@pytest.mark.parametrize("begun", [True, False], ids=["in a step", "while workers start"])
def test_a_signal_ends_a_script_and_its_workers(tmp_path: Path, cells: Path, begun: bool) -> None:
    out, script = tmp_path / "run", tmp_path / "script.py"
    code = training(out, cells, steps=10**6, validate_every=10**6)
    slow_import = "import time\nif __name__ != '__main__': time.sleep(1)\n"
    script.write_text(BEGINNING + slow_import + guarded(code))
    process = subprocess.Popen([sys.executable, script], stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    try:
        awaited = out / ("metrics.jsonl" if begun else "config.yaml")
        while process.poll() is None and not (awaited.exists() and awaited.read_text()):
            time.sleep(0.05)
        time.sleep(0.5)
        started = children(process)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1
    last = [line for line in errors.splitlines() if line.startswith("segraft.")][-1]
    assert last.startswith("segraft.training.callbacks.Stopped: stopped")
    assert ("stopped and saved after step" in last) == begun
    assert f"go on with: segraft train --config {out} --resume" in last
    ended = time.monotonic() + 20
    while any(map(lives, started)) and time.monotonic() < ended:
        time.sleep(0.1)
    assert started
    assert not any(map(lives, started))
