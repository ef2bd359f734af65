"""How much memory each process takes to segment an image that is larger than what all may take together.

Makes a sparse image, islands of blobs in an empty field, compressed on disk; predicts it in blocks with
``--max-memory``; and looks five times a second at the driver and all its processes. The peak of each is what the
system counted; their sum counts pages that processes share once for each, and so is more than what they take.
Stopped and run again, it goes on; an image that is there is taken as it is.

    python benchmarks/beyond_memory.py nuclei --size 8192 8192 --max-memory 2 --out beyond

Volumes need a model, to be trained on examples of such blobs with their labels:

    python benchmarks/beyond_memory.py --examples blobs
"""

from __future__ import annotations

import argparse
import math
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import zarr

EVERY = 0.2
"""Seconds between two looks."""
CHUNK = {2: 1024, 3: 128}
ISLANDS = 0.1
"""Share of the chunks that hold something."""
EXAMPLES = 5
"""Volumes to train on."""


def blobs(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """How bright the blobs of an island are: smooth on the scale of cells, 0 between them."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(
        np.random.default_rng(seed).normal(size=shape).astype(np.float32), 8 if len(shape) == 2 else 4
    )
    return np.clip(smooth / smooth.std() - 1, 0, None) * 2000


def noise(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """An empty field."""
    return (400 + 30 * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def make(path: Path, size: tuple[int, ...], dtype: str) -> None:
    """Write the image: chunks without an island hold noise, the same everywhere."""
    chunk = tuple(min(CHUNK[len(size)], side) for side in size)
    array = zarr.create_array(path, shape=size, dtype=dtype, chunks=chunk, overwrite=True)
    empty = noise(chunk, 0)
    islands, rng = [empty + blobs(chunk, seed) for seed in range(4)], np.random.default_rng(0)
    for place in np.ndindex(*(math.ceil(side / step) for side, step in zip(size, chunk, strict=True))):
        box = tuple(
            slice(at * step, min((at + 1) * step, side)) for at, step, side in zip(place, chunk, size, strict=True)
        )
        part = islands[rng.integers(4)] if rng.random() < ISLANDS else empty
        array[box] = part[tuple(slice(side.stop - side.start) for side in box)].astype(dtype)


def write_examples(folder: Path) -> None:
    """Write volumes of blobs to train on, as a data set of the kind ``folder``."""
    from scipy.ndimage import label
    from tifffile import imwrite

    for number in range(EXAMPLES):
        bright = blobs((64, 160, 160), 100 + number)
        for kind, volume in (
            ("images", noise(bright.shape, number) + bright),
            ("labels", label(bright > 0)[0].astype(np.uint16)),
        ):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            imwrite(folder / kind / f"{number}.tif", volume)


def watch(command: list[str]) -> tuple[int, dict[str, int], int]:
    """Run a command; its exit code, the peak of each of its processes by name, and of their sum, in bytes."""
    driver, peaks, most = subprocess.Popen(command), {}, 0
    while driver.poll() is None:
        total = 0
        for process in [psutil.Process(driver.pid), *psutil.Process(driver.pid).children(recursive=True)]:
            try:
                memory, words = process.memory_info().rss, " ".join(process.cmdline())
            except psutil.Error:
                continue
            kind = "driver" if process.pid == driver.pid else "worker" if "spawn_main" in words else "helper"
            peaks[f"{kind} {process.pid}"] = max(memory, peaks.get(f"{kind} {process.pid}", 0))
            total += memory
        most = max(most, total)
        time.sleep(EVERY)
    return driver.returncode, peaks, most


def main() -> None:
    """Print the peak of each process, that of their sum, and how many pixels were done per second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="nuclei")
    parser.add_argument("--size", type=int, nargs="+", default=[8192, 8192])
    parser.add_argument("--dtype", choices=["uint16", "float32", "float64"], default="uint16")
    parser.add_argument("--max-memory", type=float, default=2.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("beyond"))
    parser.add_argument("--examples", type=Path, help="write examples to train on to a folder, and do nothing else")
    options = parser.parse_args()
    if options.examples:
        write_examples(options.examples)
        return
    size, image, out = tuple(options.size), options.out / "image.zarr", options.out / "labels.zarr"
    options.out.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out, ignore_errors=True)
    if not (options.out / "made").exists():
        make(image, size, options.dtype)
        (options.out / "made").touch()
    given = ["--blocks", "auto", "--workers", str(options.workers), "--max-memory", str(options.max_memory)]
    command = [sys.executable, "-m", "segraft", "predict", options.model, str(image), "--out", str(out), *given]
    begin = time.monotonic()
    code, peaks, most = watch(command)
    seconds = time.monotonic() - begin
    if code:
        raise SystemExit(code)
    gigabytes = np.dtype(options.dtype).itemsize * math.prod(size) / 1e9
    print(
        f"{' × '.join(map(str, size))}, {gigabytes:.2f} GB of {options.dtype}, {options.max_memory:g} GB allowed, "
        f"{seconds:.0f} s, {math.prod(size) / seconds:.3g} pixels/s"
    )
    for name, peak in sorted(peaks.items()):
        print(f"{name.split()[0]}: {peak / 1e9:.2f} GB")
    print(f"sum: {most / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
