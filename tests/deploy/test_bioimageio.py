"""A bioimage.io package says what the model says, of every size, and describes itself; what differs is not kept."""

from __future__ import annotations

import io
import math
import re
import zipfile
from contextlib import nullcontext
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from PIL import Image

import segraft
from segraft.commands.packaging import cover, window_of
from segraft.data.shipped import NUCLEI
from segraft.deploy import bioimageio
from segraft.deploy.affinity_network import AffinityNetwork, cosines
from segraft.deploy.bioimageio import Example, nearest_percentiles
from segraft.deploy.onnx import traced
from segraft.deploy.package_readme import readme
from segraft.deploy.resource_description import OUTPUTS, Imprint, halo, smallest, title
from segraft.errors import UserError
from segraft.images.normalisation import Normalisation
from segraft.images.reading import read_image
from segraft.model.model import Model
from segraft.model.torch_runner import TorchRunner
from segraft.networks import create_network
from segraft.networks.contract import Network
from segraft.tensors import Output
from segraft.types import Geometry
from shared.exports import config, package_graph, write_package
from shared.models import a_config, lively
from shared.networks import SMALL_FILTERS
from shared.samples import row_of_cells

IMAGE = row_of_cells(2).image
SEPARATE = ((-1, 0), (0, -1), (-9, 0), (4, -27))


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a package, by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bioimageio, "traced", lambda *_: package_graph())
        path = write_package(tmp_path_factory.mktemp("package") / "model.zip", [IMAGE])
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def array(data: bytes) -> np.ndarray:
    return np.load(io.BytesIO(data))


@pytest.mark.parametrize("space", [(1, 1), (5, 40), (33, 64)])
def test_cosines_are_the_affinities(space: tuple[int, int]) -> None:
    """Also of windows that are smaller than the offsets are long, and of zero vectors."""
    embedding = torch.randn(2, 3, *space)
    embedding[:, :, 0] = 0
    expected = segraft.embedding_affinities(embedding, SEPARATE)
    torch.testing.assert_close(cosines(embedding, SEPARATE), expected, rtol=0, atol=1e-6)


def test_cosines_of_volumes() -> None:
    embedding = torch.randn(1, 4, 3, 10, 12)
    expected = segraft.embedding_affinities(embedding, segraft.OFFSETS_3D_LONG)
    torch.testing.assert_close(cosines(embedding, segraft.OFFSETS_3D_LONG), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("compressed", [False, True])
def test_grey_values_become_those_of_the_model(compressed: bool) -> None:
    class Same(Network):
        def forward(self, image: torch.Tensor) -> Output:
            self.seen = image
            return Output(image, image, ())

    image = torch.linspace(-2, 5, 64).reshape(1, 1, 8, 8)
    network = Same(lively().geometry, ())
    AffinityNetwork(network, SEPARATE, compressed)(image)
    scale = replace(Normalisation((0.0, 100.0), compressed).scale(image[0].numpy()), ranges=((0.0, 1.0),))
    np.testing.assert_allclose(network.seen[0].numpy(), scale(image[0].numpy()), rtol=1e-6)


@pytest.mark.parametrize("size", [(8, 8), (64, 24), (200, 64)])
def test_the_graph_takes_windows_of_all_sizes(package: dict[str, bytes], size: tuple[int, int]) -> None:
    """Smaller ones than the description allows, too."""
    network, told = lively(), config()
    image = np.random.default_rng(0).random((1, 1, *size)).astype(np.float32)
    session = onnxruntime.InferenceSession(package["weights.onnx"], providers=["CPUExecutionProvider"])
    affinities, foreground = session.run(OUTPUTS, {"image": image})
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(image))
    np.testing.assert_allclose(
        affinities, segraft.embedding_affinities(expected.embedding, told.offsets), rtol=0, atol=1e-4
    )
    np.testing.assert_allclose(foreground, expected.foreground.sigmoid(), rtol=0, atol=1e-4)


def test_the_example_is_what_the_model_says(package: dict[str, bytes]) -> None:
    """The test image is as stored; what is expected comes from the original by its own scaling."""
    told = yaml.safe_load(package["rdf.yaml"])
    kwargs = told["inputs"][0]["preprocessing"][0]["kwargs"]
    image = array(package["image.npy"])
    scale = Normalisation((kwargs["min_percentile"], kwargs["max_percentile"]), compressed=True)
    with torch.no_grad():
        expected = lively().eval()(torch.from_numpy(scale(image[0]))[None])
    affinities, foreground = (array(package[f"{name}.npy"]) for name in OUTPUTS)
    np.testing.assert_allclose(foreground, expected.foreground.sigmoid(), rtol=0, atol=1e-4)
    expected_affinities = segraft.embedding_affinities(expected.embedding, config().offsets)
    np.testing.assert_allclose(affinities, expected_affinities, rtol=0, atol=1e-4)
    assert affinities.dtype == foreground.dtype == image.dtype == np.float32


