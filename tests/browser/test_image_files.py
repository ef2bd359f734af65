"""The page reads image files as Python does, and says in one line what it cannot read."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from segraft.images.reading import read_image, read_labels
from shared.shipped import CROPS

Call = Callable[..., Any]
READ = """
const { readImage } = await modules("images");
const bytes = Uint8Array.from(atob(file), letter => letter.charCodeAt(0));
try {
  const { pixels, width, height } = await readImage({ name, bytes });
  return { pixels: Array.from(pixels), shape: [height, width] };
} catch (error) {
  return { line: error.message, known: error.constructor.name };
}
"""
GREY = read_image(CROPS[0])[60:127, 40:141]
DEEP = GREY.astype(np.uint16) * 211 + 77
COLOURS = np.stack([GREY, GREY // 2, GREY], axis=-1)


def read(site: Call, path: Path) -> dict[str, Any]:
    return site(READ, file=base64.b64encode(path.read_bytes()).decode(), name=path.name)


def assert_read(site: Call, path: Path, expected: np.ndarray) -> None:
    found = read(site, path)
    assert "line" not in found, found["line"]
    np.testing.assert_array_equal(np.reshape(found["pixels"], found["shape"]), expected)


def opaque(*channels: np.ndarray) -> np.ndarray:
    return np.stack([*channels, np.full(GREY.shape, 255, np.uint8)], axis=-1)


PNGS = {
    "8 bits": Image.fromarray(GREY),
    "16 bits": Image.fromarray(DEEP),
    "1 bit": Image.fromarray(GREY > 30),
    "grey and alpha": Image.fromarray(opaque(GREY), "LA"),
    "grey in colours": Image.fromarray(np.stack([GREY] * 3, axis=-1)),
    "colours and alpha": Image.fromarray(opaque(GREY, GREY, GREY)),
    "a palette of greys": Image.fromarray(GREY).quantize(16),
    "one pixel": Image.fromarray(GREY[:1, :1]),
}


@pytest.mark.parametrize("name", PNGS)
def test_pngs(site: Call, tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.png"
    PNGS[name].save(path)
    stored = read_image(path)
    stored = np.uint8(255) * stored if stored.dtype == bool else stored  # whatever the numbers of black and white are
    assert_read(site, path, stored if stored.ndim == 2 else stored[..., 0])


@pytest.mark.parametrize("bits", [2, 4])
def test_pngs_of_few_bits(site: Call, tmp_path: Path, bits: int) -> None:
    path = tmp_path / "a.png"
    values = (GREY >> 8 - bits).astype(np.uint8)
    padded = np.pad(values, ((0, 0), (0, -values.shape[1] % (8 // bits))))
    packed = sum(padded[:, k :: 8 // bits].astype(int) << 8 - bits * (k + 1) for k in range(8 // bits))
    path.write_bytes(png(values.shape, bits, [np.asarray(packed, np.uint8)]))
    assert_read(site, path, read_image(path))


def test_interlaced_pngs(site: Call, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    steps = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    for image in (GREY, GREY[:3, :2]):
        passes = [image[top::down, left::across] for top, left, down, across in steps]
        path.write_bytes(png(image.shape, 8, passes, interlaced=1))
        assert np.array_equal(read_image(path), image)
        assert_read(site, path, image)


def png(shape: tuple[int, ...], bits: int, passes: list[np.ndarray], interlaced: int = 0) -> bytes:
    """A png of rows of bytes, without filters."""
    rows = b"".join(b"\0" + row.tobytes() for part in passes if part.size for row in part)
    header = struct.pack(">IIBBBBB", shape[1], shape[0], bits, 0, 0, 0, interlaced)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


TIFS: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
    "8 bits": (GREY, {}),
    "16 bits": (DEEP, {}),
    "float": (GREY / np.float32(7), {}),
    "LZW": (DEEP, {"compression": "lzw"}),
    "LZW of differences": (DEEP, {"compression": "lzw", "predictor": 2}),
    "LZW, a strip": (np.tile(DEEP, (4, 4)), {"compression": "lzw", "rowsperstrip": 10**4}),
    "Deflate": (GREY, {"compression": "zlib"}),
    "Deflate of differences": (DEEP, {"compression": "zlib", "predictor": 2, "rowsperstrip": 7}),
    "other strips": (DEEP, {"rowsperstrip": 10}),
    "big-endian": (DEEP, {"byteorder": ">"}),
    "big-endian differences": (DEEP, {"byteorder": ">", "compression": "lzw", "predictor": 2}),
    "tiles": (DEEP, {"tile": (16, 32)}),
    "tiles of differences": (GREY, {"tile": (32, 16), "compression": "lzw", "predictor": 2}),
    "white is 0": (GREY, {"photometric": "miniswhite"}),
    "ImageJ": (DEEP, {"imagej": True}),
    "grey in colours": (np.stack([GREY] * 3, axis=-1), {"photometric": "rgb"}),
    "grey in planes": (np.stack([GREY] * 3), {"photometric": "rgb", "planarconfig": "separate", "compression": "zlib"}),
}


@pytest.mark.parametrize("name", TIFS)
def test_tifs(site: Call, tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.tif"
    array, options = TIFS[name]
    tifffile.imwrite(path, array, **options)
    stored = read_image(path)
    assert_read(site, path, stored if stored.ndim == 2 else stored[..., 0] if stored.shape[-1] == 3 else stored[0])


def test_reduced_copies_are_left_out(site: Call, tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as tif:
        tif.write(DEEP)
        tif.write(DEEP[::2, ::2], subfiletype=1)
    assert_read(site, path, DEEP)


def test_jpgs(site: Call, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(GREY).save(path, quality=92)
    found = read(site, path)
    difference = np.reshape(found["pixels"], found["shape"]) - read_image(path).astype(int)
    assert abs(difference).max() <= 2


def tif(array: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


def saved(picture: Image.Image, kind: str = "png") -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()


WHOLE = saved(Image.fromarray(GREY))
REFUSED = {
    "text": (b"this is no image", "it is in no known format, expected png, jpg or tif"),
    "nothing": (b"", "it is in no known format"),
    "colours": (saved(Image.fromarray(COLOURS)), "got colours, expected grey, as in training; save one channel"),
    "colours, tif": (tif(COLOURS, photometric="rgb"), "got colours, expected grey"),
    "colours, jpg": (saved(Image.fromarray(COLOURS), "jpeg"), "got colours, expected grey"),
    "two channels": (saved(Image.fromarray(np.stack([GREY, GREY // 2], -1), "LA")), "got 2 channels, expected grey"),
    "a stack": (tif(np.stack([GREY] * 5), photometric="minisblack"), "got a stack of 5 planes, expected a single"),
    "cut short": (WHOLE[:-200], "cannot be read (cut short)"),
    "cut short in its header": (WHOLE[:20], "cannot be read (cut short)"),
    "a flipped bit": (WHOLE[:300] + bytes([WHOLE[300] ^ 1]) + WHOLE[301:], "cannot be read (wrong checksum)"),
    "tif, cut short": (tif(DEEP)[:-300], "cannot be read (cut short)"),
    "tif, cut in its header": (tif(DEEP)[:30], "cannot be read ("),
    "tif of Deflate, damaged": (tif(DEEP, compression="zlib")[:-60] + b"x" * 60, "cannot be read ("),
    "tif, other compression": (
        tif(GREY, compression="packbits"),
        "got compression 32773, expected none, LZW or Deflate",
    ),
    "tif of 1 bit": (tif(GREY > 3), "got pixels of 1 bits"),
    "NaN": (tif(np.full((9, 9), np.nan, np.float32)), "got pixels that are no finite numbers"),
    "jpg, cut short": (saved(Image.fromarray(GREY), "jpeg")[:90], "cannot be read ("),
    "too large": (png((60000, 60000), 8, []), "got 60000 × 60000 pixels, expected at most 16.777216 million"),
    "no pixels": (png((0, 5), 8, []), "got 5 × 0 pixels, expected at least one"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_told_in_one_line(site: Call, tmp_path: Path, name: str) -> None:
    data, reason = REFUSED[name]
    path = tmp_path / "cells.xyz"
    path.write_bytes(data)
    found = read(site, path)
    assert found["known"] == "Refused"
    assert found["line"].startswith("cells.xyz")
    assert reason in found["line"]
    assert "\n" not in found["line"]


def test_labels_are_written_as_numbers(site: Call, tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 65536, (23, 41))
    script = """
    const { writePng } = await modules("png"), blob = await writePng(Uint32Array.from(labels), 41, 23);
    return Array.from(new Uint8Array(await blob.arrayBuffer()));
    """
    (tmp_path / "a.png").write_bytes(bytes(site(script, labels=labels.ravel().tolist())))
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), labels)
