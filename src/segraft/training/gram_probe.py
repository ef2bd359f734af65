"""What becomes of the embeddings of the same patches while a network learns: their Gram matrices, step after step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from segraft.errors import UserError
from segraft.files import replacing, unwritable
from segraft.graphs.graph import Graph
from segraft.graphs.memory_bank import image_grams
from segraft.networks.contract import Network, centre
from segraft.training.function_teacher import FunctionTeacher
from segraft.training.module import TrainingModule

STUDENT, TEACHER = "student", "teacher"
"""Whose Gram matrices a file has: of the network that learns, and of its teacher, which the memory bank remembers."""
STEPS = "steps"
"""Steps at which they were computed, in the same file."""


def grams_file(folder: Path) -> Path:
    """Where the Gram matrices of a run folder lie."""
    return folder / "grams.npz"


class GramProbe(Callback):
    """Compute the Gram matrices of the first ``count`` patches of a run every so many steps, and write them.

    The file holds, as the arrays of an npz, ``steps (T)`` and by network ``student`` and, where it learns from one,
    ``teacher``, each ``(T, count, 2, D, D)``: what a memory bank keeps of an image (`image_grams`). Networks are in
    eval mode while they are looked at, and draw nothing: training goes on as without it. It must be called before the
    recorder, whose checkpoints hold what was computed so far.
    """

    def __init__(self, file: Path, every: int, count: int = 8) -> None:
        self.file, self.every, self.count = file, every, count
        self._steps: list[int] = []
        self._grams: dict[str, list[Tensor]] = {}
        self._patches: tuple[Tensor, Tensor] | None = None

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run goes on with."""
        return {"steps": list(self._steps), "grams": {name: list(each) for name, each in self._grams.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the interrupted run was."""
        self._steps, self._grams = state_dict["steps"], state_dict["grams"]

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Read the patches."""
        assert isinstance(pl_module, TrainingModule)
        images, labels = zip(*(pl_module.patches[number][:2] for number in range(self.count)), strict=True)
        self._patches = torch.stack(images).to(pl_module.device), torch.stack(labels).to(pl_module.device)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *_: object, **__: object
    ) -> None:
        """Compute and write, when that is due."""
        assert isinstance(pl_module, TrainingModule)
        if trainer.global_step % self.every or self._patches is None:
            return
        self._steps.append(trainer.global_step)
        teacher = pl_module.teacher
        networks: dict[str, Network] = {STUDENT: pl_module.network}
        if teacher is not None and not isinstance(teacher, FunctionTeacher):
            networks[TEACHER] = teacher
        for name, network in networks.items():
            self._grams.setdefault(name, []).append(grams_of(network, *self._patches).cpu())
        arrays = {name: torch.stack(each).numpy() for name, each in self._grams.items()}
        with unwritable(self.file), replacing(self.file) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **{STEPS: np.array(self._steps), **arrays})


@torch.no_grad()
def grams_of(network: Network, images: Tensor, labels: Tensor) -> Tensor:
    """Gram matrices ``(B, 2, D, D)`` of images ``(B, C, *space)`` with labels ``(B, *space)``, in eval mode."""
    training = network.training
    network.eval()
    try:
        embedding = network.features(images).embedding
        return image_grams(Graph.of(embedding, centre(labels, tuple(embedding.shape[2:])), offsets=()))
    finally:
        network.train(training)


def drift(grams: np.ndarray, lag: int) -> np.ndarray:
    """How far Gram matrices ``(T, B, D, D)`` are from those of ``lag`` records before, ``‖before − now‖ / ‖now‖``.

    Norms are Frobenius'; the result is ``(T - lag, B)``, that of an image whose Gram is zero is not a number.
    """
    before, now = grams[:-lag], grams[lag:]
    distance, norm = np.linalg.norm(before - now, axis=(-2, -1)), np.linalg.norm(now, axis=(-2, -1))
    return np.divide(distance, norm, out=np.full_like(distance, np.nan), where=norm > 0)


def read_grams(file: Path) -> Mapping[str, np.ndarray]:
    """The arrays of a file that `GramProbe` wrote, by name. Raises ``UserError`` where it cannot be read."""
    try:
        with np.load(file) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError, BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{file} cannot be read ({reason}), expected Gram matrices; remove its folder to train again"
        ) from error
