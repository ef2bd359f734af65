"""What the page computes in JavaScript is what Python computes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from segraft.graphs.offsets import OFFSETS_2D
from segraft.images.normalisation import Normalisation
from segraft.images.reading import read_image
from segraft.images.windows import crop
from segraft.labels.measured_objects import columns, measure
from segraft.model.affinities import affinities
from segraft.model.config import PERCENTILES
from segraft.model.tiling import tiles
from segraft.segment import mutex_watershed
from segraft.types import Geometry
from shared.shipped import CROPS

Call = Callable[..., Any]
SEGMENT = """
const { mutexWatershed } = await modules("mutex"), { absorb } = await modules("fragments");
const all = Float32Array.from(affinities);
const labels = mutexWatershed(all, space, offsets, Uint8Array.from(foreground), settings);
absorb(labels, all, space, thickness, minimumSize);
return Array.from(labels);
"""
PADS = Geometry(2, 1, 3, stride=(8, 4), margin=(0, 0), minimum=(8, 4), halo=(16, 12))
SHRINKS = Geometry(2, 1, 3, stride=(4, 4), margin=(10, 10), minimum=(24, 24), halo=(0, 0))


def smooth(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Smoothed noise, of standard deviation about 1 and a mean of 0."""
    noise = np.random.default_rng(seed).normal(size=shape)
    return 7 * ndimage.gaussian_filter(noise, [0] * (len(shape) - 2) + [2, 2])


def assert_same_objects(found: np.ndarray, expected: np.ndarray) -> None:
    """The same labels, up to their numbers."""
    pairs = np.unique(np.stack([found.ravel(), expected.ravel()]), axis=1)
    assert pairs.shape[1] == len(np.unique(found)) == len(np.unique(expected))
    assert np.array_equal(found > 0, expected > 0)


IMAGES = {
    "nuclei": read_image(CROPS[0]),
    "16 bits": read_image(CROPS[1]).astype(np.uint16) * 190 + 300,
    "padded": np.pad(read_image(CROPS[0])[:100, :90] + 5, ((0, 0), (0, 70))),
    "few photons": np.random.default_rng(0).poisson(0.3, (70, 50)).astype(np.uint8),
    "noise": np.random.default_rng(0).normal(100, 5, (70, 50)),
    "one value": np.full((40, 33), 7.0),
    "one pixel": np.ones((1, 1)),
    "a line": np.arange(50.0)[None],
}


@pytest.mark.parametrize("percentiles", [None, PERCENTILES])
@pytest.mark.parametrize("name", IMAGES)
def test_grey_values_are_scaled_alike(site: Call, name: str, percentiles: tuple[float, float] | None) -> None:
    image = IMAGES[name]
    script = """
    const { normalised } = await modules("normalisation"), [height, width] = shape;
    const { pixels, signal } = normalised({ pixels: Float64Array.from(image), height, width }, percentiles);
    return [Array.from(pixels), signal];
    """
    given = {"image": image.ravel().tolist(), "shape": image.shape, "percentiles": percentiles}
    pixels, signal = site(script, **given)
    scale = Normalisation(percentiles, compressed=percentiles is None).scale(image[None])
    np.testing.assert_allclose(np.reshape(pixels, image.shape), scale(image[None])[0], rtol=1e-5, atol=1e-5)
    assert percentiles or signal == scale.signal


