"""What a recipe costs, counted and not measured: parameters, and multiply-adds of all its training."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch

from segraft.networks import chosen_filters, complexity, create_network, dimensions
from segraft.paper.recipe import Recipe
from segraft.paper.tables import RECIPES
from segraft.settings import TrainSettings, required

CHANNELS = {"cvppp": 3}
"""Of data sets whose images have more than one."""
BACKWARD = 3
"""Forward and backward together, in forward passes: gradients of inputs and of weights cost about one each."""
PAPER = (544, 544)
"""Size of the image at which the paper counts multiply-adds in 2-D; it has three channels."""


class Cost(NamedTuple):
    """Parameters of the network, and multiply-adds of its training, the teacher's passes included."""

    params: int
    macs: float


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


def _of(settings: TrainSettings, patch: tuple[int, ...] | None = None) -> tuple[int, int]:
    """Parameters, and multiply-adds for one crop."""
    channels = CHANNELS.get(settings.dataset, 1)
    return _complexity(settings.network, settings.filters, settings.width, channels, patch or required(settings.patch))


@lru_cache
def _complexity(
    name: str, filters: tuple[int, ...] | None, width: int | None, channels: int, patch: tuple[int, ...]
) -> tuple[int, int]:
    with torch.device("meta"):
        network = create_network(name, channels, filters=chosen_filters(name, filters, width))
    assert len(patch) == dimensions(name)
    return complexity(network, (1, channels, *patch))
