"""Real processes of prediction in blocks, killed and stopped: what they say, and that they go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from segraft.blocks.cluster import workers as of_this_machine
from segraft.blocks.running import Distributed
from segraft.errors import UserError
from segraft.model.config import Segmentation
from shared.echo import job_of
from shared.stores import files

pytestmark = pytest.mark.slow
SCRIPT = """
import sys
from segraft.blocks import predict
{guard}print(predict("nuclei", sys.argv[1], out=sys.argv[2], blocks=32, workers=2))
"""


def start(image: Path, out: Path, *more: str) -> subprocess.Popen:
    """The command, as a user gives it; a process group of its own, as in a terminal."""
    command = [sys.executable, "-m", "segraft", "predict", "nuclei", str(image), "--blocks", "32", "--out", str(out)]
    return subprocess.Popen(
        [*command, "--workers", "2", "--table", *more],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(folder: Path, stage: str, count: int = 1) -> None:
    """Wait until so many blocks of a stage are done."""
    end = time.monotonic() + 100
    while len(list(folder.glob(f"{stage}/*/*.npz"))) < count:
        assert time.monotonic() < end
        time.sleep(0.02)


def workers(driver: subprocess.Popen) -> list[psutil.Process]:
    """Its processes."""
    children = psutil.Process(driver.pid).children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def gone(processes: list[psutil.Process]) -> bool:
    """Whether they end within some seconds."""
    return not psutil.wait_procs(processes, timeout=10)[1]


@pytest.fixture
def undisturbed(image, tmp_path):
    """What a run writes that nothing stops."""
    driver = start(image, tmp_path / "undisturbed.zarr")
    _, said = driver.communicate()
    assert driver.returncode == 0, said
    return files(tmp_path / "undisturbed.zarr"), (tmp_path / "undisturbed.csv").read_bytes()


def goes_on(image, out, undisturbed):
    """Whether the same command ends with the same files."""
    driver = start(image, out)
    _, said = driver.communicate()
    assert driver.returncode == 0, said
    assert "Traceback" not in said
    return (files(out), out.with_suffix(".csv").read_bytes()) == undisturbed


@pytest.mark.parametrize("stage", ["survey", "network", "held"])
def test_a_killed_driver_goes_on(image, tmp_path, undisturbed, stage):
    out = tmp_path / "out.zarr"
    driver = start(image, out)
    wait_for(tmp_path / ".out.blocks", stage)
    own = workers(driver)
    driver.kill()
    _, said = driver.communicate()
    assert [line for line in said.splitlines() if "workers; dashboard" not in line] == []
    assert gone(own)
    assert goes_on(image, out, undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_driver_goes_on(image, tmp_path, undisturbed, number):
    out = tmp_path / "out.zarr"
    driver = start(image, out)
    wait_for(tmp_path / ".out.blocks", "survey")
    own = workers(driver)
    os.killpg(driver.pid, number)  # Ctrl-C reaches the workers, too
    _, said = driver.communicate(timeout=20)
    assert driver.returncode == 128 + number
    assert said.splitlines()[1:] == [f"segraft: stopped by {number.name}"]
    assert gone(own)
    assert goes_on(image, out, undisturbed)


def test_a_killed_worker_is_no_matter(image, tmp_path, undisturbed):
    out = tmp_path / "out.zarr"
    driver = start(image, out)
    wait_for(tmp_path / ".out.blocks", "survey")
    workers(driver)[0].kill()
    _, said = driver.communicate()
    assert driver.returncode == 0, said
    assert "Traceback" not in said
    assert "Warning" not in said
    assert (files(out), out.with_suffix(".csv").read_bytes()) == undisturbed


def test_a_scheduler_that_goes_away(image, tmp_path):
    told = tmp_path / "scheduler.json"
    dask = [sys.executable, "-m"]
    scheduler = subprocess.Popen(
        [*dask, "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", str(told)],
        stderr=subprocess.DEVNULL,
    )
    while not told.exists():
        time.sleep(0.1)
    address = json.loads(told.read_text())["address"]
    worker = subprocess.Popen(
        [*dask, "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"], stderr=subprocess.DEVNULL
    )
    driver = start(image, tmp_path / "out.zarr", "--scheduler", address)
    wait_for(tmp_path / ".out.blocks", "survey")
    scheduler.kill()
    _, said = driver.communicate()
    worker.terminate()
    worker.wait()
    scheduler.wait()
    assert driver.returncode == 2
    assert "blocks: lost the scheduler, expected it to stay; start it and run again: it goes on" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("guard", ["", 'if __name__ == "__main__": '])
def test_a_script_and_its_guard(image, tmp_path, guard):
    (tmp_path / "script.py").write_text(SCRIPT.format(guard=guard))
    command = [sys.executable, str(tmp_path / "script.py"), str(image), str(tmp_path / "out.zarr")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if guard:
        assert int(done.stdout) > 5
        assert "Traceback" not in done.stderr
    else:
        assert done.stderr.splitlines()[-1].startswith("segraft.errors.UserError: blocks: workers could not be started")
        assert done.stderr.splitlines()[-1].endswith('below the line: if __name__ == "__main__":')
        assert done.stderr.count("Traceback") == 1


def hungry(job, number):
    """A task that takes 80 MB, of the third block 3.2 GB."""
    parts = [np.ones(10_000_000) for _ in range(40 if number == 2 else 1)]
    time.sleep(0.3)
    job.folder.save("stage", number, count=len(parts))


def test_a_worker_that_outgrows_its_memory(tmp_path):
    job = job_of(tmp_path / "run", np.zeros((5, 8, 8), np.float32), (4, 4), Segmentation())
    job.folder.agree({})
    with (
        pytest.raises(
            UserError, match=r"^blocks: got workers that took .* GB at y 4:8, x 0:4, more than they were given"
        ),
        of_this_machine(None, 1, 1.5e9) as client,
    ):
        Distributed(job, client)("stage", "trying", hungry, range(4))
    assert job.folder.has("stage", 0)
