"""Draw neurons of a volume with made-up mistakes, to show how Fig. 4 marks splits and merges.

    python docs/make_neurons.py neurons.png --root fib25

The largest true neuron is cut in two across x and joined with the second largest in another column: no model is run.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from segraft.data import open_dataset
from segraft.reporting.figure_files import write_figure
from segraft.reporting.neurons import MEANING, largest, neuron_rows
from segraft.reporting.panels import draw_panels


def main() -> None:
    """Draw what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--dataset", default="cremi")
    parser.add_argument("--root", type=Path)
    arguments = parser.parse_args()
    sample = open_dataset(arguments.dataset, arguments.root, "test")[0]
    truth = np.maximum(np.asarray(sample.labels), 0)
    first, second, *_ = largest(truth)
    beyond = np.arange(truth.shape[2]) >= truth.shape[2] // 2
    made = {
        "truth, cut": np.where((truth == first) & beyond, truth.max() + 1, truth),
        "truth, joined": np.where(truth == first, second, truth),
    }
    rows = neuron_rows(sample.name, truth, made, sample.voxel_size or (1.0, 1.0, 1.0))
    write_figure(draw_panels(rows[:3], ["truth", *made], MEANING), arguments.out, "", ())


if __name__ == "__main__":
    main()
