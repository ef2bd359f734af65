"""What a recipe costs, counted and not measured: parameters, multiply-adds of all its training, and its memory bank."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from segraft.networks import chosen_filters, complexity, create_network, dimensions
from segraft.paper.networks import NetworkRow
from segraft.paper.recipe import Recipe
from segraft.paper.tables import RECIPES
from segraft.settings import USUAL, DistillSettings, TrainSettings, required

CHANNELS = {"cvppp": 3}
"""Of data sets whose images have more than one."""
BACKWARD = 3
"""Forward and backward together, in forward passes: gradients of inputs and of weights cost about one each."""
PAPER = (544, 544)
"""Size of the image at which the paper counts multiply-adds in 2-D; it has three channels."""
FLOAT = 4
"""Bytes of a number."""


class Cost(NamedTuple):
    """Parameters of the network, and multiply-adds of its training, the teacher's passes included."""

    params: int
    macs: float


class BankMemory(NamedTuple):
    """Bytes of a memory bank: as it is here, two Gram matrices per image, and as published, with K embeddings."""

    ours: int
    published: int


def cost(recipe: Recipe) -> Cost:
    """Cost of a recipe's own training; its teacher's comes once, before."""
    settings = recipe.settings
    params, forward = _of(settings)
    helper = _of(RECIPES[recipe.teacher].settings, settings.patch)[1] if recipe.teacher else 0
    return Cost(params, float(settings.steps * required(settings.batch) * (BACKWARD * forward + helper)))


def size(recipe: Recipe) -> tuple[int, int]:
    """Parameters, and multiply-adds for one image of the size at which the paper counts them, 3 × 544 × 544."""
    settings = recipe.settings
    return _complexity(settings.network, settings.filters, settings.width, 3, PAPER)


def size_of(row: NetworkRow) -> tuple[int, int]:
    """Parameters and multiply-adds of a network of Table I, for one image."""
    return _complexity(row.network, None, None, row.shape[0], row.shape[1:])


def bank_memory(settings: TrainSettings) -> BankMemory | None:
    """Bytes that the memory bank of a student takes; None without one.

    The published bank holds the embeddings ``(D, *patch)`` of K images in float32, and their labels.
    """
    if not isinstance(settings, DistillSettings) or settings.method != "graph":
        return None
    dim, count = settings.dim or int(USUAL["dim"]), settings.bank_size
    pixels = math.prod(required(settings.patch))
    return BankMemory(count * 2 * dim * dim * FLOAT, count * (dim + 1) * pixels * FLOAT)


def _of(settings: TrainSettings, patch: tuple[int, ...] | None = None) -> tuple[int, int]:
    """Parameters, and multiply-adds for one crop."""
    channels = CHANNELS.get(settings.dataset, 1)
    return _complexity(settings.network, settings.filters, settings.width, channels, patch or required(settings.patch))


@lru_cache
def _complexity(
    name: str, filters: tuple[int, ...] | None, width: int | None, channels: int, patch: tuple[int, ...]
) -> tuple[int, int]:
    import torch  # which printing scores does without

    with torch.device("meta"):
        network = create_network(name, channels, filters=chosen_filters(name, filters, width))
    assert len(patch) == dimensions(name)
    return complexity(network, (1, channels, *patch))
