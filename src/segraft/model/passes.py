"""A runner taken over an image, tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from segraft.images.normalisation import Scale
from segraft.images.windows import Window
from segraft.model.runner import Runner
from segraft.model.tiling import Region, Tile, tiles, within
from segraft.types import Offsets, Space


def run_tiles(
    runner: Runner,
    cut: Callable[[Window], np.ndarray],
    space: Space,
    scale: Scale,
    tile: Space | None,
    offsets: Offsets,
    region: Region | None = None,
) -> Iterator[tuple[Tile, np.ndarray, np.ndarray]]:
    """Yield each tile, its embedding ``(D, *context)`` and its foreground logits ``(*core)``.

    ``cut`` gives any window ``(C, *window)`` of the image ``(C, *space)``, which may reach beyond it; of a ``region``
    only the tiles that cover it are computed.
    """
    for part in tiles(space, tile, runner.geometry, offsets, region):
        embedding, foreground = runner.run(scale(cut(part.window)))
        context, core = within(part.context, part.output), within(part.core, part.output)
        yield part, embedding[:, *context], foreground[core]
