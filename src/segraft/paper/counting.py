"""Multiply-adds of Table I as the paper seems to count them: not of convolutions only.

One for every value that convolutions add a bias to, that is activated, enlarged or added up in pooling, and two for
every value that is normalised. That gives the published numbers within 0.5 % for all six networks, MALA's and
MobileNet's within 0.03 %; ``docs/differences.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from segraft.networks import complexity, create_network
from segraft.paper.networks import NetworkRow
from segraft.settings import USUAL

CLASSES = 1000
"""Outputs of the paper's MobileNet, and of its classifier, which is not used."""


@cache
def counted(row: NetworkRow) -> tuple[int, int]:
    """Parameters and multiply-adds of a network of Table I for one image, counted as published."""
    classes = row.network == "mobilenet"
    with torch.device("meta"):
        network = create_network(row.network, row.shape[0], CLASSES if classes else int(USUAL["dim"])).eval()
    shape = (1, *row.shape)
    params, macs = complexity(network, shape)
    with torch.no_grad(), _Counter() as counter:
        network(torch.empty(shape, device="meta"))
    if not classes:
        return params, macs + sum(counter.of.values())
    features = network.filters[-1]
    return params + (features + 1) * CLASSES, macs + sum(counter.of.values()) - counter.of["upsample_bilinear2d"]


class _Counter(TorchDispatchMode):
    """Counts by the name of an operation; what is not in ``COUNTS`` costs nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.of: dict[str, int] = dict.fromkeys(COUNTS, 0)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.partition("::")[2]
        if name in COUNTS:
            self.of[name] += COUNTS[name](args, result if isinstance(result, Tensor) else result[0])
        return result


def _outputs(arguments: tuple[Any, ...], result: Tensor) -> int:
    return result.numel()


def _inputs(arguments: tuple[Any, ...], result: Tensor) -> int:
    return arguments[0].numel()


COUNTS: dict[str, Callable[[tuple[Any, ...], Tensor], int]] = {
    "convolution": lambda arguments, result: result.numel() if arguments[2] is not None else 0,
    "native_batch_norm": lambda arguments, result: 2 * result.numel(),
    "relu": _outputs,
    "leaky_relu": _outputs,
    "hardtanh": _outputs,
    "upsample_bilinear2d": _outputs,
    "max_pool2d_with_indices": _inputs,
    "max_pool3d_with_indices": _inputs,
}
