"""CREMI: the keys of the files, sections by split, ids that nobody gave, a real volume."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from segraft.data.cremi import cremi
from segraft.errors import UserError

RAW, NEURONS = "volumes/raw", "volumes/labels/neuron_ids"


def volume(path: Path, sections: int = 125, resolution: tuple[float, ...] | None = (40, 4, 4)) -> Path:
    """A file as CREMI's, 4 × 5 pixels a section; ids from 1000, with one voxel that nobody annotated."""
    rng = np.random.default_rng(sections)
    with h5py.File(path, "w") as file:
        file[RAW] = rng.integers(0, 256, (sections, 4, 5), np.uint8)
        ids = rng.integers(0, 3, (sections, 4, 5)).astype(np.uint64) * 1000
        ids[0, 0, 0] = 2**64 - 3
        file[NEURONS] = ids
        file["volumes/labels/clefts"] = np.full((sections, 4, 5), 2**64 - 1, np.uint64)
        if resolution:
            file[RAW].attrs["resolution"] = resolution
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The three annotated volumes among others of the challenge."""
    for name in ("A", "B", "C", "A_padded", "A+"):
        volume(tmp_path / f"sample_{name}_20160501.hdf")
    return tmp_path


@pytest.mark.parametrize(("split", "begin", "end"), [("train", 0, 50), ("val", 50, 75), ("test", 75, 125)])
def test_125_sections_are_split_along_z(folder: Path, split: str, begin: int, end: int) -> None:
    samples = cremi(folder, split)
    assert [sample.name for sample in samples] == [f"sample_{s}_20160501_z{begin:03d}-{end:03d}" for s in "ABC"]
    with h5py.File(folder / "sample_B_20160501.hdf") as file:
        image, ids = file[RAW][begin:end], file[NEURONS][begin:end]
    sample = samples[1]
    np.testing.assert_array_equal(sample.image, image[None])
    assert sample.image.dtype == np.uint8
    assert sample.voxel_size == (40, 4, 4)
    assert sample.labels is not None
    assert sample.labels.dtype == np.int64
    for value in np.unique(ids):
        expected = -1 if value > 2**63 else int(value)
        np.testing.assert_array_equal(sample.labels[ids == value], expected)


def test_one_sample_of_the_three(folder: Path) -> None:
    assert [sample.name for sample in cremi(folder, "val", sample="C")] == ["sample_C_20160501_z050-075"]
    (folder / "sample_C_20160501.hdf").unlink()
    assert len(cremi(folder, "val")) == 2
    with pytest.raises(UserError, match=r"no CREMI sample \(C\).*download"):
        cremi(folder, "val", sample="C")
    with pytest.raises(UserError, match="known: A, B, C, all"):
        cremi(folder, "val", sample="D")


def test_other_volumes_with_these_keys(tmp_path: Path) -> None:
    file = volume(tmp_path / "mine.h5", 10, None)
    for root in (tmp_path, file):
        assert [len(cremi(root, split)[0].image[0]) for split in ("train", "val", "test")] == [4, 2, 4]
    assert cremi(file, "val")[0].voxel_size is None


def test_opening_reads_no_section(folder: Path) -> None:
    path = folder / "sample_A_20160501.hdf"
    with h5py.File(path, "r+") as file:
        del file[RAW]
        file.create_dataset(RAW, (125, 4, 5), np.uint8, chunks=(1, 4, 5), compression="gzip")[...] = 1
        for section in range(75):
            file[RAW].id.write_direct_chunk((section, 0, 0), b"broken")
    assert len(cremi(folder, "train")) == 3
    with pytest.raises(UserError, match=r"sample_A_20160501\.hdf"):
        cremi(folder, "train", sample="A")[0]
    assert cremi(folder, "test", sample="A")[0].image.min() == 1, "the other sections are not touched"


def test_mistakes_are_answered(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not exist.*root"):
        cremi(tmp_path / "nowhere", "train")
    with pytest.raises(UserError, match=r"no CREMI sample \(all\)"):
        cremi(tmp_path, "train")
    with pytest.raises(UserError, match="train, val, test"):
        cremi(tmp_path, "training")
    (tmp_path / "text.h5").write_text("no h5")
    with pytest.raises(UserError, match=r"text\.h5 cannot be read"):
        cremi(tmp_path, "train")
    path = volume(tmp_path / "text.h5", 2)
    with pytest.raises(UserError, match="2 sections, too few for a val split"):
        cremi(path, "val")
    with h5py.File(path, "r+") as file:
        del file[NEURONS]
    with pytest.raises(UserError, match=f"has no {NEURONS}"):
        cremi(path, "train")
    with h5py.File(path, "r+") as file:
        file[NEURONS] = np.zeros((2, 4, 4), np.uint64)
    with pytest.raises(UserError, match=r"\(2, 4, 5\).*\(2, 4, 4\)"):
        cremi(path, "train")


def test_a_real_volume_in_these_keys(real_data: Path) -> None:
    root = real_data / "fib25"
    assert [part.end - part.begin for split in ("train", "val", "test") for part in cremi(root, split).items] == [
        100,
        50,
        100,
    ]
    sample = cremi(root / "training_sample2.h5", "val")[0]
    with h5py.File(root / "training_sample2.h5") as file:
        np.testing.assert_array_equal(sample.image[0], file[RAW][100:150])
        np.testing.assert_array_equal(sample.labels, file[NEURONS][100:150])
    assert sample.voxel_size == (10, 10, 10)
