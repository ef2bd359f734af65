"""Files of microscopes, by stand-ins for the libraries that read them: no real file is read here."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from segraft.errors import UserError
from segraft.images.reading import is_image, read_image, read_labels
from segraft.images.stacks import each_image, open_stack
from shared.messages import one_line

DATA = np.arange(2 * 3 * 5 * 6, dtype=np.uint16).reshape(2, 3, 5, 6)
"""Time, channels, y, x; the ND2 file has it at two positions."""


class StandIn:
    """An image, or a file, of which only ``sizes`` and ``asarray`` are there."""

    def __init__(self, sizes: dict[str, int], array: np.ndarray) -> None:
        self.sizes, self.array = sizes, array

    def asarray(self, position: int | None = None) -> np.ndarray:
        return self.array if position is None else self.array[:, position : position + 1]


class File(StandIn):
    """A file with two images: as scenes, as positions in the second axis, as a list."""

    def __init__(self, path: Path) -> None:
        super().__init__({"T": 2, "P": 2, "C": 3, "Y": 5, "X": 6}, np.stack([DATA, DATA + 1], 1))
        images = [StandIn({"T": 2, "C": 3, "Y": 5, "X": 6}, DATA + number) for number in range(2)]
        self.scenes, self.images = dict(enumerate(images)), images

    def __enter__(self) -> File:
        return self

    def __exit__(self, *_: Any) -> None:
        pass


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for the three libraries."""
    for name, opener in (("czifile", "CziFile"), ("nd2", "ND2File"), ("liffile", "LifFile")):
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        setattr(module, opener, File)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture(params=[".czi", ".nd2", ".lif"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / f"a{request.param}").touch()
    return tmp_path / f"a{request.param}"


@pytest.mark.usefixtures("installed")
def test_series_by_number(path: Path) -> None:
    assert is_image(path)
    assert [name for _, name in each_image(path)] == ["a_s0", "a_s1"]
    for number, (image, _) in enumerate(each_image(path)):
        np.testing.assert_array_equal(read_image(image), (DATA + number).swapaxes(0, 1))  # channels first
    with pytest.raises(UserError, match="2 images"):
        read_image(path)


@pytest.mark.usefixtures("installed")
def test_planes(path: Path) -> None:
    stack = open_stack(*each_image(path)[1], channels=1)
    assert stack is not None
    assert (stack.axes, stack.shape) == ("T", (2,))
    np.testing.assert_array_equal(np.stack(list(stack.planes())), DATA + 1)


@pytest.mark.usefixtures("installed")
def test_no_labels(path: Path) -> None:
    with pytest.raises(UserError, match="as labels"):
        read_labels(path)


def test_the_message_says_what_to_install(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("czifile", "nd2", "liffile"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr("segraft.images.microscopes.find_spec", lambda name: None)
    assert not is_image(path)
    with pytest.raises(UserError, match=r"pip install 'segraft\[formats\]'") as error:
        read_image(path)
    assert str(path) in one_line(error)


def test_files_of_zeiss_own_library(tmp_path: Path) -> None:
    """Where both are installed, which takes Python 3.12: one image of channels and planes, and one of two scenes."""
    pytest.importorskip("czifile")
    czi = pytest.importorskip("pylibCZIrw.czi")
    pixels = np.random.default_rng(0).integers(0, 4000, (2, 3, 40, 52)).astype(np.uint16)
    with czi.create_czi(str(tmp_path / "planes.czi")) as file:
        for channel, plane in np.ndindex(2, 3):
            file.write(data=pixels[channel, plane][..., None], plane={"C": channel, "Z": plane, "T": 0})
    with czi.create_czi(str(tmp_path / "scenes.czi")) as file:
        for scene in range(2):
            at = {"scene": scene, "location": (100 * scene, 0)}
            file.write(data=pixels[0, scene][..., None], plane={"C": 0, "Z": 0, "T": 0}, **at)
    assert np.array_equal(read_image(tmp_path / "planes.czi"), pixels)
    assert [np.array_equal(read_image(f"{tmp_path}/scenes.czi:{k}"), pixels[0, k]) for k in range(2)] == [True, True]
    with pytest.raises(UserError, match=r"got 2 images in one file, expected one; name it: .*:0 to"):
        read_image(tmp_path / "scenes.czi")
