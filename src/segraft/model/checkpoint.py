"""Models on disk: weights and everything needed to run them in one safetensors file, never a pickle."""

from __future__ import annotations

from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor, nn

from segraft.errors import UserError
from segraft.files import replacing, unwritable
from segraft.model import onnx_file
from segraft.model.config import ModelConfig
from segraft.model.model_file import HEADER, as_text, damaged, header_config, locate
from segraft.networks import create_network
from segraft.networks.contract import Network
from segraft.run_folder import MODEL

Weights = dict[str, Tensor]


def save(path: str | Path, network: nn.Module, config: ModelConfig) -> None:
    """Write the weights of ``network`` and its configuration; the file appears only when it is complete.

    ``path`` is the file, or a folder, in which the file is then ``MODEL``. Raises ``UserError`` for a full disk or a
    read-only folder.
    """
    path = Path(path)
    save_weights(path / MODEL if path.is_dir() else path, weights(network), config)


def weights(network: nn.Module) -> Weights:
    """A copy of the weights of a network by name, on the CPU."""
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}


def save_weights(path: Path, state: Weights, config: ModelConfig) -> None:
    """Write weights and configuration to a file beside ``path`` that replaces it when it is complete."""
    data = safetensors.torch.save(state, metadata={HEADER: as_text(config)})
    with unwritable(path), replacing(path) as temporary:
        temporary.write_bytes(data)


def read(path: str | Path) -> tuple[Weights, ModelConfig]:
    """Return the weights by name (on the CPU) and the configuration of a model file, or of the one in a run folder.

    Raises ``UserError`` when the file is missing, cut short, no safetensors file, not written by segraft, or of a later
    format.
    """
    path = locate(path)
    if onnx_file.is_onnx(path):
        raise UserError(
            f"{path} is an exported network, which predicts and cannot be trained or taught from; expected the run "
            f"folder or the {MODEL} that it was exported from"
        )
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            config = header_config(path, file.metadata())
            return {name: file.get_tensor(name).clone() for name in file.keys()}, config  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as error:
        raise damaged(path, error) from error


def restore(path: str | Path) -> tuple[Network, ModelConfig]:
    """Build the network of a model file with its weights, on the CPU, and return it with the configuration.

    Raises ``UserError`` as ``read``, and when the weights do not belong to the network that the file names.
    """
    state, config = read(path)
    network = create_network(**vars(config.network))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        problems = [line.strip() for line in str(error).splitlines()[1:]]
        raise UserError(
            f"{locate(path)} holds other weights than its network {config.network.name!r} has "
            f"({len(problems)} mismatches: {problems[0][:200] if problems else error}); expected a file of segraft's"
        ) from error
    return network, config