def test_the_description_fits_the_files(package: dict[str, bytes]) -> None:
    told = yaml.safe_load(package["rdf.yaml"])
    assert b"&id" not in package["rdf.yaml"]
    tensors = [each["test_tensor"] for each in (*told["inputs"], *told["outputs"])]
    for file in (*tensors, told["weights"]["onnx"]):
        assert sha256(package[file["source"]]).hexdigest() == file["sha256"]
    assert {told["documentation"], *told["covers"]} < set(package)
    assert [each["id"] for each in told["outputs"]] == ["affinities", "foreground"]
    shapes = [array(package[f"{name}.npy"]).shape for name in ("image", *OUTPUTS)]
    for each, shape in zip((*told["inputs"], *told["outputs"]), shapes, strict=True):
        assert [axis["type"] for axis in each["axes"]] == ["batch", "channel", "space", "space"]
        assert len(each["axes"][1]["channel_names"]) == shape[1]
    for axis, size in zip(told["inputs"][0]["axes"][2:], shapes[0][2:], strict=True):
        assert (size - axis["size"]["min"]) % axis["size"]["step"] == 0
        assert size >= axis["size"]["min"]
    assert told["outputs"][0]["axes"][1]["channel_names"][:3] == ["-1 0", "0 -1", "-3 0"]
    assert told["config"]["segraft"]["segmentation"]["minimum_size"] == 5
    assert (told["authors"], told["license"]) == ([{"name": "A. Body"}, {"name": "No Body"}], "CC-BY-4.0")


@pytest.mark.parametrize("name", ["resunet-tiny", "mobilenet", "mala-tiny"])
def test_tiles_meet_without_seams(name: str) -> None:
    """Those that the description allows are windows that the network takes, and more than the halo is left of each."""
    network = create_network(name, 1, 4, SMALL_FILTERS[name])
    told = a_config({"name": name, "dim": 4}, ndim=network.geometry.ndim)
    least, near = smallest(network.geometry, told), halo(network.geometry, told)
    network.geometry.check_input((1, 1, *least))
    for side, edge, lost, stride in zip(least, near, network.geometry.margin, network.geometry.stride, strict=True):
        assert edge % stride == 0
        assert side - 2 * lost - 2 * edge >= 1


def test_what_lies_further_than_the_halo_does_not_matter() -> None:
    network, told = lively().eval(), config()
    edge = halo(network.geometry, told)[0]
    size = smallest(network.geometry, told)[0] + 64
    image = torch.rand(1, 1, size, size)
    module = AffinityNetwork(network, told.offsets, compressed=True)
    with torch.no_grad():
        whole, part = module(image), module(image[..., 16:, 16:])
    for one, other in zip(whole, part, strict=True):
        inner = (slice(edge, other.shape[-1] - edge),) * 2
        torch.testing.assert_close(one[..., 16:, 16:][..., *inner], other[..., *inner], rtol=0, atol=1e-4)
    assert not torch.allclose(whole[1][..., 16:, 16:], part[1], atol=1e-3)


def test_the_readme_makes_the_labels(package: dict[str, bytes]) -> None:
    text = package["README.md"].decode()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names = {"affinities": array(package["affinities.npy"])[0], "foreground": array(package["foreground.npy"])[0, 0]}
    exec(code, names)
    assert names["labels"].max() > 1
    for words in ("By A. Body, No Body. Licence: CC-BY-4.0.", "dataset: grey", "steps: 3", "fewer than 5 pixels"):
        assert words in text
    assert "median over 1 images" in text
    assert "## Validation" in text
    assert "{" not in text.replace("settings={}", "")


def test_the_readme_of_a_model_with_percentiles_and_dense_tissue() -> None:
    told = a_config(
        {"name": "mala-tiny"},
        3,
        percentiles=(1.0, 99.8),
        segmentation={"segmenter": "waterz", "fill": True},
        voxel_size=(40.0, 4.0, 4.0),
        object_size=25.0,
        pixel_type="uint8",
        channels=(1,),
    )
    text = readme(told, (1.0, 99.8), 2, Imprint())
    for words in (
        "percentile 1 becomes 0,\npercentile 99.8 becomes 1",
        "segraft does the same",
        "authors are not stated",
        "licence is not stated",
        "40 × 4 × 4 nm",
        "objects: 25 pixels",
        "uint8",
        "those at 1 of the training images",
        "first 3 offsets lead to the nearest neighbours and attract, within",
        "grow, in plane",
    ):
        assert words in text
    assert "mutex" not in text


