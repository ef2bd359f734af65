"""Trainings that do not wait for each other, side by side: each is a process with one thread.

The step of a tiny network on small patches has too little work to share between cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from segraft.coerce import plain
from segraft.errors import UserError
from segraft.settings import DistillSettings, TrainSettings
from segraft.signals import code_of
from segraft.terminal.progress import Pace
from segraft.training.attempts import finish, left_to_do

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def finish_all(
    trainings: Mapping[str, TrainSettings],
    at_once: int,
    before: int = 0,
    total: int | None = None,
    train: Callable[[TrainSettings], None] = finish,
) -> None:
    """Finish trainings by name, so many at once, from wherever earlier attempts got to; tell what each is at.

    They are counted as a part of a ``total`` of which so many were done ``before``. One at once is trained in this
    process, by ``train``. Else a signal that ends this process lets each of them finish its step and
    write a checkpoint; one that fails does not stop the others.

    Raises ``UserError`` as `segraft.training.attempts.finish`, with the names of the trainings that failed.
    """
    total = before + len(trainings) if total is None else total
    numbered = {f"[{k}/{total}] {name}": each for k, (name, each) in enumerate(trainings.items(), start=before + 1)}
    if at_once == 1:
        pace = Pace(total, before)
        for done, (heading, settings) in enumerate(numbered.items(), start=before):
            print(f"{heading}: {settings.steps} steps{pace.left(done)}", flush=True)
            train(settings)
        return
    left = {heading: todo for heading, each in numbered.items() if (todo := left_to_do(each)) is not None}
    processes = _Processes(Pace(total, before + len(numbered) - len(left)))
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(at_once) as pool:
        configs = (Path(folder) / f"{k}.yaml" for k in range(len(left)))
        try:
            failures = [each for each in pool.map(processes.train, left.keys(), left.values(), configs) if each]
        except KeyboardInterrupt:
            processes.end()
            raise
    if failures:
        raise UserError("; ".join(failures))


class _Processes:
    """Trainings in processes of their own."""

    def __init__(self, pace: Pace) -> None:
        self._pace, self._done = pace, pace.begin
        self._started: list[subprocess.Popen[str]] = []
        self._ended = False

    def train(self, heading: str, settings: TrainSettings, config: Path) -> str:
        """Train, and print what the process says after the heading; return what went wrong, or nothing."""
        if self._ended:
            return ""
        verb = "distill" if isinstance(settings, DistillSettings) else "train"
        config.write_text(yaml.safe_dump(plain(settings)), encoding="utf-8")
        print(f"{heading}: {settings.steps} steps{self._pace.left(self._done)}", flush=True)
        said = ""
        with self._start([sys.executable, "-m", "segraft", verb, "--config", str(config)]) as process:
            for line in process.stdout or ():
                said = line.rstrip()
                print(f"{heading}: {said}", flush=True)
        self._done += 1
        failed = 0 < process.returncode < code_of(0)
        return f"{heading.partition('] ')[2]}: {said.removeprefix('segraft: ')}" if failed else ""

    def _start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        """Start a process that Ctrl-C does not reach by itself: a second signal would end it without a checkpoint."""
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env=os.environ | ONE_THREAD,
            start_new_session=True,
        )
        self._started.append(process)
        if self._ended:
            process.terminate()
        return process

    def end(self) -> None:
        """Ask those that run to end in order, and start no more."""
        self._ended = True
        for process in self._started:
            process.terminate()
