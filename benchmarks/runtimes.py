"""Seconds of one CPU core that the network of each model takes for a window, which other programs disturb little.

All in turns, in one run, each in one thread; the first model is what the others are compared with.

    python benchmarks/runtimes.py model.safetensors model.onnx model.openvino.onnx model.int8.onnx
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from statistics import median

import segraft
from segraft.model.benchmarking import SIZES, scene


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--size", nargs="+", type=int, help="of the generated image, in pixels; by default 520 696")
    parser.add_argument("--repeats", type=int, default=7)
    told = parser.parse_args()
    runners = {path: segraft.load(path, "cpu").runner for path in told.models}
    geometry = next(iter(runners.values())).geometry
    size = geometry.nearest_input(tuple(told.size or SIZES[geometry.ndim]), math.ceil)
    window = scene(size, geometry.in_channels) / 255.0
    seconds: dict[Path, list[float]] = {path: [] for path in runners}
    for repeat in range(told.repeats + 1):
        for path, runner in runners.items():
            runner.use_threads(1)
            begin = time.process_time()
            runner.run(window.astype("float32"))
            if repeat:  # the first run prepares what the others find
                seconds[path].append(time.process_time() - begin)
    first = median(next(iter(seconds.values())))
    print(f"| {' × '.join(map(str, size))} pixels, {told.repeats} repeats | run by | CPU ms | speed |")
    print("|---|---|---|---|")
    for path, each in seconds.items():
        found = median(each)
        print(f"| {path.name} | {runners[path].engine} | {1e3 * found:.0f} | {first / found:.2f} × |")


if __name__ == "__main__":
    main()
