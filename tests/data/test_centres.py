"""Large images in a folder, of which the centre alone is read."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

import segraft
from segraft.commands import report
from segraft.data import folder as of_folder
from segraft.data import open_dataset
from segraft.data.centres import centres
from segraft.errors import Notice, UserError
from segraft.images import lazy
from segraft.labels.relabel import components
from segraft.reporting import run_report
from segraft.types import Sample
from shared.messages import one_line
from shared.run_folders import make_run

AT_MOST = {2: (20, 30), 3: (4, 20, 20)}
VOLUME = np.random.default_rng(0).integers(0, 200, (9, 40, 50), dtype=np.uint8)
LABELS = np.kron(np.arange(10).reshape(2, 5), np.ones((20, 10), int)).astype(np.uint16)[None].repeat(9, 0)
BOX = (slice(2, 6), slice(10, 30), slice(15, 35))


@pytest.fixture(autouse=True)
def _all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "LARGE", 0)


def write(root: Path, image: np.ndarray = VOLUME, labels: np.ndarray = LABELS) -> None:
    for part, array in (("images", image), ("masks", labels)):
        (root / "test" / part).mkdir(parents=True)
        zarr.create_array(root / "test" / part / "brain.zarr", data=array, chunks=(3, *[16] * (array.ndim - 1)))


def never(*_: object) -> None:
    raise AssertionError("read whole")


def centre(root: Path, **options: object) -> Sample:
    samples = pickle.loads(pickle.dumps(centres(open_dataset("folder", root, "test", **options), AT_MOST)))
    with pytest.warns(Notice, match=r"brain is large, .* pixels: only its centre is looked at"):
        return samples[0]


def test_the_centre_is_that_of_the_whole_which_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    monkeypatch.setattr(of_folder, "read_image", never)
    sample = centre(tmp_path)
    assert sample.name == "brain (centre)"
    np.testing.assert_array_equal(sample.image, VOLUME[None][:, *BOX])
    assert sample.labels is not None
    np.testing.assert_array_equal(sample.labels, LABELS[BOX])


def test_channels_and_masks_are_as_in_the_whole(tmp_path: Path) -> None:
    image = np.stack([VOLUME[0]] * 6)
    image[4] = 7
    write(tmp_path, image, (LABELS[0] == 4).astype(np.uint8) + (LABELS[0] == 6))
    sample = centre(tmp_path, channels=(4,), masks="components")
    assert (sample.image.shape, sample.image.max()) == ((1, 20, 30), 7)
    whole = open_dataset("folder", tmp_path, "test", channels=(4,), masks="components")[0]
    np.testing.assert_array_equal(sample.labels, components(whole.labels[10:30, 10:40]))


def test_small_images_and_those_that_cannot_be_read_in_parts_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "cells"
    for part, array in (("images", VOLUME[0]), ("masks", LABELS[0])):
        (root / "test" / part).mkdir(parents=True)
        tifffile.imwrite(root / "test" / part / "a.tif", array)
    for number in (1, 2):
        (root / "test" / "masks" / "b").mkdir(exist_ok=True)
        tifffile.imwrite(root / "test" / "masks" / "b" / f"{number}.tif", (LABELS[0] == number).astype(np.uint8))
    tifffile.imwrite(root / "test" / "images" / "b.tif", VOLUME[1])
    samples = centres(open_dataset("folder", root, "test"), AT_MOST)
    assert samples[1].image.shape == (1, 40, 50)
    monkeypatch.setattr(lazy, "LARGE", 3 * 40 * 50)
    assert samples[0].image.shape == (1, 40, 50)
    assert centres((generated := open_dataset("synthetic", None, "test")), AT_MOST) is generated


@pytest.mark.filterwarnings("ignore::segraft.errors.Notice")
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda labels: labels[:, :30], r"got shapes \(9, 40, 50\) and \(9, 30, 50\), expected the same"),
        (lambda labels: -3 * labels.astype(int), r"brain\.zarr: got the label -\d+"),
    ],
)
def test_what_does_not_belong_together_is_one_line(
    spoil: Callable[[np.ndarray], np.ndarray], message: str, tmp_path: Path
) -> None:
    write(tmp_path, labels=spoil(LABELS))
    with pytest.raises(UserError, match=message) as error:
        centres(open_dataset("folder", tmp_path, "test"), AT_MOST)[0]
    one_line(error)


def test_reports_look_at_the_centre(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "run", dataset="folder", root=str(tmp_path / "a"))
    write(tmp_path / "a", np.tile(VOLUME, (1, 1, 8)), np.tile(LABELS, (1, 1, 8)))
    (tmp_path / "a" / "val").symlink_to(tmp_path / "a" / "test")
    monkeypatch.setattr(of_folder, "read_image", never)
    shown: list[Sample] = []

    def keep(*given: object, **options: object) -> Path:
        shown.extend(next(each for each in given if isinstance(each, list) and isinstance(each[0], Sample)))
        raise UserError("enough")

    monkeypatch.setattr(run_report, "write_report", keep)
    monkeypatch.setattr(report, "seen_by", lambda path, samples, *_: keep(samples))
    for looks in (lambda: run_report.write_run_report(run), lambda: segraft.report(run, out=tmp_path / "out")):
        with (
            pytest.warns(Notice, match="brain is large, 9 × 40 × 400 pixels"),
            pytest.raises(UserError, match="enough"),
        ):
            looks()
    assert [sample.image.shape for sample in shown] == [(1, 9, 40, 320)] * 2
