"""Chunks of a zarr array that nobody wrote, which read as the fill value."""

from __future__ import annotations

import asyncio
from itertools import product
from typing import Any


def absent_chunks(array: Any, box: tuple[Any, ...]) -> int:
    """Return how many of a zarr array's stored chunks that a box touches, an index or a slice per axis, do not exist.

    Of a sharded array these are shards. No chunk is read.
    """
    from zarr.core.sync import sync  # a store at a URL answers in the loop of zarr's own thread alone

    sides = array.shards or array.chunks
    ranges = [_chunks(place, size, side) for place, size, side in zip(box, array.shape, sides, strict=True)]
    places = [array.store_path / array.metadata.encode_chunk_key(chunk) for chunk in product(*ranges)]

    async def count() -> int:
        return len(places) - sum(await asyncio.gather(*(place.exists() for place in places)))

    return sync(count())


def _chunks(place: Any, size: int, side: int) -> range:
    """The chunks of one axis that an index or a slice touches."""
    start, stop, _ = (place if isinstance(place, slice) else slice(place, place + 1)).indices(size)
    return range(start // side, -(-stop // side))