def test_nearest_percentiles_are_those_of_the_range() -> None:
    """Of real nuclei, of an image with another one of other light, and within what the format allows."""
    image = read_image(next((NUCLEI / "val" / "images").glob("*.png")))[None]
    low, high = nearest_percentiles([image, 3 * image.astype(np.uint16)])
    (ends,) = Normalisation().scale(image).ranges
    assert np.percentile(image, [low, high]) == pytest.approx(ends, rel=0.02, abs=1)
    assert 1 < low < 60 < high < 99.9
    for flat in (np.zeros((1, 40, 40)), np.ones((1, 40, 40), np.uint8)):
        low, high = nearest_percentiles([flat])
        assert 0 <= low < high <= 100
        assert high > 1


def test_pixel_sizes_are_stated_where_they_are_known(package: dict[str, bytes]) -> None:
    told = replace(config(), voxel_size=(500.0, 250.0), percentiles=(1.0, 99.0))
    values = bioimageio.description(lively().geometry, told, (1.0, 99.0), package, 20, Imprint())
    axes = values["outputs"][1]["axes"][2:]
    assert [(axis["id"], axis["unit"], axis["scale"]) for axis in axes] == [
        ("y", "nanometer", 500.0),
        ("x", "nanometer", 250.0),
    ]
    assert "license" not in values


@pytest.mark.parametrize("dataset", ["bbbc039", "Zellen (2024): ö/ß", "x" * 90, None])
def test_titles_have_letters_that_the_format_allows(dataset: str | None) -> None:
    name = title(replace(config(), training={"dataset": dataset} if dataset else {}))
    assert re.fullmatch(r"[A-Za-z0-9_+\- ()]{5,64}", name)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"authors": ("A", " ")}, "authors: got .* expected names"),
        ({"licence": "CC BY 4.0"}, "licence: got 'CC BY 4.0', expected an identifier of"),
        ({"licence": ""}, "licence: got '', expected"),
    ],
)
def test_imprints_that_cannot_be(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Imprint(**given)


def test_the_cover_shows_image_and_objects(package: dict[str, bytes]) -> None:
    with Image.open(io.BytesIO(package["cover.png"])) as picture:
        assert picture.size == (768, 384)
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    coloured = pixels.max(-1) - pixels.min(-1) > 60
    assert not coloured[:, :384].any()
    assert coloured[:, 384:].any()
    assert len(package["cover.png"]) < 500_000


def test_the_cover_of_a_volume_is_a_section() -> None:
    labels = np.zeros((4, 20, 30), np.uint32)
    labels[2, 5:15, 5:15] = 1
    image = np.random.default_rng(0).integers(0, 255, (1, 8, 24, 34)).astype(np.uint8)
    nothing = np.zeros((3, 4, 20, 30), np.float32)
    with Image.open(io.BytesIO(cover(Example(image, nothing, nothing[0], labels)))) as picture:
        assert picture.size == (120, 40)


def test_windows_of_small_and_large_images() -> None:
    model = Model(TorchRunner(lively()), config())
    for space in ((20, 31), (300, 900)):
        window = window_of(model, np.random.default_rng(0).random((1, *space)))
        assert window.shape == (1, 256, 256)


def test_what_differs_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bioimageio, "traced", lambda *_: package_graph())
    other = lively()
    other.embedding.bias.data += 1  # type: ignore[operator, union-attr]
    (tmp_path / "model.zip").write_bytes(b"before")
    with pytest.raises(UserError, match=r"differs from the original by .* expected at most 0\.001; nothing was kept"):
        write_package(tmp_path / "model.zip", [IMAGE], other)
    assert (tmp_path / "model.zip").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["model.zip"]


@pytest.mark.parametrize(("wrong", "kept"), [(0, True), (10, True), (11, False), (400, False)])
def test_few_cosines_may_differ(wrong: int, kept: bool) -> None:
    """One in ten thousand: that of a vector of hardly any length is rounding. No number is never one of them."""
    one = np.random.default_rng(0).random(100_000)
    other = one.copy()
    other[:wrong] += 0.5
    with nullcontext() if kept else pytest.raises(UserError, match=r"differs from the original by 0\.5"):
        assert bioimageio.compared([bioimageio._most(one, other)]) == 0
    other[50_000] = np.nan
    with pytest.raises(UserError, match="differs from the original by nan"):
        bioimageio.compared([bioimageio._most(one, other)])


@pytest.mark.slow
def test_volumes_by_networks_whose_windows_shrink() -> None:
    network = create_network("mala-tiny", 1, 4, SMALL_FILTERS["mala-tiny"]).eval()
    geometry: Geometry = network.geometry
    module = AffinityNetwork(network, segraft.OFFSETS_3D_LONG, compressed=True)
    graph = traced(module, geometry, OUTPUTS)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    for space in ((29, 214, 214), (33, 241, 260)):
        size = geometry.nearest_input(space, math.ceil)
        image = np.random.default_rng(0).normal(size=(1, 1, *size)).astype(np.float32)
        with torch.no_grad():
            expected = module(torch.from_numpy(image))
        for one, other in zip(expected, session.run(OUTPUTS, {"image": image}), strict=True):
            np.testing.assert_allclose(other, one.numpy(), rtol=0, atol=1e-4)
