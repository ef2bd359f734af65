"""Processes that train together, and what they exchange; without others each function gives what it is given.

A *rank* is one of these processes. Each has its own part of every batch, and their gradients are averaged. That average
is the gradient of the whole batch where each rank's loss is its `share` of every mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

Item = TypeVar("Item")


def count() -> int:
    """Processes that train together, 1 for a process alone."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def number() -> int:
    """This process among them, from 0."""
    return distributed.get_rank() if count() > 1 else 0


def summed(values: Tensor) -> Tensor:
    """The sum over ranks of values of any shape, such as counts; no gradient passes."""
    if count() == 1:
        return values
    total = values.detach().clone()
    distributed.all_reduce(total)
    return total


def averaged(values: Mapping[str, Tensor]) -> dict[str, float]:
    """Means over ranks of scalars by name."""
    if not values:
        return {}
    means = summed(torch.stack([value.detach().float() for value in values.values()])) / count()
    return dict(zip(values, means.tolist(), strict=True))


def share(total: Tensor, counted: Tensor) -> Tensor:
    """A rank's share of a mean: its ``total`` by the number that was ``counted`` on all ranks.

    Such that the mean over ranks of the shares is the mean over all; 0 where nothing was counted.
    """
    return total * count() / counted.clamp_min(1)


def gathered(values: Tensor) -> Tensor:
    """The rows ``(B, ...)`` of all ranks in their order, ``(ranks · B, ...)``; no gradient passes."""
    if count() == 1:
        return values
    parts = [torch.empty_like(values, memory_format=torch.contiguous_format) for _ in range(count())]
    distributed.all_gather(parts, values.detach().contiguous())
    return torch.cat(parts)


def joined(rows: Tensor) -> Tensor:
    """The rows ``(B, ...)`` of all ranks, of which this rank's own have a gradient, as many times as there are ranks.

    So the mean over ranks of the gradients of a loss of all rows is that loss's gradient. Ranks have as many rows each.
    """
    if count() == 1:
        return rows
    parts = list(gathered(rows).split(len(rows)))
    own = rows.detach()
    parts[number()] = own + count() * (rows - own)
    return torch.cat(parts)


def dealt(items: Sequence[Item]) -> Sequence[Item]:
    """This rank's part of items that all ranks know, dealt like cards."""
    return items[number() :: count()]


def merged(own: Mapping[int, Item]) -> dict[int, Item]:
    """What all ranks have by number, in the order of the numbers, on every rank."""
    parts: list[Any] = [own]
    if count() > 1:
        parts = [None] * count()
        distributed.all_gather_object(parts, dict(own))
    everything = {key: item for part in parts for key, item in part.items()}
    return dict(sorted(everything.items()))


def copy_buffers(module: nn.Module) -> None:
    """Give every rank the first one's buffers, which are those that are saved: statistics of batch normalisation."""
    if count() > 1:
        for buffer in module.buffers():
            distributed.broadcast(buffer, 0)