@pytest.mark.parametrize("seed", range(12))
def test_the_mutex_watershed_and_the_rule_for_fragments_give_the_same_objects(site: Call, seed: int) -> None:
    """With strides, a bias, any thickness and size, and affinities of which many are equal."""
    space = (40 + 3 * seed, 60 - 2 * seed)
    maps = (smooth(seed, (10, *space)) * 0.7 + 0.4).astype(np.float32)
    if seed % 3 == 2:
        maps = np.round(maps * 4) / 4
    foreground = smooth(seed + 100, space) > -0.4
    settings: dict[str, Any] = {"strides": (1 + seed % 2, 1 + seed % 3), "bias": (0.0, 0.1)[seed % 2]}
    thickness, minimum_size = (0.0, 2.0, 3.5)[seed % 3], (0, 10, 30)[seed // 3 % 3]
    expected = mutex_watershed(maps, OFFSETS_2D, foreground, thickness=thickness, minimum_size=minimum_size, **settings)
    found = site(
        SEGMENT,
        affinities=maps.ravel().tolist(),
        space=space,
        offsets=OFFSETS_2D,
        foreground=foreground.ravel().astype(int).tolist(),
        settings=settings,
        thickness=thickness,
        minimumSize=minimum_size,
    )
    assert expected.max() > 1
    assert_same_objects(np.reshape(found, space), expected)


@pytest.mark.parametrize("geometry", [PADS, SHRINKS], ids=["pads", "shrinks"])
@pytest.mark.parametrize(("size", "tile"), [(5, None), (61, None), (61, 16), (100, 30), (64, 64)])
def test_tiles_and_their_windows_are_the_same(site: Call, geometry: Geometry, size: int, tile: int | None) -> None:
    space = (size, size + 7)
    image = np.arange(size * (size + 7), dtype=np.float32).reshape(space)
    expected = list(tiles(space, None if tile is None else (tile, tile), geometry, OFFSETS_2D))
    script = """
    const { crop, tiles } = await modules("tiling"), length = space[0] * space[1];
    const pixels = Float32Array.from({ length }, (_, k) => k);
    return tiles(space, tile, geometry, offsets).map(tile => ({
      ...tile, pixels: Array.from(crop(pixels, space, tile.y.window, tile.x.window)),
    }));
    """
    sizes = {name: getattr(geometry, name) for name in ("stride", "margin", "minimum", "halo")}
    found = site(script, space=space, tile=tile, geometry=sizes, offsets=OFFSETS_2D)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for name, (y, x) in other._asdict().items():
            assert (one["y"][name], one["x"][name]) == ([y.start, y.stop], [x.start, x.stop])
        np.testing.assert_array_equal(one["pixels"], crop(image, other.window).ravel())


def test_affinities_of_tiles_are_those_of_the_whole_image(site: Call) -> None:
    space, offsets = (40, 50), (*OFFSETS_2D, (4, 0), (-3, 6))
    embedding = np.random.default_rng(0).normal(size=(3, *space)).astype(np.float32)
    embedding[:, 3, 4] = 0  # a vector without a direction
    script = """
    const { addAffinities } = await modules("affinities"), { tiles } = await modules("tiling");
    const planes = new Float32Array(offsets.length * 40 * 50), whole = Float32Array.from(embedding);
    for (const tile of tiles([40, 50], 16, geometry, offsets)) {
      const { y, x } = tile, part = [];
      for (let c = 0; c < 3; c++)
        for (let row = y.output[0]; row < y.output[1]; row++)
          for (let k = x.output[0]; k < x.output[1]; k++)
            part.push(row < 40 && k < 50 ? whole[(c * 40 + row) * 50 + k] : 9);
      addAffinities(planes, [40, 50], Float32Array.from(part), 3, offsets, tile);
    }
    return Array.from(planes);
    """
    sizes = {name: getattr(PADS, name) for name in ("stride", "margin", "minimum", "halo")}
    found = site(script, embedding=embedding.ravel().tolist(), geometry=sizes, offsets=offsets)
    np.testing.assert_allclose(np.reshape(found, (-1, *space)), affinities(embedding, offsets), atol=1e-6)


def test_the_table_has_the_columns_of_the_table_of_predict(site: Call) -> None:
    labels = np.zeros((12, 15), int)
    labels[2:5, 3:9], labels[6:, 10:], labels[11, 0] = 1, 2, 3
    script = """
    const { measured, table } = await modules("objects");
    return table(measured(Uint32Array.from(labels), 15, 3));
    """
    header, *rows = site(script, labels=labels.ravel().tolist()).splitlines()
    names = header.split(",")
    assert names == list(itertools.takewhile(lambda name: not name.startswith("equivalent"), columns(2)))
    for row, expected in zip(rows, measure(labels), strict=True):
        assert [float(value) for value in row.split(",")] == [expected[name] for name in names]


def test_no_object_gives_the_header_alone(site: Call) -> None:
    script = 'const { measured, table } = await modules("objects"); return table(measured(new Uint32Array(9), 3, 0));'
    assert site(script).splitlines() == ["id,area,centroid_y,centroid_x,min_y,min_x,max_y,max_x"]
