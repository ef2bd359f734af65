"""Sample data of the plugin: real nuclei that come with the package (BBBC039, CC0)."""

from __future__ import annotations

from segraft.data.shipped import NUCLEI
from segraft.images.reading import read_image
from segraft.napari.files import Layer

FEW, MANY = "IXMtest_B24_s9_w18C4FE0DD-12CA-4711-9722.png", "IXMtest_M23_s8_w118BC311D-A998-4161-8256.png"
"""Files of a sparse and of a crowded image; neither the model that comes with them nor its teacher learnt of them."""


def few() -> list[Layer]:
    """Nuclei that lie apart."""
    return _layers("nuclei apart", FEW)


def many() -> list[Layer]:
    """Nuclei that touch."""
    return _layers("nuclei that touch", MANY)


def _layers(name: str, file: str) -> list[Layer]:
    return [(read_image(NUCLEI / "test" / "images" / file), {"name": name}, "image")]
