"""What ONNX Runtime's memory pattern costs where windows have different sizes, as at the ends of an image.

    python benchmarks/onnx_memory.py nuclei

Runs the network of a model on one thread, each way in a process of its own: as segraft does, and with the pattern,
which is ONNX Runtime's default and keeps a plan, with its memory, for each size of window.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from segraft.model.hardware import resident_peak
from segraft.model.model_file import locate
from segraft.model.onnx_runner import session_options

SIDES = ((1120, 1120), (1248, 1120), (1248, 1248), (1120, 1248))
"""Windows in pixels: tiles of 1024 at a corner, along the sides and inside, with what the network sees around them."""


def measure(path: Path, pattern: bool, repeats: int) -> tuple[float, float]:
    """Peak of the process in GB, and seconds of a round over all windows, the fastest."""
    import onnxruntime

    options = session_options(1)
    options.enable_mem_pattern = pattern
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    windows = [np.random.default_rng(0).normal(size=(1, 1, *size)).astype(np.float32) for size in SIDES]
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        for window in windows:
            session.run(None, {session.get_inputs()[0].name: window})
        times.append(time.perf_counter() - begin)
    return (resident_peak() or 0) / 1e9, min(times)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="nuclei", help="an exported model of images, or the name of one")
    parser.add_argument("--repeats", type=int, default=3)
    told = parser.parse_args()
    print("| | peak of the process, GB | s for four windows |\n|---|---|---|")
    for pattern, words in ((False, "as segraft runs it"), (True, "with the memory pattern")):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            peak, seconds = pool.submit(measure, locate(told.model), pattern, told.repeats).result()
        print(f"| {words} | {peak:.2f} | {seconds:.2f} |")


if __name__ == "__main__":
    main()
