"""What training does about intensities as they come: wrong scales, debris, hot pixels, noise, and what it records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from segraft.commands.distill import distill
from segraft.commands.train import train
from segraft.data import DATASETS
from segraft.errors import Notice, UserError
from segraft.images.normalisation import Normalisation, SharedScale
from segraft.model import checkpoint, model_file
from segraft.networks import create_network
from segraft.run_folder import upgraded
from segraft.training.augment import DEBRIS, DEBRIS_PIECES, DEBRIS_SHARE, GAINS, HOT, HOT_SHARE, INTENSITY, blank
from segraft.training.patches import Patches
from segraft.types import Sample
from shared.models import a_config
from shared.runs import SETS, SMALL
from shared.samples import field

pytestmark = pytest.mark.usefixtures("without_reports")
SEEDS = range(20)
FLAT = np.full((2, 40, 50), 0.5, np.float32)


def drawn(name: str) -> list[np.ndarray]:
    return [INTENSITY[name](FLAT, np.random.default_rng(seed)) for seed in SEEDS]


def test_a_gain_is_a_wrong_scale_of_each_channel() -> None:
    gains = np.array([image / FLAT for image in drawn("gain")])
    assert (gains == gains[..., :1, :1]).all()
    assert (gains[:, 0] != gains[:, 1]).any()
    assert GAINS[0] <= gains.min() < 0.8
    assert 1.5 < gains.max() <= GAINS[1]


def test_hot_pixels_are_few_single_and_bright() -> None:
    for image in drawn("hot"):
        changed = image != FLAT
        assert (changed[0] == changed[1]).all()
        assert 1 <= changed[0].sum() <= max(1, round(HOT_SHARE[1] * changed[0].size))
        assert HOT[0] <= image[changed].min() <= image[changed].max() <= HOT[1]


def test_debris_is_flat_bright_and_small() -> None:
    shares = []
    for image in drawn("debris"):
        changed = (image != FLAT)[0]
        assert len(np.unique(image[:, changed])) <= DEBRIS_PIECES
        assert not changed.any() or DEBRIS[0] <= image[:, changed].min() <= image[:, changed].max() <= DEBRIS[1]
        shares.append(changed.mean())
    assert 0 < max(shares) <= 1.3 * DEBRIS_PIECES * DEBRIS_SHARE


def test_what_shows_nothing_is_noise_without_shape() -> None:
    images = [blank((1, 64, 64), np.random.default_rng(seed)) for seed in SEEDS]
    assert all(image.min() >= 0 and image.dtype == np.float32 for image in images)
    assert np.ptp([image.mean() for image in images]) > 0.2
    assert np.ptp([image.std() for image in images]) > 0.1
    halves = [abs(image[..., :32].mean() - image[..., 32:].mean()) for image in images]
    assert max(halves) < 0.1


def test_a_part_of_the_patches_is_blank_and_holds_no_object() -> None:
    sample = field(0)
    usual, mixed = (Patches([sample], Normalisation(), (32, 32), 0, blanks=share) for share in (0.0, 0.3))
    empty = [k for k in range(60) if not bool((mixed[k][1] > 0).any())]
    assert all(bool((usual[k][1] > 0).any()) for k in empty)
    assert 8 <= len(empty) <= 30
    for k in set(range(10)) - set(empty):
        assert all(bool((a == b).all()) for a, b in zip(usual[k], mixed[k], strict=True))


def test_a_model_records_the_range_of_its_training_images(tmp_path: Path) -> None:
    model = train("grey", out=tmp_path / "run", **SMALL)
    series = SharedScale(Normalisation())
    for sample in SETS["grey"]["train"]:
        series.add(np.asarray(sample.image))
    assert (model.config.ranges, model.config.pixel_type) == (series.scale().ranges, "uint16")


def test_images_of_different_types_have_no_range() -> None:
    sample = field(0)
    other = Sample(sample.image.astype(np.float32), sample.labels, "other")
    assert Patches([sample, other], Normalisation(), (16, 16), 0).scale() == {}


def test_a_student_sees_images_as_its_teacher(tmp_path: Path) -> None:
    for name, percentiles in (("old", (2.0, 99.0)), ("new", None)):
        train("grey", out=tmp_path / name, percentiles=percentiles, **SMALL)
        student = distill("grey", teacher=tmp_path / name, out=tmp_path / f"of-{name}", **SMALL)
        assert student.config.percentiles == percentiles


def test_pixel_sizes_that_differ_are_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fine, coarse = (
        Sample(field(n).image, field(n).labels, name, (size, size))
        for n, (name, size) in enumerate((("a", 100.0), ("b", 650.0)))
    )
    monkeypatch.setitem(DATASETS, "mixed", lambda root, split: (fine, coarse))
    train("mixed", out=tmp_path / "run", **SMALL)
    lines = [line for line in capsys.readouterr().err.splitlines() if "pixel sizes" in line]
    assert len(lines) == 1
    assert "100 × 100 nm (a), 650 × 650 nm (b)" in lines[0]
    assert "--voxel-size" in lines[0]


def test_a_run_of_before_goes_on_without_blanks(tmp_path: Path) -> None:
    train("grey", out=tmp_path / "run", **SMALL)
    recorded = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert recorded["blanks"] == 0.03
    del recorded["blanks"]
    assert upgraded(recorded)["blanks"] == 0.0
    assert upgraded({name: value for name, value in recorded.items() if name != "tune"})["tune"] is False
    assert "blanks" not in upgraded({"dataset": "grey", "intensity": ["noise"]})


@pytest.mark.parametrize("kind", ["init", "teacher"])
def test_pixels_of_another_size_than_the_models_are_told(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train("grey", out=tmp_path / "before", **SMALL)
    model_file.change(tmp_path / "before", voxel_size=(650.0, 650.0))
    fine = tuple(Sample(field(n).image, field(n).labels, f"{n}", (100.0, 100.0)) for n in range(2))
    monkeypatch.setitem(DATASETS, "fine", lambda root, split: fine)
    capsys.readouterr()
    (train if kind == "init" else distill)("fine", out=tmp_path / "run", **{kind: tmp_path / "before"}, **SMALL)
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "pixel sizes" in line)
    assert f"100 × 100 nm (0), 650 × 650 nm ({tmp_path / 'before'})" in line


def test_a_teacher_of_volumes_with_voxel_sizes_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = a_config({"name": "mala", "dim": 4, "filters": (4, 6, 8)}, ndim=3, voxel_size=(40.0, 4.0, 4.0))
    checkpoint.save(tmp_path / "deep.safetensors", create_network("mala", dim=4, filters=(4, 6, 8)), config)
    flat = tuple(Sample(field(n).image, field(n).labels, f"{n}", (100.0, 100.0)) for n in range(2))
    monkeypatch.setitem(DATASETS, "flat", lambda root, split: flat)
    with pytest.raises(UserError, match="ndim: got 3 of the teacher"):
        distill("flat", teacher=tmp_path / "deep.safetensors", out=tmp_path / "run", **SMALL)


def test_a_teachers_scale_comes_before_that_of_the_model_to_start_from(tmp_path: Path) -> None:
    train("grey", out=tmp_path / "old", percentiles=(2.0, 99.0), **SMALL)
    train("grey", out=tmp_path / "new", **SMALL)
    with pytest.warns(Notice, match=r"percentiles: 2 99 in place of none"):
        model = distill("grey", teacher=tmp_path / "old", init=tmp_path / "new", out=tmp_path / "run", **SMALL)
    assert model.config.percentiles == (2.0, 99.0)
