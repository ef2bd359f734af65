"""How long a fresh network takes for an image of a given size."""

from __future__ import annotations

import time

import numpy as np

from segraft.errors import UserError


def forward_seconds(name: str, shape: tuple[int, ...], repeats: int, device: str = "auto") -> list[float]:
    """Seconds of each pass of a network with fresh weights over one image of noise ``(channels, *space)``.

    From NumPy to NumPy, as in prediction, without what comes before and after. A pass over the smallest image that the
    network takes comes first, and does not count. Raises ``UserError`` for no repeats or a device that is not there.
    """
    if repeats < 1:
        raise UserError(f"repeats: got {repeats}, expected 1 or more")
    from segraft.model.torch_runner import fresh

    runner = fresh(name, shape[0], device)
    image = np.random.default_rng(0).random(shape, np.float32)
    runner.run(image[(slice(None), *map(slice, runner.geometry.minimum))])
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        runner.run(image)
        seconds.append(time.perf_counter() - begun)
    return seconds
