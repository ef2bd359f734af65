"""Names that nobody knows, values and configurations that cannot be: one line that helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.commands import SHORT, Capture, call, files, refused

TRAIN = ("train", "folder", "--root", "CELLS", "--out", "OUT", *SHORT)
UNKNOWN: dict[tuple[object, ...], str] = {
    ("nope",): "predict",
    ("predict", "MODEL", "--nope", 1): "--nope",
    ("predict", "MODEL", "image.tif", "--out", "OUT", "--format", "tiff"): "known: tif, png, h5, zarr",
    ("predict", "MODEL", "--dataset", "bbbc39", "--root", ".", "--out", "OUT"): "did you mean 'bbbc039'",
    ("predict", "MODEL", "--dataset", "synthetic", "--split", "tset", "--out", "OUT"): "did you mean 'test'",
    ("predict", "MODEL", "image.tif", "--out", "OUT", "--device", "gpu"): "cpu",
    ("predict", "MODEL", "image.tif", "--out", "OUT", "--foreground", "true"): "truth",
    ("evaluate", "image.tif", "--dataset", "nope"): "known: ac34",
    ("benchmark", "resnet"): "resunet-tiny",
    ("train", "nope", "--out", "OUT"): "known: ac34, bbbc010, bbbc039",
    (*TRAIN, "--network", "unet"): "did you mean 'resunet'",
    (*TRAIN, "--optimizer", "sgd"): "adamw",
    (*TRAIN, "--schedule", "step"): "cosine",
    (*TRAIN, "--precision", "half"): "bfloat16",
    (*TRAIN, "--monitor", "accuracy"): "aji",
    (*TRAIN, "--geometry", "flop"): "did you mean 'flip'",
    (*TRAIN, "--intensity", "flip"): "gamma",
    (*TRAIN, "--background", "none"): "separate",
    (*TRAIN, "--weights.nope", 1): "known: affinity",
    ("distill", *TRAIN[1:], "--teacher", "MODEL", "--method", "grahp"): "did you mean 'graph'",
    ("distill", *TRAIN[1:], "--teacher", "MODEL", "--student", "tiny"): "resunet-tiny",
}


def put(tokens: tuple[object, ...], **places: Path) -> list[object]:
    """Tokens with paths in place of their names."""
    return [places.get(str(token), token) for token in tokens]


@pytest.mark.parametrize("tokens", UNKNOWN, ids=lambda tokens: " ".join(map(str, tokens)))
def test_unknown_names_are_answered_with_the_known_ones(
    tokens: tuple[object, ...], model: Path, pairs: Path, tmp_path: Path, capfd: Capture
) -> None:
    refused(capfd, UNKNOWN[tokens], *put(tokens, MODEL=model, CELLS=pairs, OUT=tmp_path / "out"))
    assert not files(tmp_path)


VALUES: dict[tuple[object, ...], str] = {
    (): "",
    ("train",): "out",
    ("train", "synthetic"): "out",
    ("predict", "MODEL", "image.tif"): "--out",
    (*TRAIN, "--steps", "many"): "--steps",
    (*TRAIN, "--steps", 0): "steps",
    (*TRAIN, "--rate", "nan"): "rate",
    (*TRAIN, "--patch", 16): "patch",
    (*TRAIN, "--patch", 0, 0): "patch",
    (*TRAIN, "--patch", 8, 8, 8): "patch",
    (*TRAIN, "--betas", 1, 2): "betas",
    (*TRAIN, "--width", 0): "width",
    (*TRAIN, "--percentiles", 80, 20): "percentiles",
    (*TRAIN, "--channels", 3): "channels",
    (*TRAIN, "--channels"): "channels",
    (*TRAIN, "--options.density", 1): "'density'; it has: ndim",
    (*TRAIN, "--options.ndim", "flat"): "ndim",
    (*TRAIN, "--options", 3): "--options",
    ("predict", "MODEL", "image.tif", "--options.seed", 1, "--out", "OUT"): "--dataset",
    ("evaluate", "a.tif", "b.tif", "--options.seed", 1): "--dataset",
    (*TRAIN, "--weights.affinity", "x"): "--weights.affinity",
    (*TRAIN, "--weights", 3): "--weights",
    (*TRAIN, "--init", "nowhere"): "nowhere",
    (*TRAIN, "--init", "MODEL", "--network", "mobilenet"): "resunet-tiny",
    (*TRAIN, "--config", "nowhere"): "nowhere",
    (*TRAIN, "--resume"): "nothing to resume",
    ("distill", *TRAIN[1:]): "teacher",
    ("distill", *TRAIN[1:], "--teacher", "nowhere"): "nowhere",
    ("distill", *TRAIN[1:], "--teacher", "MODEL"): "dim",
    ("evaluate", "a.tif"): "truth",
    ("evaluate", "a.tif", "b.tif", "--dataset", "synthetic"): "truth",
    ("evaluate", "a.tif", "b.tif", "--root", "."): "--dataset",
    ("benchmark", "resunet-tiny", "--repeats", 0): "repeats",
    ("benchmark", "resunet-tiny", "--size", 0, 10): "size",
}


@pytest.mark.parametrize("tokens", VALUES, ids=lambda tokens: " ".join(map(str, tokens)))
def test_values_that_cannot_be(
    tokens: tuple[object, ...], model: Path, pairs: Path, tmp_path: Path, capfd: Capture
) -> None:
    if not tokens:
        assert call(capfd) == (0, [])  # the help
        return
    refused(capfd, VALUES[tokens], *put(tokens, MODEL=model, CELLS=pairs, OUT=tmp_path / "out"))
    assert not files(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("just words", "settings"),
        ("- a\n- list", "settings"),
        ("stepps: 10", "did you mean 'steps'"),
        ("steps: many", "steps"),
        ("steps: [1, 2]", "steps"),
        ("betas: 0.9", "betas"),
        ("weights: 3", "weights"),
        ("a: b: c: {", "config.yaml"),
        ("\x00", "config.yaml"),
    ],
)
def test_a_configuration_that_cannot_be(text: str, words: str, tmp_path: Path, capfd: Capture) -> None:
    (tmp_path / "config.yaml").write_text(text)
    refused(capfd, words, "train", "synthetic", "--config", tmp_path / "config.yaml", "--out", tmp_path / "out")
    assert files(tmp_path) == ["config.yaml"]
