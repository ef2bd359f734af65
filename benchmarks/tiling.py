"""What tiles of a volume cost: multiply-adds per voxel of the result, voxels seen per voxel, and seconds, in one run.

    python benchmarks/tiling.py [--network mala-tiny] [--volume 64 300 300] [--threads N]

Counts tiles of the published size (84 × 268 × 268 voxels seen for 56 × 56 × 56) and those that the planner chooses for
1, 4 and 16 GB, in a volume of 1000³. Then times published and planned (4 GB) tiles on a volume that is small enough.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import replace

import numpy as np
import torch

from segraft.graphs.offsets import OFFSETS_3D
from segraft.model.config import ModelConfig, NetworkConfig
from segraft.model.model import Model
from segraft.model.tile_memory import fitting_tile, tile_bytes, waste
from segraft.model.torch_runner import TorchRunner
from segraft.networks import complexity, create_network
from segraft.networks.contract import Network

PUBLISHED = (56, 56, 56)
SPACE = (1000, 1000, 1000)


def macs_per_voxel(network: Network, tile: tuple[int, ...]) -> float:
    """Multiply-adds that a tile in the midst of a volume spends on each voxel of its core."""
    window = network.geometry.input_size(tile)
    return complexity(network, (1, 1, *window))[1] / math.prod(tile)


def seconds(network: Network, volume: np.ndarray, tile: tuple[int, ...]) -> float:
    """Time to the affinities of a volume."""
    config = replace(ModelConfig.usual(NetworkConfig("mala-tiny"), network.ndim), offsets=OFFSETS_3D)
    model = Model(TorchRunner(network.eval().requires_grad_(False)), config)
    start = time.perf_counter()
    model.affinities(volume, tile=tile)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="mala-tiny")
    parser.add_argument("--volume", type=int, nargs=3, default=(64, 300, 300))
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    network = create_network(arguments.network)
    runner = TorchRunner(network)
    planned = {f"{size} GB": fitting_tile(runner, SPACE, OFFSETS_3D, size * 1e9) for size in (1, 4, 16)}
    print(f"{arguments.network}, a volume of {' × '.join(map(str, SPACE))}")
    print(f"{'tile':10}{'core':>20}{'seen per voxel':>16}{'multiply-adds per voxel':>26}{'planned GB':>12}")
    for name, tile in {"published": PUBLISHED, **planned}.items():
        core, seen = " × ".join(map(str, tile)), waste(network.geometry, SPACE, tile, ())
        size = tile_bytes(runner, SPACE, tile, OFFSETS_3D) / 1e9
        print(f"{name:10}{core:>20}{seen:>16.1f}{macs_per_voxel(network, tile):>26,.0f}{size:>12.2f}")
    space = tuple(arguments.volume)
    volume = np.random.default_rng(0).integers(0, 255, space).astype(np.uint8)
    plan = fitting_tile(runner, space, OFFSETS_3D, 4e9)
    times = {name: seconds(network, volume, tile) for name, tile in (("published", PUBLISHED), ("planned", plan))}
    print(
        f"to affinities of {' × '.join(map(str, space))}, {torch.get_num_threads()} threads: published tiles ", end=""
    )
    print(f"{times['published']:.1f} s, planned ({' × '.join(map(str, plan))}) {times['planned']:.1f} s, ", end="")
    print(f"{times['published'] / times['planned']:.1f}×")


if __name__ == "__main__":
    main()
