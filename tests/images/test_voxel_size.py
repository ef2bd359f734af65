"""The voxel size from the metadata of each format."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from segraft.images.voxel_size import read_voxel_size

STACK = np.zeros((3, 5, 6), np.uint16)


def test_imagej(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    metadata = {"axes": "ZYX", "spacing": 2.0, "unit": "um"}
    tifffile.imwrite(path, STACK, imagej=True, metadata=metadata, resolution=(4.0, 2.0))
    assert read_voxel_size(path) == pytest.approx((2000, 500, 250))
    tifffile.imwrite(path, STACK[0], imagej=True, metadata={"unit": "\\u00B5m"}, resolution=(4.0, 2.0))
    assert read_voxel_size(path) == pytest.approx((500, 250))
    tifffile.imwrite(path, STACK[0], imagej=True, metadata={"unit": "pixel"}, resolution=(1.0, 1.0))
    assert read_voxel_size(path) is None


@pytest.mark.parametrize(
    ("unit", "nm"),
    [
        ("micron", 1e3),
        ("um", 1e3),
        ("nm", 1),
        ("mm", 1e6),
        ("cm", 1e7),
        ("inch", 2.54e7),
        ("\\u00C5", 0.1),
        (" um ", 1e3),
    ],
)
def test_units_of_imagej(tmp_path: Path, unit: str, nm: float) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK[0], imagej=True, metadata={"unit": unit}, resolution=(4.0, 2.0))
    assert read_voxel_size(tmp_path / "a.tif") == pytest.approx((0.5 * nm, 0.25 * nm))


def test_imagej_leaves_out_what_is_usual(tmp_path: Path) -> None:
    """A spacing of 1 and units of y and z that are those of x; negative spacings are written, too."""
    for metadata, size in (
        ({}, (1000, 500, 250)),
        ({"spacing": -2.5}, (2500, 500, 250)),
        ({"yunit": "mm", "zunit": "nm", "spacing": 40}, (40, 500_000, 250)),
    ):
        described = {"axes": "ZYX", "unit": "um", **metadata}
        tifffile.imwrite(tmp_path / "a.tif", STACK, imagej=True, metadata=described, resolution=(4.0, 2.0))
        assert read_voxel_size(tmp_path / "a.tif") == pytest.approx(size)


@pytest.mark.parametrize(
    ("unit", "per_unit", "nm"),
    [("CENTIMETER", 20_000, 500), ("INCH", 25_400, 1000), ("INCH", 2400, None), ("CENTIMETER", 118.11, None)],
)
def test_tags_of_resolution_finer_than_any_printer(
    tmp_path: Path, unit: str, per_unit: float, nm: float | None
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK[0], resolution=(per_unit, per_unit), resolutionunit=unit)
    assert read_voxel_size(tmp_path / "a.tif") == (None if nm is None else pytest.approx((nm, nm)))
    tifffile.imwrite(tmp_path / "a.tif", STACK[0], resolution=(per_unit, per_unit), resolutionunit="NONE")
    assert read_voxel_size(tmp_path / "a.tif") is None


def test_ome_tif(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    sizes = {"PhysicalSizeX": 0.1, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 200.0, "PhysicalSizeYUnit": "nm"}
    tifffile.imwrite(path, STACK, metadata={"axes": "ZYX", "PhysicalSizeZ": 1.5, **sizes})
    assert read_voxel_size(path) == pytest.approx((1500, 200, 100))
    tifffile.imwrite(path, STACK[0], metadata={"axes": "YX", **sizes})
    assert read_voxel_size(path) == pytest.approx((200, 100))
    tifffile.imwrite(path, STACK, metadata={"axes": "ZYX", **sizes})
    assert read_voxel_size(path) == pytest.approx((200, 100))


def test_h5(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("raw", data=STACK).attrs["element_size_um"] = (0.25, 0.075, 0.075)
        file.create_dataset("other", data=STACK).attrs["resolution"] = (40, 4, 4)
    assert read_voxel_size(path) == pytest.approx((250, 75, 75))
    assert read_voxel_size(f"{path}:other") == (40, 4, 4)


@pytest.mark.parametrize("key", [None, "deep"])
def test_ome_zarr(tmp_path: Path, key: str | None) -> None:
    axes = [{"name": "c", "type": "channel"}, *({"name": n, "type": "space", "unit": "micrometer"} for n in "yx")]
    levels = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 0.5, 0.25]}]}]
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group = group.create_group(key) if key else group
    group.attrs["multiscales"] = [{"axes": axes, "datasets": levels}]
    assert read_voxel_size(f"{tmp_path}/a.zarr" + (f":{key}" if key else "")) == (500, 250)


def test_levels_of_ome_zarr(tmp_path: Path) -> None:
    """By the key of the array; a scale of the whole pyramid is a factor; axes without unit are left out."""
    axes = [{"name": "t"}, {"name": "z", "type": "space"}]
    axes += [{"name": n, "type": "space", "unit": "nanometer"} for n in "yx"]
    levels = [
        {"path": name, "coordinateTransformations": [{"type": "scale", "scale": [1, 1, size, size]}]}
        for name, size in (("0", 2), ("1", 4))
    ]
    whole = [{"type": "scale", "scale": [60, 1, 3, 3]}]
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    for parent in (group, group.create_group("deep")):
        for name in "01":
            parent.create_array(name, data=STACK[None])
        parent.attrs["multiscales"] = [{"axes": axes, "datasets": levels, "coordinateTransformations": whole}]
    for key in ("", ":0", ":deep", ":deep/0"):
        assert read_voxel_size(f"{tmp_path}/a.zarr{key}") == (6, 6)
    assert read_voxel_size(f"{tmp_path}/a.zarr:1") == read_voxel_size(f"{tmp_path}/a.zarr:deep/1") == (12, 12)


def test_files_that_do_not_tell(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK[0], resolution=(72.0, 72.0))
    (tmp_path / "b.tif").write_bytes(b"broken")
    zarr.create_array(tmp_path / "c.zarr", data=STACK)
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file.create_dataset("raw", data=STACK).attrs["resolution"] = (0, 4, 4)
    for name in ("a.tif", "b.tif", "c.zarr", "d.h5", "e.png"):
        assert read_voxel_size(tmp_path / name) is None


def test_real_volume(real_data: Path) -> None:
    assert read_voxel_size(real_data / "fib25" / "training_sample2.h5") == (10, 10, 10)
