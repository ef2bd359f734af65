"""Label images carry the pixel size of their image, whatever program states it, and other programs find it there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from conftest import discs
from segraft.commands.predict import predict
from segraft.images.reading import read_labels
from segraft.images.voxel_size import read_voxel_size
from segraft.model import checkpoint
from segraft.networks import create_network
from shared.models import a_config, lively

IMAGE = discs(1, 48, 4)[0]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    checkpoint.save(folder / "model.safetensors", lively(), a_config({"dim": 4, "filters": (2, 4, 8)}))
    return folder


@pytest.fixture(scope="module")
def of_volumes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, described = tmp_path_factory.mktemp("volumes"), {"name": "mala-tiny", "dim": 4, "filters": (3, 4, 5)}
    checkpoint.save(
        folder / "model.safetensors", create_network("mala-tiny", 1, 4, (3, 4, 5)), a_config(described, ndim=3)
    )
    return folder


def imagej(path: Path, array: np.ndarray, unit: str = "um", pixel: float = 0.5, **metadata: Any) -> None:
    axes = "ZYX"[3 - array.ndim :]
    described = {"axes": axes, "unit": unit, **metadata}
    tifffile.imwrite(path, array, imagej=True, resolution=(1 / pixel, 1 / pixel), metadata=described)


def ome(path: Path, array: np.ndarray) -> None:
    sizes = {f"PhysicalSize{axis}": size for axis, size in (("X", 0.5), ("Y", 500.0), ("Z", 2.0))}
    metadata = {"axes": "ZYX"[3 - array.ndim :], **sizes, "PhysicalSizeYUnit": "nm"}
    tifffile.imwrite(path, array, ome=True, photometric="minisblack", metadata=metadata)


def ome_zarr(path: Path, array: np.ndarray) -> None:
    group = zarr.open_group(path, mode="w")
    group.create_array("0", data=array)
    names = "zyx"[3 - array.ndim :]
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in names]
    scale = [{"type": "scale", "scale": [2.0, 0.5, 0.5][3 - array.ndim :]}]
    scales = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [scales]}


def plain(path: Path, array: np.ndarray, unit: str, per_unit: float) -> None:
    tifffile.imwrite(path, array, resolution=(per_unit, per_unit), resolutionunit=unit)


KINDS: dict[str, Callable[[Path], None]] = {
    "micron.tif": lambda path: imagej(path, IMAGE, "micron"),
    "um.tif": lambda path: imagej(path, IMAGE, "um"),
    "escaped.tif": lambda path: imagej(path, IMAGE, "\\u00B5m"),
    "nm.tif": lambda path: imagej(path, IMAGE, "nm", 500),
    "mm.tif": lambda path: imagej(path, IMAGE, "mm", 0.0005),
    "inch.tif": lambda path: imagej(path, IMAGE, "inch", 0.5 / 25400),
    "a.ome.tif": lambda path: ome(path, IMAGE),
    "a.zarr": lambda path: ome_zarr(path, IMAGE),
    "cm.tif": lambda path: plain(path, IMAGE, "CENTIMETER", 20_000),
    "dots.tif": lambda path: plain(path, IMAGE, "INCH", 50_800),
}
"""Images of half a micrometre a pixel, as programs write them."""


@pytest.mark.parametrize("kind", KINDS)
def test_labels_of_every_kind_of_image(run: Path, tmp_path: Path, kind: str) -> None:
    KINDS[kind](tmp_path / kind)
    assert predict(run, [tmp_path / kind], out=tmp_path / "out") == 0
    (path,) = (tmp_path / "out").iterdir()
    assert read_voxel_size(path) == pytest.approx((500, 500))
    assert read_voxel_size(path) == pytest.approx(read_voxel_size(tmp_path / kind))
    with tifffile.TiffFile(path) as tif:
        assert tif.imagej_metadata is not None
        assert tif.imagej_metadata["unit"] == "um"
        pixels, length = tif.pages.first.tags["XResolution"].value
        assert pixels / length == pytest.approx(2)
        assert tif.series[0].axes == "YX"
    assert read_labels(path).max() > 0


@pytest.mark.parametrize("format", ["tif", "h5", "zarr"])
def test_the_user_knows_better_than_the_file(run: Path, tmp_path: Path, format: str) -> None:
    imagej(tmp_path / "a.tif", IMAGE)
    tifffile.imwrite(tmp_path / "b.tif", IMAGE)
    images = [tmp_path / "a.tif", tmp_path / "b.tif"]
    assert predict(run, images, out=tmp_path / "out", format=format, voxel_size=(325.0, 250.0), scale=(1.0,)) == 0
    for name in "ab":
        assert read_voxel_size(tmp_path / "out" / f"{name}.{format}") == pytest.approx((325, 250))


def test_nothing_is_made_up(run: Path, tmp_path: Path) -> None:
    """No size, dots per inch, an unknown unit: labels that state no size."""
    tifffile.imwrite(tmp_path / "a.tif", IMAGE)
    plain(tmp_path / "b.tif", IMAGE, "INCH", 300)
    imagej(tmp_path / "c.tif", IMAGE, "pixel", 1)
    for format in ("tif", "h5", "zarr", "png"):
        assert predict(run, sorted(tmp_path.glob("*.tif")), out=tmp_path / format, format=format) == 0
        assert [read_voxel_size(path) for path in (tmp_path / format).iterdir()] == [None] * 3


def test_volumes_have_the_spacing_of_their_sections(of_volumes: Path, tmp_path: Path) -> None:
    imagej(tmp_path / "v.tif", np.stack([IMAGE[:16, :16]] * 2), spacing=2.0)
    for format in ("tif", "h5", "zarr"):
        assert predict(of_volumes, [tmp_path / "v.tif"], out=tmp_path / format, format=format) == 0
        assert read_voxel_size(tmp_path / format / f"v.{format}") == pytest.approx((2000, 500, 500))
    with tifffile.TiffFile(tmp_path / "tif" / "v.tif") as tif:
        assert tif.imagej_metadata is not None
        assert (tif.imagej_metadata["unit"], tif.imagej_metadata["spacing"]) == ("um", 2)
        assert tif.series[0].axes == "ZYX"
    with h5py.File(tmp_path / "h5" / "v.h5") as file:
        assert file["labels"].attrs["element_size_um"].tolist() == [2, 0.5, 0.5]
    attributes = zarr.open_group(tmp_path / "zarr" / "v.zarr", mode="r").attrs.asdict()
    (scales,) = attributes["ome"]["multiscales"]
    assert [(axis["name"], axis["unit"]) for axis in scales["axes"]] == [(name, "micrometer") for name in "zyx"]
    assert scales["datasets"][0]["path"] == "labels"


@pytest.mark.parametrize("format", ["tif", "h5", "zarr"])
def test_a_stack_has_the_user_s_pixels_and_the_file_s_spacing(run: Path, tmp_path: Path, format: str) -> None:
    imagej(tmp_path / "s.tif", np.stack([IMAGE] * 3), spacing=2.0)
    for size in (None, (325.0, 250.0)):
        scale = None if size is None else (1.0,)
        assert (
            predict(run, [tmp_path / "s.tif"], out=tmp_path / "out", format=format, voxel_size=size, scale=scale) == 0
        )
        assert read_voxel_size(tmp_path / "out" / f"s.{format}") == pytest.approx((2000, *(size or (500, 500))))


def test_the_summary_says_that_labels_look_black(
    run: Path, of_volumes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imagej(tmp_path / "a.tif", IMAGE)
    imagej(tmp_path / "v.tif", np.stack([IMAGE[:16, :16]] * 2))

    def last_line(model: Path, image: str, **options: Any) -> str:
        assert predict(model, [tmp_path / image], out=tmp_path / "out", **options) == 0
        return capsys.readouterr().out.splitlines()[-1]

    for format in ("tif", "png"):
        line = last_line(run, "a.tif", format=format)
        assert "look black in ordinary viewers" in line
        assert "--overlay" in line
    assert "napari" in (line := last_line(of_volumes, "v.tif"))
    assert "--overlay" not in line
    assert "black" not in last_line(run, "a.tif", overlay=True)
    assert "black" not in last_line(run, "a.tif", format="h5")
    assert "black" not in last_line(run, "a.tif", skip_existing=True)
