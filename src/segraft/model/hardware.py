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


def resident_peak() -> int | None:
    """Highest resident memory of this process in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would tell, on Linux, the parent's if that is larger
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
