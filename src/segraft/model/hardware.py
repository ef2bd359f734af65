"""What a number was measured on."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

PROCESSORS = Path("/proc/cpuinfo")


def hardware(device: str = "auto") -> dict[str, Any]:
    """``device`` (cpu, cuda, mps), ``name`` of the processor or GPU, and ``threads`` of the CPU that PyTorch uses."""
    import torch

    from segraft.model.torch_runner import find_device

    found = find_device(device)
    name = torch.cuda.get_device_name(found) if found.type == "cuda" else _processor()
    return {"device": found.type, "name": name, "threads": torch.get_num_threads()}


def _processor() -> str:
    """The processor's name; its architecture where the system does not tell."""
    lines = PROCESSORS.read_text(encoding="utf-8").splitlines() if PROCESSORS.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
