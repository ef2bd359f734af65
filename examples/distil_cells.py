"""Train a teacher on generated cells, distil it into a student of a sixteenth of its size, and compare them.

    python examples/distil_cells.py runs/cells --steps 300

Replace ``"synthetic"`` by ``"folder", root="cells"`` for images and masks of your own (docs/tutorial-folder.md).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import segraft
from segraft.data import open_dataset


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    common: dict[str, Any] = {
        "patch": (128, 128),
        "rate": 1e-2,
        "warmup": 30,
        "steps": arguments.steps,
        "validate_every": min(100, arguments.steps),
        "device": arguments.device,
    }
    teacher = segraft.train("synthetic", network="resunet", width=8, out=arguments.out / "teacher", **common)
    taught: dict[str, Any] = {"teacher": arguments.out / "teacher", "student": "resunet", "width": 2}
    student = segraft.distill("synthetic", out=arguments.out / "student", **taught, **common)
    sample = open_dataset("synthetic", None, "test", count=1)[0]
    for name, model in {"teacher": teacher, "student": student}.items():
        parameters, _ = model.runner.complexity((256, 256))
        scores = segraft.evaluate(model.predict(sample.image), sample.labels)
        print(f"{name}: {parameters:,} parameters, AJI {scores['aji']:.3f}, PQ {scores['pq']:.3f}")


if __name__ == "__main__":
    main()
