"""A teacher that is a Python function: asked about each patch, it gives labels or an embedding."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from segraft.errors import UserError, out_of_memory
from segraft.labels.borders import widen_borders
from segraft.labels.check import check_labels
from segraft.networks.contract import centre
from segraft.tensors import Output
from segraft.training.patches import numbered
from segraft.types import Space

Function = Callable[[np.ndarray], Any]


class FunctionTeacher(nn.Module):
    """A function from an image ``(C, *space)``, float32, to labels ``(*space)`` or an embedding ``(D, *space)``.

    Which of both is known from a first ``trial``, an image ``(C, *space)`` as those to come. Every answer is checked.

    Parameters
    ----------
    name : of the function, ``module:function``; the module is in the current folder, or installed
    trial : image to ask about first
    border : as for the truth's labels, see `segraft.training.patches.Patches`

    Raises
    ------
    UserError : there is no such function, it fails on the trial, or gives something else
    """

    def __init__(self, name: str, trial: Tensor, border: int | None = None) -> None:
        super().__init__()
        self.name, self.border, self._function = name, border, load_function(name)
        self.dim: int | None = None
        """Channels of the embedding; None of a function that gives labels."""
        answer = self._checked(trial.numpy())
        self.dim = len(answer) if answer.ndim == trial.ndim else None
        self._digest = hashlib.sha256(answer.tobytes() + _source(name)).hexdigest()

    def extra_repr(self) -> str:
        """What tells it from other teachers: its name, what it made of the trial, and the file that it is in."""
        return f"{self.name}, border={self.border}, {self._digest}"

    def forward(self, images: Tensor, space: Space) -> Output | Tensor:
        """Ask about images ``(B, C, *patch)``; return labels ``(B, *space)`` or an output of their middle.

        Of the foreground it says nothing: its logits are 0.
        """
        answers = np.stack([self._alike(image) for image in images.cpu().numpy()])
        maps = centre(torch.from_numpy(answers), space).to(images.device)
        return maps if self.dim is None else Output(maps, maps.new_zeros((len(maps), 1, *space)))

    def shapes(self, space: Space) -> dict[str, tuple[int, ...]]:
        """Shapes of what it gives of one patch, by name."""
        return {"labels": space} if self.dim is None else {"embedding": (self.dim, *space), "foreground": (1, *space)}

    def _alike(self, image: np.ndarray) -> np.ndarray:
        """The answer to an image, which is of the kind that the trial had."""
        answer = self._checked(image)
        dim = len(answer) if answer.ndim == image.ndim else None
        if dim != self.dim:
            got, before = ("labels" if each is None else f"an embedding of dim {each}" for each in (dim, self.dim))
            raise UserError(f"teacher {self.name}: got {got}, expected {before} as before; let it give one of them")
        return answer

    def _checked(self, image: np.ndarray) -> np.ndarray:
        """The answer to an image ``(C, *space)``: labels ``(*space)`` int64 or an embedding ``(D, *space)`` float32."""
        asked = f"teacher {self.name}, asked about an image of shape {image.shape}"
        try:
            answer = np.asarray(self._function(np.array(image, np.float32, order="C")))
        except Exception as error:  # a user's function raises anything
            if out_of_memory(error):
                raise
            raise UserError(f"{asked}: got {_reason(error)}, expected labels or an embedding; correct it") from error
        space = image.shape[1:]
        if answer.shape == space:
            return self._labels(answer)
        if answer.shape[1:] != space or not len(answer) or answer.dtype.kind not in "fiu":
            raise UserError(
                f"{asked}: got {answer.dtype} of shape {answer.shape}, expected labels {space}, or an embedding "
                f"(dim, {', '.join(map(str, space))}) of numbers; correct it"
            )
        embedding = answer.astype(np.float32)
        if not np.isfinite(embedding).all():
            raise UserError(f"{asked}: got NaN or infinite numbers, expected finite ones; correct it")
        return embedding

    def _labels(self, answer: np.ndarray) -> np.ndarray:
        labels = check_labels(answer, f"teacher {self.name}")
        return numbered(labels if self.border is None else widen_borders(labels, self.border))


def load_function(name: str) -> Function:
    """Import ``module:function``; the current folder, where it may be, stays among those that modules come from."""
    module, _, attribute = name.partition(":")
    if (here := os.getcwd()) not in sys.path:
        sys.path.append(here)  # behind all others, so that no file of the user's takes the place of a library
    try:
        function = getattr(import_module(module), attribute)
    except Exception as error:  # modules may raise anything while they are imported
        raise UserError(
            f"teacher {name}: got {_reason(error)}, expected a function in {module}.py in {here}, or in an installed "
            "package; check the name"
        ) from error
    if not callable(function):
        raise UserError(
            f"teacher {name}: got {type(function).__name__}, expected a function of an image; check the name"
        )
    return function


def _source(name: str) -> bytes:
    """What the file of a function's module holds; nothing where there is no such file."""
    path = getattr(sys.modules[name.partition(":")[0]], "__file__", None)
    return Path(path).read_bytes() if path else b""


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")
