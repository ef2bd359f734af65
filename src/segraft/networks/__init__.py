"""Networks by name. Each maps an image to an embedding and a foreground.

What is known of them without their weights needs no PyTorch: it is imported where one is built or counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from segraft.errors import UserError, choose

if TYPE_CHECKING:
    from torch import nn

    from segraft.networks.contract import Network


@dataclass(frozen=True)
class Architecture:
    """A class of networks with its filters; called, it builds one with fresh weights."""

    home: str
    """Module and name of the class, ``resunet.ResUNet``."""
    ndim: int
    """Axes of space, 2 or 3, of its images."""
    filters: tuple[int, ...]
    """Its own filters per level."""
    further: tuple[tuple[str, Any], ...] = ()
    """Other arguments by name."""

    def __call__(self, **arguments: Any) -> Network:
        module, _, name = self.home.partition(".")
        build = getattr(import_module(f"segraft.networks.{module}"), name)
        return build(**{"filters": self.filters, **dict(self.further), **arguments})


PYRAMID = (1, 2, 4, 8, 16)
"""Filters of a network of width 1."""
NETWORKS: dict[str, Callable[..., Network]] = {
    "resunet": Architecture("resunet.ResUNet", 2, (32, 64, 179, 349, 680)),
    "resunet-tiny": Architecture("resunet.ResUNet", 2, tuple(4 * k for k in PYRAMID)),
    "resunet-swift": Architecture("resunet.SwiftResUNet", 2, tuple(4 * k for k in PYRAMID)),
    "nested-unet": Architecture("nested_unet.NestedUNet", 2, tuple(64 * k for k in PYRAMID)),
    "mobilenet": Architecture("mobilenet.MobileNet", 2, (32, 16, 24, 32, 64, 96, 160, 320, 1280)),
    "mala": Architecture("mala.MALA", 3, (12, 60, 300, 1500)),
    "mala-tiny": Architecture("mala.MALA", 3, (8, 16, 32, 64), (("wide_second", True),)),
}
EXTENTS: dict[int, tuple[int, ...]] = {2: (512, 512), 3: (64, 256, 256)}
"""Size of the result, by dimension, whose multiply-adds are counted where no other size is given."""
WITH_A_WIDTH = ("resunet", "resunet-tiny", "resunet-swift", "nested-unet")
"""Networks whose filters a width stands for."""


def dimensions(name: str) -> int:
    """Axes of space, 2 or 3, of the images of a network; ``UserError`` for an unknown name."""
    build: Any = choose("network", name, NETWORKS)
    return int(getattr(build, "func", build).ndim)  # users add classes, and parts of them


def own_filters(name: str) -> tuple[int, ...]:
    """Filters per level that a network has where no others are given."""
    build: Any = NETWORKS[name]
    return tuple(getattr(build, "keywords", {}).get("filters") or build.filters)


def create_network(
    name: str,
    in_channels: int = 1,
    dim: int = 16,
    filters: tuple[int, ...] | None = None,
    width: int | None = None,
) -> Network:
    """Build a network with fresh weights.

    Parameters
    ----------
    name : a key of ``NETWORKS``.
    in_channels : channels of the images.
    dim : channels of the embedding.
    filters : channels per level, in place of the named network's own; as many levels as there are numbers, two or more.
        For ``mobilenet`` nine: the first convolution, seven groups of blocks, the last convolution.
    width : short for ``filters = width × (1, 2, 4, 8, 16)``, as in the paper's Table VI; for ``WITH_A_WIDTH`` only.

    Raises
    ------
    UserError : the name is unknown, numbers are not positive, or filters do not fit the network
    """
    build = choose("network", name, NETWORKS)
    filters = chosen_filters(name, filters, width)
    if min((in_channels, dim, *(filters or (1,)))) < 1 or (filters is not None and len(filters) < 2):
        raise UserError(
            f"got in_channels {in_channels}, dim {dim}, filters {filters}; expected positive ones, two filters or more"
        )
    return build(in_channels=in_channels, dim=dim, **({"filters": tuple(filters)} if filters else {}))


def chosen_filters(name: str, filters: tuple[int, ...] | None, width: int | None) -> tuple[int, ...] | None:
    """Return the filters that a user chose by themselves or by a width; None for the network's own.

    Raises ``UserError`` for both at once, and for the width of a network that has none.
    """
    if width is None:
        return filters
    if filters is not None:
        raise UserError(f"got both width {width} and filters {filters}, expected one of them; omit the other")
    return pyramid(name, width)


def pyramid(name: str, width: int) -> tuple[int, ...]:
    """Return the filters that a width stands for; ``UserError`` for networks that have no width."""
    if name not in WITH_A_WIDTH:
        raise UserError(
            f"width: got {width} for {name}, expected none, for only {', '.join(WITH_A_WIDTH)} have one; omit it"
        )
    return tuple(width * k for k in PYRAMID)


def complexity(network: nn.Module, shape: tuple[int, ...]) -> tuple[int, int]:
    """Count parameters, and multiply-adds of convolutions for an input ``(batch, channels, *space)``, from shapes."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from segraft.networks.contract import skeleton

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        skeleton(network)(torch.empty(shape, device="meta"))
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2
