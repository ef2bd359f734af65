"""The runner that is a PyTorch network."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from segraft.errors import UserError
from segraft.model import checkpoint
from segraft.model.config import ModelConfig
from segraft.networks import complexity, create_network
from segraft.networks.contract import Network, channels_last, meta_input, skeleton
from segraft.types import Geometry, Space

WORKSPACE = 1.5
"""Margin for what convolutions take beside their inputs and outputs; ``benchmarks/tiling.py`` shows what is taken."""


class TorchRunner:
    """Runs a network where its weights are, in float32 and eval mode; a training that goes on is not disturbed."""

    def __init__(self, network: Network) -> None:
        self.network = network

    @property
    def geometry(self) -> Geometry:
        """Sizes that the network takes and gives."""
        return self.network.geometry

    @property
    def device(self) -> str:
        """Where the weights are."""
        return str(next(self.network.parameters()).device)

    @property
    def engine(self) -> str:
        """What runs it, and in which numbers."""
        return "PyTorch, float32"

    @property
    def threads(self) -> int:
        """Threads of the CPU that PyTorch uses, for all its networks."""
        return torch.get_num_threads()

    def use_threads(self, count: int) -> None:
        """Let PyTorch use so many threads of the CPU from now on."""
        torch.set_num_threads(count)

    @torch.inference_mode()
    def run(self, window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Map ``(C, *w)`` float32 to the embedding ``(D, *v)`` and foreground logits ``(*v)``; see `Runner`."""
        device, training = torch.device(self.device), self.network.training
        x = torch.from_numpy(np.ascontiguousarray(window))[None].to(device)
        self.network.eval()
        try:
            with torch.autocast(device.type, enabled=False):
                output = self.network(x)
        except torch.OutOfMemoryError as error:
            size = " × ".join(map(str, window.shape[1:]))
            raise UserError(
                f"{device} has no memory for a tile: got {size} pixels, expected fewer; set a smaller tile"
            ) from error
        finally:
            if training:
                self.network.train()
        return output.embedding[0].cpu().numpy(), output.foreground[0, 0].cpu().numpy()

    def memory(self, window: Space) -> float:
        """Bytes that the tensors of a run take at most for a window ``(*w)``, with a margin for workspaces."""
        return WORKSPACE * forward_bytes(self._skeleton, window)

    def complexity(self, window: Space) -> tuple[int, int]:
        """Parameters, and multiply-adds of convolutions for a window ``(*w)``."""
        return complexity(self.network, (1, self.geometry.in_channels, *window))

    def peak(self) -> int | None:
        """Most bytes of a GPU that this process took for tensors; None on the CPU."""
        return torch.cuda.max_memory_allocated() if self.device.startswith("cuda") else None

    @cached_property
    def _skeleton(self) -> Network:
        return skeleton(self.network)


class Peak(TorchDispatchMode):
    """Follows the tensors that are alive while a network runs; ``bytes`` is the most they took at once."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self._alive = {key: entry for key, entry in self._alive.items() if not entry[0].expired()}
        for tensor in tree_leaves((args, result)):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                self._alive[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.bytes = max(self.bytes, sum(size for _, size in self._alive.values()))
        return result


def forward_bytes(bare: Network, window: Space) -> int:
    """Most memory that the tensors of a run of a `skeleton` take for a window ``(*w)``; nothing is computed."""
    with torch.no_grad(), Peak() as peak:
        bare(meta_input(bare, window))
    return peak.bytes


def restored(path: Path, device: str = "auto") -> tuple[TorchRunner, ModelConfig]:
    """A trained network on a device, ready to run, and its configuration; raises ``UserError`` as `restore`."""
    target = find_device(device)
    network, config = checkpoint.restore(path)
    return _on(network, target), config


def fresh(
    name: str, in_channels: int = 1, device: str = "auto", filters: tuple[int, ...] | None = None, dim: int = 16
) -> TorchRunner:
    """A network with fresh weights on a device, ready to run; raises ``UserError`` as `create_network`."""
    return _on(create_network(name, in_channels, dim, filters), find_device(device))


def _on(network: Network, device: torch.device) -> TorchRunner:
    return TorchRunner(channels_last(network).to(device).eval().requires_grad_(False))


def find_device(name: str = "auto") -> torch.device:
    """Return a device that is there; ``auto`` takes CUDA, else MPS, else the CPU.

    Raises ``UserError`` for a device that is not there.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    known = {"cpu": True, "cuda": cuda, "mps": mps}
    kind, _, index = name.partition(":")
    here = ", ".join(device for device, available in known.items() if available)
    if not known.get(kind) or (index and (not index.isdigit() or (cuda and int(index) >= torch.cuda.device_count()))):
        raise UserError(f"device: got {name!r}, expected auto or one of those here: {here}; choose another")
    return torch.device(name)
