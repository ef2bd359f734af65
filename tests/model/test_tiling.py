"""Tiles: each pixel once, and all that influences it in view."""

from __future__ import annotations

import math
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segraft.model.tiling import grid, scratch, tiles, within
from segraft.networks import NETWORKS, create_network, own_filters
from segraft.types import Geometry


@given(
    st.lists(st.tuples(st.integers(1, 300), st.sampled_from([1, 4, 16])), min_size=2, max_size=3),
    st.one_of(st.none(), st.integers(1, 320)),
    st.integers(0, 40),
)
def test_tiles_cover_an_image_once(axes: list[tuple[int, int]], tile: int | None, halo: int) -> None:
    """Of networks that pad their input."""
    space, strides = zip(*axes, strict=True)
    nothing = (0,) * len(space)
    geometry = Geometry(len(space), 1, 4, strides, nothing, strides, (halo,) * len(space))
    offsets = tuple(tuple(-k if a == b else 0 for b in range(len(space))) for k in (1, 9) for a in range(len(space)))
    if tile is not None:
        tile = max(tile, max(space) // 4)  # a few tiles are enough
    count = np.zeros(space, np.uint8)
    for part in tiles(space, None if tile is None else (tile,) * len(space), geometry, offsets):
        count[part.core] += 1
        assert part.output == part.window
        for core, context, _, window, size, stride in zip(*part, space, strides, strict=True):
            padded = math.ceil(size / stride) * stride
            assert tile is None or core.stop - core.start <= math.ceil(tile / stride) * stride
            assert window.start % stride == window.stop % stride == 0
            assert 0 <= window.start <= context.start <= core.start < core.stop <= context.stop <= window.stop <= padded
            assert context.start == max(0, core.start - 9)
            assert window.start == 0 or window.start <= context.start - halo
            assert window.stop == padded or window.stop >= context.stop + halo
    assert (count == 1).all()


@settings(max_examples=30)
@given(st.tuples(*[st.integers(1, 300)] * 3), st.one_of(st.none(), st.tuples(*[st.integers(40, 200)] * 3)))
def test_tiles_of_valid_convolutions(space: tuple[int, ...], tile: tuple[int, ...] | None) -> None:
    """The window is what the network needs for an output that begins on its grid and covers the context."""
    geometry = create_network("mala", filters=(2, 3, 4)).geometry
    count = np.zeros(space, np.uint8)
    for part in tiles(space, tile, geometry, ((-1, 0, 0), (0, 9, 0), (0, 0, -27))):
        count[part.core] += 1
        assert geometry.input_size(tuple(axis.stop - axis.start for axis in part.output)) == tuple(
            axis.stop - axis.start for axis in part.window
        )
        for core, context, output, window, stride, lost in zip(*part, geometry.stride, geometry.margin, strict=True):
            assert output.start % stride == 0
            assert output.start <= context.start <= core.start < core.stop <= context.stop <= output.stop
            assert (window.start, window.stop) == (output.start - lost, output.stop + lost)
    assert (count == 1).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_can_be_tiled(name: str) -> None:
    network = create_network(name, filters=tuple(range(2, 2 + len(own_filters(name)))))
    geometry = network.geometry
    for part in tiles((300,) * network.ndim, (100,) * network.ndim, geometry, ()):
        shape = tuple(axis.stop - axis.start for axis in part.window)
        assert geometry.input_size(tuple(axis.stop - axis.start for axis in part.output)) == shape


def test_the_grid_is_that_of_the_tiles() -> None:
    geometry = Geometry(2, 1, 4, (4, 4), (0, 0), (4, 4), (8, 8))
    rows, columns = grid((50, 70), (20, 20), geometry, ())
    pairs = [tuple(zip(row, column, strict=True)) for row in rows for column in columns]
    assert pairs == [tuple(part) for part in tiles((50, 70), (20, 20), geometry)]


def test_a_region_counted_from_its_frame() -> None:
    assert within((slice(5, 9), slice(7, 8)), (slice(3, 20), slice(7, 9))) == (slice(2, 6), slice(0, 1))


@pytest.mark.parametrize("shape", [(10, 5, 200), (12, 3, 40, 50)])
def test_stored_affinities_are_in_a_file_that_goes_away(shape: tuple[int, ...]) -> None:
    with scratch(shape, stored=True) as array:
        assert isinstance(array, h5py.Dataset)
        path = Path(array.file.filename)
        array[:] = 3.0
        assert path.exists()
        assert np.asarray(array[:, 1:2]).mean() == 3
    assert not path.exists()
    with scratch(shape, stored=False) as array:
        assert isinstance(array, np.ndarray)
        assert array.shape == shape
