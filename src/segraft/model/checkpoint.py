"""Models on disk: weights and everything needed to run them in one safetensors file, never a pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor, nn

from segraft.errors import UserError
from segraft.files import replacing, unwritable
from segraft.networks import create_network
from segraft.run_folder import MODEL, RunFolder

FORMAT = 1
"""Number of the file format written here; files of a higher one are refused."""
HEADER = "segraft"
"""Key of the configuration, as JSON, in the header of the file."""


def save(path: str | Path, network: nn.Module, config: dict[str, Any]) -> None:
    """Write the weights of ``network`` and its configuration; the file appears only when it is complete.

    ``path`` is the file, or a folder, in which the file is then ``MODEL``. ``config`` holds what JSON can, among it
    ``network``: the arguments of ``create_network``. Raises ``UserError`` for a full disk or a read-only folder.
    """
    path = Path(path)
    path = path / MODEL if path.is_dir() else path
    _write(path, {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}, config)


def change(path: str | Path, **changes: Any) -> None:
    """Replace entries of the configuration in a model file, or in that of a run folder; the weights stay bit for bit.

    Raises ``UserError`` as ``read`` and ``save``.
    """
    state, config = read(path)
    _write(locate(path), state, config | changes)


def _write(path: Path, state: dict[str, Tensor], config: dict[str, Any]) -> None:
    """Write weights and configuration to a file beside ``path`` that replaces it when it is complete."""
    header = json.dumps({**config, "format": FORMAT}, sort_keys=True)
    data = safetensors.torch.save(state, metadata={HEADER: header})
    with unwritable(path), replacing(path) as temporary:
        temporary.write_bytes(data)


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the weights by name (on the CPU) and the configuration of a model file, or of the one in a run folder.

    Raises ``UserError`` when the file is missing, cut short, no safetensors file, not written by segraft, or of a later
    format.
    """
    path = locate(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            config = _config(path, (file.metadata() or {}).get(HEADER))
            return {name: file.get_tensor(name).clone() for name in file.keys()}, config  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{path} cannot be read as a model ({reason}); wanted a complete {MODEL} of segraft; "
            "if it was cut short, copy it again"
        ) from error


def restore(path: str | Path) -> tuple[nn.Module, dict[str, Any]]:
    """Build the network of a model file with its weights, on the CPU, and return it with the configuration.

    Raises ``UserError`` as ``read``, and when the weights do not belong to the network that the file names.
    """
    state, config = read(path)
    network = build(config, locate(path))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        problems = [line.strip() for line in str(error).splitlines()[1:]]
        raise UserError(
            f"{locate(path)} holds other weights than its network {config['network']['name']!r} has "
            f"({len(problems)} mismatches: {problems[0][:200] if problems else error}); wanted a file of segraft's"
        ) from error
    return network, config


def build(config: dict[str, Any], path: Path) -> nn.Module:
    """Build the network that a configuration describes, with fresh weights; ``path`` names it in messages."""
    try:
        settings = dict(config["network"])
        filters = settings.pop("filters", None)
        return create_network(**settings, filters=tuple(filters) if filters else None)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} does not describe its network ({type(error).__name__}: {error}); wanted name, in_channels, dim "
            "and filters; train or export it again"
        ) from error


def locate(path: str | Path) -> Path:
    """Return the model file that a file or a run folder stands for; ``UserError`` when there is none."""
    path = Path(path)
    file = path / MODEL if path.is_dir() else path
    if not file.is_file():
        what = f"holds no {MODEL}" if path.is_dir() else "does not exist"
        if RunFolder(path).config.exists():
            raise UserError(f"{path} {what}: the run was stopped before its first validation; resume it, or train anew")
        raise UserError(f"{path} {what}; wanted a run folder or a model file; check the path, or train first")
    return file


def _config(path: Path, header: str | None) -> dict[str, Any]:
    """Parse the configuration in the header of a file."""
    if header is None:
        raise UserError(
            f"{path} is a safetensors file of another program (no {HEADER!r} in its header); "
            "wanted a model that segraft trained"
        )
    try:
        config = json.loads(header)
        number = int(config["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} has a damaged configuration ({type(error).__name__}: {error}); "
            "wanted JSON with its format number; copy the file again"
        ) from error
    if number > FORMAT:
        raise UserError(f"{path} has format {number}; this version reads up to {FORMAT}; update segraft")
    return config
