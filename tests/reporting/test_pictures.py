"""Pictures of labels, errors and samples."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from segraft.model.model import Model
from segraft.networks import create_network
from segraft.reporting import pictures, view
from segraft.reporting.colours import DARK
from segraft.reporting.error_map import error_map
from segraft.reporting.pictures import EDGE, LEGEND, Picture, data_uri, error_colours, label_colours, picture
from segraft.reporting.view import computed_view
from segraft.types import Sample
from shared.models import a_model


def pixels(uri: str) -> np.ndarray:
    head, _, body = uri.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB"))


def model(in_channels: int = 1) -> Model:
    torch.manual_seed(0)
    network = create_network("resunet-tiny", in_channels, 8, filters=(2, 2, 4))
    return a_model(network.eval(), segmentation={"foreground_threshold": 0.0})


def drawn_picture(of: Sample, models: dict[str, Model], projections: dict | None = None) -> Picture:
    views = {name: computed_view(of, each) for name, each in models.items()}
    return picture(of, views, {} if projections is None else projections)


def sample(size: tuple[int, int] = (40, 48), channels: int = 1) -> Sample:
    rng = np.random.default_rng(0)
    labels = np.kron(np.arange(1, 21).reshape(4, 5), np.ones((20, 20), int))[: size[0], : size[1]]
    image = rng.integers(0, 4000, (channels, *size), dtype=np.uint16)
    return Sample(image, np.pad(labels, [(0, size[0] - len(labels)), (0, size[1] - labels.shape[1])]), "one")


def test_labels_have_colours_background_is_dark_and_touching_objects_have_an_edge() -> None:
    labels = np.array([[0, 1, 1, 2], [0, 1, 1, 2]])
    colours = label_colours(labels)
    assert colours.shape == (4, 8, 3)
    assert (colours[:, :2] == DARK).all()
    assert (colours[:, 5] == DARK).all()
    assert (colours[:, 2:5] != colours[0, 6]).any(-1).all()


def test_a_found_object_has_the_colour_of_the_true_one() -> None:
    truth = np.repeat([[0, 1, 2, 3]], 4, 0).repeat(4, 1)
    predicted = np.repeat([[0, 9, 4, 4]], 4, 0).repeat(4, 1)
    predicted[:, 12:14] = 0
    expected, drawn = label_colours(truth), label_colours(predicted, truth)
    assert (drawn[1, 10] == expected[1, 10]).all()
    assert (drawn[1, 18] == expected[1, 18]).all()  # 4 matches 2: 4 of 6 columns
    assert (drawn[1, 29] != expected[1, 29]).any()


def test_many_ids_and_unknown_pixels() -> None:
    labels = np.arange(-1, 70_000).reshape(1, -1)[:, :69_999]
    assert label_colours(labels).shape == (2, 139_998, 3)


def test_error_colours_are_those_of_the_legend() -> None:
    truth, predicted = np.array([[1, 1, 2, 2, 0, 0]]), np.array([[4, 5, 0, 0, 0, 6]])
    drawn = error_colours(error_map(predicted, truth), predicted)

    def hexes(y: int, x: int) -> str:
        return "#" + bytes(drawn[y, x, :3].tolist()).hex()

    assert hexes(0, 0) == LEGEND["split"]
    assert drawn[0, 1].tolist() == list(EDGE)
    assert hexes(0, 5) == LEGEND["missed"]
    assert drawn[0, 8, 3] == 0, "the background is the page's"
    assert (drawn[:, :8, 3] == 255).all()
    assert hexes(0, 11) == LEGEND["false"]


def test_data_uri_keeps_grey_and_few_colours() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert (pixels(data_uri(grey))[..., 0] == grey).all()
    colours = label_colours(np.arange(12).reshape(3, 4))
    assert (pixels(data_uri(colours)) == colours).all()


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_a_picture_of_a_sample(channels: int) -> None:
    projections: dict = {}
    drawn = drawn_picture(sample(channels=channels), {"one": model(channels), "two": model(channels)}, projections)
    assert drawn.size == "40 × 48"
    assert pixels(drawn.image).shape == (40, 48, 3)
    assert drawn.truth is not None
    assert [each["name"] for each in drawn.models] == ["one", "two"]
    assert drawn.models[0]["embedding"] == drawn.models[1]["embedding"]
    assert "split" in drawn.models[0]["counts"]
    assert list(projections) == [8]


def test_the_first_model_decides_the_colours() -> None:
    first, second = model(), model()
    with torch.no_grad():
        second.runner.network.embedding.weight.neg_()
        second.runner.network.embedding.bias.neg_()
    drawn = drawn_picture(sample(), {"first": first, "second": second})
    alone = drawn_picture(sample(), {"second": second})
    assert drawn.models[1]["embedding"] != alone.models[0]["embedding"]


def test_large_images_are_cut_and_unknown_truth_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(view.COMPUTED, 2, (64, 64))
    monkeypatch.setattr(view, "SHOWN", (32, 32))
    monkeypatch.setattr(pictures, "SHOWN", (32, 32))
    big = sample((100, 40))
    drawn = drawn_picture(Sample(big.image, None, "x"), {"one": model()})
    assert drawn.size == "32 × 32"
    assert drawn.truth is None
    assert "errors" not in drawn.models[0]
    assert pixels(drawn.models[0]["labels"]).shape == (64, 64, 3)
