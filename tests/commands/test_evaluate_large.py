"""``segraft evaluate`` on label images that are compared box by box."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segraft.cli import main
from segraft.commands import large_labels
from segraft.commands.evaluate import evaluate
from segraft.errors import UserError
from segraft.images import lazy
from segraft.images.writing import write_labels
from segraft.metrics import scoring
from segraft.metrics.protocols import PAPER, Protocol
from shared.messages import one_line


@pytest.fixture(autouse=True)
def _every_pair_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lazy, "LARGE", 0)
    monkeypatch.setattr(large_labels, "VOXELS", 700)


def volume(seed: int, kind: str = "int32", shape: tuple[int, ...] = (6, 20, 30)) -> np.ndarray:
    ids = np.random.default_rng(seed).integers(0, 9, [-(-size // 4) for size in shape])
    return np.kron(ids, np.ones([4] * len(shape), int))[tuple(map(slice, shape))].astype(kind)


def as_npy(path: Path, labels: np.ndarray) -> Path:
    np.save(path.with_suffix(".npy"), labels)
    return path.with_suffix(".npy")


def as_tif(path: Path, labels: np.ndarray) -> Path:
    tifffile.imwrite(path.with_suffix(".tif"), labels, compression="zlib", photometric="minisblack")
    return path.with_suffix(".tif")


def as_mapped_tif(path: Path, labels: np.ndarray) -> Path:
    tifffile.imwrite(path.with_suffix(".tif"), labels, photometric="miniswhite")
    return path.with_suffix(".tif")


def as_h5(path: Path, labels: np.ndarray) -> Path:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file["raw"] = np.zeros((4, 4))
        file.create_dataset("labels", data=labels, chunks=tuple(min(5, size) for size in labels.shape))
    return path.with_suffix(".h5")


def as_zarr(path: Path, labels: np.ndarray) -> Path:
    array = zarr.create_array(
        path.with_suffix(".zarr"), shape=labels.shape, dtype=labels.dtype, chunks=[4] * labels.ndim
    )
    array[...] = labels
    return path.with_suffix(".zarr")


def as_ome_zarr(path: Path, labels: np.ndarray) -> Path:
    write_labels(path.with_suffix(".zarr"), labels, "Z" if labels.ndim == 3 else "", (40.0, 4.0, 4.0))
    return path.with_suffix(".zarr")


WRITERS = (as_npy, as_tif, as_mapped_tif, as_h5, as_zarr, as_ome_zarr)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("shape", [(6, 20, 30), (33, 41)])
def test_scores_are_those_of_the_whole(
    write: Callable[[Path, np.ndarray], Path],
    shape: tuple[int, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    predicted, truth = volume(0, "uint16", shape), volume(1, "uint16", shape)
    files = write(tmp_path / "p", predicted), write(tmp_path / "t", truth)
    assert evaluate(*files) == {files[0].name: scoring.evaluate(predicted, truth)}
    assert "is compared box by box, for it is large" in capsys.readouterr().err


shapes = st.lists(st.integers(1, 13), min_size=2, max_size=3).map(tuple)
sides = st.tuples(*[st.integers(1, 8)] * 3)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shapes, sides, sides, st.integers(1, 400), st.sampled_from([1, 9, 2**53 + 3]), st.integers(0, 30), st.integers(0, 9)
)
def test_scores_do_not_depend_on_boxes_and_chunks(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    others: tuple[int, ...],
    voxels: int,
    factor: int,
    minimum: int,
    seed: int,
) -> None:
    monkeypatch.setattr(large_labels, "VOXELS", voxels)
    monkeypatch.setattr(large_labels, "PAIRS", 3)
    rng, folder = np.random.default_rng(seed), tmp_path_factory.mktemp("pair")
    predicted = rng.integers(-1, 5, shape) * factor
    truth = np.where(rng.random(shape) < 0.1, -1, rng.integers(0, 5, shape) * factor)
    predicted[predicted < 0] = -1
    for name, labels, stored in (("p", predicted, chunks), ("t", truth, others)):
        zarr.create_array(folder / f"{name}.zarr", data=labels, chunks=stored[: len(shape)])
    sources = large_labels.large_pair(folder / "p.zarr", folder / "t.zarr")
    assert sources is not None
    table = large_labels.contingency_by_boxes(*sources)
    for protocol in (PAPER, Protocol("small", True, minimum)):
        assert scoring.score_table(table, protocol) == scoring.evaluate(predicted, truth, protocol)


def test_memory_is_that_of_a_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = (64, 256, 256)
    monkeypatch.setattr(large_labels, "VOXELS", 2**16)
    for name in "pt":
        array = zarr.create_array(tmp_path / f"{name}.zarr", shape=shape, chunks=(8, 64, 64), dtype="u8")
        for z in range(0, 64, 8):
            array[z : z + 8] = np.broadcast_to(np.arange(256)[:, None] // 8 + 100 * (z // 16), (8, 256, 256))
    tracemalloc.start()
    evaluate(tmp_path / "p.zarr", tmp_path / "t.zarr")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.3 * 8 * np.prod(shape)


def test_pairs_that_are_small_or_no_stacks_are_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = as_npy(tmp_path / "p", volume(0)), as_npy(tmp_path / "t", volume(1))
    png = tmp_path / "t.png"
    assert large_labels.large_pair(*files) is not None
    assert large_labels.large_pair(files[0], png) is None
    monkeypatch.setattr(lazy, "LARGE", 2 * volume(0).nbytes)
    assert large_labels.large_pair(*files) is None


def negative(labels: np.ndarray) -> np.ndarray:
    labels[5, 19, 29] = -5
    return labels


def fraction(labels: np.ndarray) -> np.ndarray:
    labels = labels.astype(np.float32)
    labels[5, 19, 29] = 0.5
    return labels


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (negative, r"p\.npy and .*t\.npy: z 5:6, y 0:20, x 0:30: predicted labels: got the label -5"),
        (fraction, r"z 5:6, y 0:20, x 0:30: predicted labels: got float32 with 1 values such as 0\.5"),
        (lambda labels: labels[:, :9], r"got shape \(6, 9, 30\), expected that of the true labels, \(6, 20, 30\)"),
        (lambda labels: labels.astype(complex), r"p\.npy: got complex128, expected integers"),
        (lambda labels: labels[None, None] * np.ones((2, 2, 1, 1, 1), int), r"got shape \(2×2×6×20×30\)"),
        (lambda labels: np.zeros((20, 30, 3), np.uint8), "got a picture in colour"),
    ],
)
def test_what_is_no_label_image_is_one_line(
    spoil: Callable[[np.ndarray], np.ndarray], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = as_npy(tmp_path / "p", spoil(volume(0))), as_npy(tmp_path / "t", volume(1))
    with pytest.raises(UserError, match=message) as error:
        evaluate(*files)
    one_line(error)
    assert main(["evaluate", *map(str, files)]) == 2


def test_a_narrow_box_of_bytes_is_no_picture_in_colour(tmp_path: Path) -> None:
    predicted, truth = volume(0, "uint8", (20, 20, 19)), volume(1, "uint8", (20, 20, 19))
    files = []
    for name, labels in (("p", predicted), ("t", truth)):
        zarr.create_array(tmp_path / f"{name}.zarr", data=labels, chunks=(16, 16, 16))
        files.append(tmp_path / f"{name}.zarr")
    assert evaluate(*files) == {"p.zarr": scoring.evaluate(predicted, truth)}


def test_one_bad_pair_of_a_folder_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for (name, seed), folder in itertools.product((("a", 0), ("b", 5)), ("predicted", "truth")):
        (tmp_path / folder).mkdir(exist_ok=True)
        as_npy(tmp_path / folder / name, volume(seed + (folder == "truth")))
    as_npy(tmp_path / "predicted" / "b", negative(volume(5)))
    assert main(["evaluate", str(tmp_path / "predicted"), str(tmp_path / "truth")]) == 1
    assert "skipped" in capsys.readouterr().err
