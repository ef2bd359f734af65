"""The runner that is a PyTorch network."""

from __future__ import annotations

import torch

from segraft.errors import UserError


def find_device(name: str = "auto") -> torch.device:
    """Return a device that is there; ``auto`` takes CUDA, else MPS, else the CPU."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    known = {"cpu": True, "cuda": cuda, "mps": mps}
    kind, _, index = name.partition(":")
    here = ", ".join(device for device, available in known.items() if available)
    if not known.get(kind) or (index and (not index.isdigit() or (cuda and int(index) >= torch.cuda.device_count()))):
        raise UserError(f"there is no device {name!r} here; wanted auto or one of: {here}; choose another")
    return torch.device(name)
