"""What prediction in blocks costs: seconds and memory of each stage, at growing sizes, with one worker and with two.

    python benchmarks/blocks.py cells --sizes 2048,2048 4096,4096 8192,8192
    python benchmarks/blocks.py neurites --model runs/neurites --sizes 64,256,256 128,512,512

Images are a generated field, repeated in mirror images to the size that is asked for, so that all sizes hold the same
objects per pixel. Each case runs in a process of its own, the smallest size in memory as well. Seconds of a core are
those that the processes themselves spent, which other programs disturb little; seconds are those of the clock.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

import segraft
from segraft.blocks import prediction
from segraft.blocks.cutting import Grid
from segraft.blocks.running import Distributed
from segraft.data import open_dataset
from segraft.model.hardware import resident_peak

FIELDS = {"cells": ("synthetic", (512, 512)), "neurites": ("neurites", (32, 128, 128))}
"""Data set and size of the generated field, by kind of image."""
BLOCKS = {"cells": (1024, 1024), "neurites": (32, 252, 252)}
CHUNK = {"cells": (512, 512), "neurites": (32, 128, 128)}


class Case(NamedTuple):
    """One run: an image, in blocks by so many workers, or in memory for 0."""

    image: Path
    space: tuple[int, ...]
    model: str
    segmenter: str | None
    block: tuple[int, ...]
    memory: float
    """Gigabytes of each worker."""
    workers: int


def field(kind: str) -> np.ndarray:
    """The field that images are made of."""
    name, size = FIELDS[kind]
    return open_dataset(name, None, "train", size=size)[0].image[0]


def write_image(path: Path, kind: str, space: tuple[int, ...]) -> None:
    """Write an image of any size as zarr, chunk by chunk."""
    import zarr

    once = field(kind)
    mirrored = np.pad(once, [(0, size) for size in once.shape], mode="symmetric")
    image = zarr.create_array(path, shape=space, dtype=once.dtype, chunks=CHUNK[kind])
    grid = Grid(space, mirrored.shape)
    for number in range(len(grid)):
        image[grid.box(number)] = mirrored[tuple(slice(size) for size in grid.shape(number))]


class Watched(Distributed):
    """Keeps what was measured: stages, what the driver spent before each, and what lies on disk at the end."""

    told: ClassVar[dict[str, Any]] = {}

    def __call__(self, *given: Any) -> None:
        """Do a stage, see `Distributed`."""
        before = self.told.setdefault("before", [])
        before.append(time.process_time() - self.told.get("ended", 0))
        super().__call__(*given)
        self.told["ended"] = time.process_time()

    def tell(self) -> None:
        """Keep what the summary says."""
        before = self.told["before"]
        self.told["stages"] = [each.__dict__ | {"driver": cpu} for each, cpu in zip(self.took, before, strict=True)]
        self.told["folders"] = dict(_sizes(self.job.folder.path))


def _sizes(folder: Path) -> Iterator[tuple[str, int]]:
    """Bytes of each stage in a work folder."""
    for stage in sorted(path for path in folder.iterdir() if path.is_dir()):
        yield stage.name, sum(path.stat().st_size for path in stage.rglob("*") if path.is_file())


def measure(case: Case) -> dict[str, Any]:
    """Run a case; what it took."""
    begun, cpu = time.perf_counter(), time.process_time()
    found = in_blocks(case) if case.workers else in_memory(case)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    stages = found.get("stages", [])
    total = cpu + sum(each["cpu"] for each in stages)
    return found | {"seconds": seconds, "driver": cpu, "cpu": total, "peak": resident_peak() or 0}


def in_blocks(case: Case) -> dict[str, Any]:
    """Segment block by block, with a table."""
    prediction.Distributed = Watched  # type: ignore[misc]
    out = case.image.with_name(f"labels-{case.workers}.zarr")
    memory = case.memory * case.workers
    given: dict[str, Any] = {"blocks": case.block, "workers": case.workers, "max_memory": memory}
    objects = prediction.predict(case.model, case.image, out=out, segmenter=case.segmenter, **given)
    written = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return Watched.told | {"objects": objects, "written": written}


def in_memory(case: Case) -> dict[str, Any]:
    """Segment the whole image at once, on one thread."""
    import zarr

    model = segraft.load(case.model, "cpu")
    model.runner.use_threads(1)
    image = zarr.open_array(case.image, mode="r")[:]
    given = {"max_memory": case.memory} if image.ndim == 3 else {}
    return {"objects": int(np.max(model.predict(image, segmenter=case.segmenter, **given)))}


def show(case: Case, found: dict[str, Any]) -> None:
    """Print what a case took, stage by stage."""
    pixels = math.prod(case.space)
    how = f"{case.workers} workers" if case.workers else "in memory"
    print(
        f"\n{' × '.join(map(str, case.space))} ({pixels / 1e6:.0f} M), {how}: {found['objects']} objects, "
        f"{found['seconds']:.0f} s, {found['cpu']:.0f} s of a core, {1e9 * found['cpu'] / pixels:.0f} ns of a "
        f"core per pixel, {found['peak'] / 1e9:.2f} GB of {'the driver' if case.workers else 'memory'}"
    )
    if not case.workers:
        return
    print(
        "\n| stage | blocks | tried again | s | s of a core | driver before it, s of a core | GB of a worker so far |\n"
        + "|---" * 7
        + "|"
    )
    for each in found["stages"]:
        if each["blocks"]:
            figures = f"{each['seconds']:.1f} | {each['cpu']:.1f} | {each['driver']:.2f} | {each['peak'] / 1e9:.2f}"
            print(f"| {each['words']} | {each['blocks']} | {each['retries']} | {figures} |")
    sizes = {name: size / pixels for name, size in found["folders"].items() if size > pixels / 1e3}
    parts = ", ".join(f"{name} {size:.2f}" for name, size in sizes.items())
    print(f"\nOn disk meanwhile, bytes per pixel: {sum(sizes.values()):.2f} ({parts})")
    print(f"On disk at the end: {found['written'] / pixels:.2f}")


def compare(cases: list[tuple[Case, dict[str, Any]]]) -> None:
    """Print what the goals are about: growth with the size, workers, and what blocks cost beside memory."""
    base, least = cases[0][1], min(case.workers for case, _ in cases if case.workers)
    print("\n| | M pixels | workers | s | s of a core | ns of a core per pixel | per pixel, against in memory ", end="")
    print("| GB of a worker | GB of the driver |")
    print("|---" * 9 + "|")
    for case, found in cases:
        millions = math.prod(case.space) / 1e6
        per = f"{found['seconds']:.0f} | {found['cpu']:.0f} | {1e3 * found['cpu'] / millions:.0f}"
        same = found["cpu"] / millions / (base["cpu"] / (math.prod(cases[0][0].space) / 1e6))
        worker = max((each["peak"] for each in found.get("stages", [])), default=0) / 1e9
        where = f"{case.workers} | {per} | {same:.2f} × | {worker:.2f}" if case.workers else f"in memory | {per} | 1 | "
        print(f"| {' × '.join(map(str, case.space))} | {millions:.0f} | {where} | {found['peak'] / 1e9:.2f} |")
    for size in dict.fromkeys(case.space for case, _ in cases):
        times = {case.workers: found["seconds"] for case, found in cases if case.space == size and case.workers}
        for workers, seconds in times.items():
            if workers > least:
                print(
                    f"\n{workers} workers against {least}, {' × '.join(map(str, size))}: {times[least] / seconds:.2f} ×"
                )


def numbers(text: str) -> tuple[int, ...]:
    """A shape such as 64,256,256."""
    return tuple(int(each) for each in text.split(","))


def main() -> None:
    """Print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=list(FIELDS))
    parser.add_argument("--model", default="nuclei", help="of images by default nuclei, of volumes to be given")
    parser.add_argument("--segmenter", help="by default what is stored with the model")
    parser.add_argument("--sizes", nargs="+", type=numbers, required=True, help="shapes, the smallest first")
    parser.add_argument("--blocks", type=numbers)
    parser.add_argument("--memory", type=float, default=1.5, help="gigabytes of each worker")
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--folder", type=Path, help="where images are written, by default a temporary folder")
    parser.add_argument("--json", type=Path, help="write all figures to a file as well")
    told = parser.parse_args()
    block = told.blocks or BLOCKS[told.kind]
    cases = []
    with tempfile.TemporaryDirectory(dir=told.folder) as folder:
        for number, space in enumerate(told.sizes):
            image = Path(folder) / f"{number}" / "image.zarr"
            write_image(image, told.kind, space)
            for workers in told.workers if number else [0, *told.workers]:
                case = Case(image, space, told.model, told.segmenter, block, told.memory, workers)
                with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
                    cases.append((case, pool.submit(measure, case).result()))
                show(*cases[-1])
    compare(cases)
    if told.json:
        told.json.write_text(json.dumps([case._asdict() | found for case, found in cases], default=str))


if __name__ == "__main__":
    main()
