"""Names that an image and its label image share."""

from pathlib import Path

import pytest

from segraft.images.names import IMAGE_ENDING, image_stem, is_label_name, pair_name


@pytest.mark.parametrize(
    ("path", "stem"),
    [("b/a.tif", "a"), ("a.ome.tif", "a"), ("a.h5:raw", "a"), ("b/a.ome.zarr:0", "a"), ("a.b.png", "a.b"), ("a", "a")],
)
def test_a_stem_has_no_folder_key_and_suffix(path: str, stem: str) -> None:
    assert image_stem(path) == image_stem(Path(path)) == stem


@pytest.mark.parametrize("ending", ["_mask", "-masks", "_label", "_Labels", "_cp_masks", "_seg"])
def test_label_images_are_known_by_their_ending(ending: str) -> None:
    assert is_label_name(f"x{ending}")
    assert not is_label_name(f"x{ending}_1")
    assert pair_name(f"x{ending}") == pair_name(f"x_img{ending}") == "x"


def test_images_lose_their_endings() -> None:
    assert pair_name("x_raw") == pair_name("x_raw", IMAGE_ENDING) == "x"
    assert pair_name("x_img_raw", IMAGE_ENDING) == "x"
    assert pair_name("x_masks", IMAGE_ENDING) == "x_masks"
