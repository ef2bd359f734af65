"""What is particular to one format; round trips are in test_writing, refusals in test_reading."""

import logging
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from segraft.errors import UserError
from segraft.images.formats import choose_key, container_keys, read_tif, write_into_zarr, write_tif
from segraft.images.reading import read_image

VOLUME = np.arange(6 * 40 * 50, dtype=np.uint32).reshape(6, 40, 50)


@pytest.mark.parametrize(
    ("keys", "wanted", "labels", "chosen"),
    [
        (["a", "raw", "label"], None, False, "raw"),
        (["a", "raw", "label"], None, True, "label"),
        (["a", "raw", "label"], "/a", True, "a"),
        (["volumes/raw", "volumes/labels/neuron_ids"], None, False, "volumes/raw"),
        (["volumes/raw", "volumes/labels/neuron_ids"], None, True, "volumes/labels/neuron_ids"),
        (["only"], None, True, "only"),
    ],
)
def test_the_key_is_the_wanted_the_usual_or_the_only_one(
    keys: list[str], wanted: str | None, labels: bool, chosen: str
) -> None:
    assert choose_key(Path("v.h5"), keys, wanted, labels) == chosen


@pytest.mark.parametrize(("keys", "wanted"), [([], None), (["a", "b"], None), (["a"], "b"), ([], "b")])
def test_no_clear_key_is_answered_with_the_held_ones(keys: list[str], wanted: str | None) -> None:
    with pytest.raises(UserError, match=r"v\.h5") as error:
        choose_key(Path("v.h5"), keys, wanted, labels=False)
    assert all(key in str(error.value) for key in keys)


def test_consolidated_metadata_learn_of_a_new_array(tmp_path: Path) -> None:
    path = tmp_path / "v.zarr"
    zarr.open_group(path, mode="w", zarr_format=2).create_array("raw", data=VOLUME)
    zarr.consolidate_metadata(path)
    write_into_zarr(VOLUME, path, "labels")
    assert container_keys(path) == ["labels", "raw"]
    np.testing.assert_array_equal(zarr.open_group(path, mode="r", use_consolidated=True)["labels"][...], VOLUME)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95, 0.999])
def test_stacks_cut_short_are_not_read_as_shorter_ones(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "v.tif"
    write_tif(path, VOLUME, path, "")
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(UserError, match=r"v\.tif"):
        read_image(path)


def test_a_broken_tif_raises_and_logs_nothing_more(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tifffile.imwrite(tmp_path / "v.tif", VOLUME[0])
    (tmp_path / "v.tif").write_bytes((tmp_path / "v.tif").read_bytes()[:200])
    assert logging.getLogger("tifffile").handlers
    with pytest.raises(ValueError, match="failed to read"):
        read_tif(tmp_path / "v.tif", None, labels=False)
    assert capfd.readouterr().err == ""
