"""What kills leave of a prediction in blocks: nothing, where it goes on to the same labels, byte for byte.

Predicts once undisturbed. Then kills a worker or the driver at random moments (kill -9) and starts the driver again
where it was killed, until the run ends, over and over until there were so many kills; after each run all files of the
labels and the table are compared with the undisturbed ones. The moments are those of a seed; what is done by then
depends on the machine.

    python benchmarks/campaign.py nuclei mosaic.zarr --out campaign -- --blocks 512 --workers 2

What follows ``--`` are options of segraft predict. Prints a row for each kill.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import psutil

KILLS_PER_RUN = 3
STARTS = 3
"""How often a driver that gave up is started again, as its user would do."""
AT_START = 0.1
"""Share of the kills that come within seconds of a start; the others are counted from the first block that is done."""
FIRST = 5.0
"""Those seconds."""
LOOK = 0.05


@dataclass
class Kill:
    """A kill, and what came of it."""

    run: int
    moment: float
    victim: str
    stage: str
    begun: int
    """Blocks that were being worked on."""
    again: str = ""
    same: str = ""

    def row(self, number: int) -> str:
        """As a line of a table."""
        cells = (number, self.run, f"{self.moment:.1f} s", self.victim, self.stage, self.begun, self.again, self.same)
        return "| " + " | ".join(map(str, cells)) + " |"


class Driver:
    """A process that predicts in blocks."""

    def __init__(self, command: list[str], log: Path, starts: int = 1) -> None:
        self.starts = starts
        with log.open("a") as file:
            self.process = subprocess.Popen(command, stderr=file, stdout=file)

    def ended_by(self, moment: float) -> bool:
        """Whether it ends within so many seconds."""
        try:
            self.process.wait(moment)
        except subprocess.TimeoutExpired:
            return False
        return True

    def begins(self, folder: Path) -> None:
        """Wait until it has done its first block, or has ended."""
        before = done(folder)
        while done(folder) == before and not self.ended_by(LOOK):
            pass

    def workers(self) -> list[psutil.Process]:
        """The processes that work on blocks."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]

    def kill(self, victim: str, rng: random.Random) -> str:
        """Kill it or one of its workers and return which; the driver where there are no workers yet."""
        workers = self.workers()
        if victim == "worker" and workers:
            rng.choice(workers).send_signal(signal.SIGKILL)
            return "worker"
        self.process.kill()
        self.process.wait()
        return "driver"


def checksum(store: Path, *others: Path) -> str:
    """Of all files of an output, names and bytes."""
    found = sha256()
    for path in sorted(each for each in store.rglob("*") if each.is_file()):
        found.update(str(path.relative_to(store)).encode() + path.read_bytes())
    for path in others:
        found.update(path.read_bytes() if path.exists() else b"")
    return found.hexdigest()[:12]


def done(folder: Path) -> int:
    """Blocks that are done, in all stages."""
    return sum(1 for _ in folder.glob("*/*/*.npz"))


def progress(folder: Path) -> tuple[str, int]:
    """The stage that wrote last, and how many blocks are being worked on."""
    files = [(path.stat().st_mtime, path) for path in folder.glob("*/*/*") if path.suffix in (".npz", ".begun")]
    if not files:
        return "start", 0
    stage = max(files)[1].parents[1].name
    return stage, sum(path.suffix == ".begun" for _, path in files)


def again(log: Path) -> str:
    """What the summary of the last start says that was tried again."""
    lines = [line.strip() for line in log.read_text().splitlines() if "tried again" in line]
    return ", ".join(f"{line.split(':')[0]} {line.split(' tried again')[0].split()[-1]}" for line in lines) or "none"


def disturbed(
    command: list[str], out: Path, run: int, seconds: float, left: int, rng: random.Random
) -> tuple[list[Kill], bool]:
    """Predict with some kills; those, and whether the run came to its end."""
    log, kills = out.with_suffix(".log"), []
    folder = out.with_name(f".{out.stem}.blocks")
    driver = Driver(command, log)
    while len(kills) < min(left, KILLS_PER_RUN):
        early = rng.random() < AT_START
        moment = rng.uniform(0, FIRST if early else seconds)
        if not early:
            driver.begins(folder)
        if driver.ended_by(moment):
            break
        stage, begun = progress(folder)
        kills.append(Kill(run, moment, driver.kill(rng.choice(["worker", "driver"]), rng), stage, begun))
        if kills[-1].victim == "driver":
            driver = Driver(command, log)
    while driver.process.wait() and driver.starts < STARTS:  # it gave up, with a line that says why
        driver = Driver(command, log, driver.starts + 1)
    for kill in kills:
        kill.again = again(log)
    return kills, driver.process.returncode == 0 and "Traceback" not in log.read_text() and not folder.exists()


def main() -> None:
    """Print a table of all kills, and how many runs ended with the same labels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("image")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    own, rest = (sys.argv[1:], []) if "--" not in sys.argv else _split(sys.argv[1:])
    options = parser.parse_args(own)
    shutil.rmtree(options.out, ignore_errors=True)
    options.out.mkdir(parents=True)
    rng = random.Random(options.seed)

    def command(out: Path) -> list[str]:
        given = ["predict", options.model, options.image, "--out", str(out), "--table", *rest]
        return [sys.executable, "-m", "segraft", *given]

    first = options.out / "undisturbed.zarr"
    driver = Driver(command(first), first.with_suffix(".log"))
    driver.begins(first.with_name(f".{first.stem}.blocks"))
    begin = time.monotonic()
    if driver.process.wait():
        raise SystemExit(first.with_suffix(".log").read_text())
    seconds = time.monotonic() - begin
    expected = checksum(first, first.with_suffix(".csv"))
    print(f"undisturbed: {seconds:.0f} s from the first block on, {expected}\n")
    print("| kill | run | after | what | stage | in work | tried again in the run | same |")
    print("|---|---|---|---|---|---|---|---|")
    killed = runs = same = 0
    while killed < options.kills:
        out = options.out / f"run{runs}.zarr"
        kills, ended = disturbed(command(out), out, runs, seconds, options.kills - killed, rng)
        found = checksum(out, out.with_suffix(".csv")) if ended else "not ended"
        for kill in kills:
            killed, kill.same = killed + 1, "yes" if found == expected else found
            print(kill.row(killed), flush=True)
        runs, same = runs + 1, same + (found == expected)
        shutil.rmtree(out, ignore_errors=True)
    print(f"\n{same} of {runs} runs ended with the same files, {killed} kills")


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    at = words.index("--")
    return words[:at], words[at + 1 :]


if __name__ == "__main__":
    main()
