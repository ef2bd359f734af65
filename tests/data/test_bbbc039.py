"""BBBC039: the layout of the archive, instances from a colouring, the real files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segraft.data.bbbc039 import bbbc039, image_files, instances
from segraft.errors import UserError
from segraft.images.writing import write_image


def field(root: Path, name: str, red: np.ndarray) -> None:
    """One image with its RGBA mask."""
    mask = np.zeros((*red.shape, 4), np.uint8)
    mask[..., 0], mask[..., 3] = red, 255
    write_image(root / "images" / f"{name}.tif", np.full(red.shape, 110, np.uint16))
    (root / "masks").mkdir(exist_ok=True)
    Image.fromarray(mask).save(root / "masks" / f"{name}.png")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Three fields, one a split."""
    red = np.array([[1, 1, 0, 2], [0, 2, 0, 2], [1, 0, 2, 0]])
    (tmp_path / "metadata").mkdir()
    for split, name in (("training", "A01"), ("validation", "B02"), ("test", "C03")):
        field(tmp_path, name, red)
        (tmp_path / "metadata" / f"{split}.txt").write_text(f"{name}.png\n\n")
    return tmp_path


def test_instances_are_eight_connected_components_of_equal_red() -> None:
    red = np.array([[1, 1, 0, 2], [0, 2, 0, 2], [1, 0, 2, 0]])
    mask = np.stack([red, red * 0, red * 0, red * 0 + 255], axis=-1).astype(np.uint8)
    labels = instances(mask)
    same = labels.ravel()[:, None] == labels.ravel()[None]
    expected = np.array([[1, 1, 0, 2], [0, 3, 0, 2], [4, 0, 2, 0]])  # (1, 3) and (2, 2) touch by a corner, as (1, 1)
    expected[1, 1] = 2
    np.testing.assert_array_equal(same, expected.ravel()[:, None] == expected.ravel()[None])
    assert labels[0, 2] == 0


def test_splits_name_their_fields(archive: Path) -> None:
    for split, name in (("train", "A01"), ("val", "B02"), ("test", "C03")):
        samples = bbbc039(archive, split)
        assert [sample.name for sample in samples] == [name]
        assert samples[0].image.shape == (1, 3, 4)
        assert samples[0].image.dtype == np.uint16
        assert samples[0].labels is not None
        assert samples[0].labels.max() == 3


def test_opening_reads_no_image(archive: Path) -> None:
    (archive / "images" / "A01.tif").write_bytes(b"broken")
    samples = bbbc039(archive, "train")
    assert len(samples) == 1
    with pytest.raises(UserError, match=r"A01\.tif"):
        samples[0]


def test_a_wrong_layout_is_answered_with_the_right_one(archive: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere.*metadata/"):
        bbbc039(archive / "nowhere", "train")
    with pytest.raises(UserError, match=r"metadata.*not found.*images\.zip"):
        bbbc039(archive / "images", "train")
    (archive / "masks" / "A01.png").unlink()
    with pytest.raises(UserError, match=r"A01\.png"):
        bbbc039(archive, "train")
    (archive / "metadata" / "test.txt").write_text("")
    with pytest.raises(UserError, match=r"test\.txt"):
        bbbc039(archive, "test")


def test_unknown_splits_are_answered_with_the_known_ones(archive: Path) -> None:
    with pytest.raises(UserError, match="train, val, test"):
        bbbc039(archive, "training")


def test_shapes_that_differ_are_refused(archive: Path) -> None:
    write_image(archive / "images" / "A01.tif", np.zeros((9, 9), np.uint16))
    with pytest.raises(UserError, match=r"\(9, 9\).*\(3, 4, 4\)"):
        bbbc039(archive, "train")[0]


def test_real_fields(real_data: Path) -> None:
    root = real_data / "bbbc039"
    assert [len(bbbc039(root, split)) for split in ("train", "val", "test")] == [100, 50, 50]
    sample = bbbc039(root, "test")[0]
    assert sample.image.shape == (1, 520, 696)
    assert sample.labels is not None
    assert sample.labels.shape == (520, 696)
    assert len(np.unique(sample.labels)) == sample.labels.max() + 1 > 50


@pytest.mark.slow
def test_all_objects_of_the_archive_are_found(real_data: Path) -> None:
    sizes = [
        np.bincount(sample.labels.ravel())[1:]
        for split in ("train", "val", "test")
        for sample in bbbc039(real_data / "bbbc039", split)
        if sample.labels is not None
    ]
    assert sum(map(len, sizes)) == 23_615
    assert int((np.concatenate(sizes) < 25).sum()) == 892
    assert sum(len(size) == 0 for size in sizes) == 3


def test_few_labelled_images_are_among_the_many(tmp_path: Path) -> None:
    (tmp_path / "metadata").mkdir()
    names = [f"A{k:02d}" for k in range(12)]
    for name in names:
        field(tmp_path, name, np.array([[1, 0]]))
    for split in ("training", "validation", "test"):
        (tmp_path / "metadata" / f"{split}.txt").write_text("".join(f"{name}.png\n" for name in names))
    few, more, others = (
        bbbc039(tmp_path, "train", labelled=count, seed=seed).items for count, seed in ((3, 0), (6, 0), (6, 1))
    )
    assert (len(few), len(more)) == (3, 6)
    assert set(few) < set(more) != set(others)
    assert list(more) == sorted(more)
    assert len(bbbc039(tmp_path, "val", labelled=3)) == len(bbbc039(tmp_path, "test", labelled=3)) == 12
    samples = bbbc039(tmp_path, "train", labelled=3)
    assert [path.name for path in image_files(tmp_path, samples)] == [f"{name}.tif" for name in samples.items]
    for count in (0, 13):
        with pytest.raises(UserError, match=f"labelled: got {count}, expected 1 to 12"):
            bbbc039(tmp_path, "train", labelled=count)
