"""Stacks of sections: shapes and parts without the rest, ids beyond int64."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from segraft.errors import UserError
from segraft.images.sections import read_sections, signed, stack_shape

STACK = np.arange(5 * 4 * 3, dtype=np.uint16).reshape(5, 4, 3)


@pytest.fixture(params=["stack.h5", "stack.tif"])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    if path.suffix == ".tif":
        tifffile.imwrite(path, STACK, compression="zlib")
    else:
        with h5py.File(path, "w") as file:
            file["main"] = STACK
    return path


def test_part_of_a_stack(stack: Path) -> None:
    assert stack_shape(stack) == (5, 4, 3)
    np.testing.assert_array_equal(read_sections(stack, 1, 4), STACK[1:4])
    np.testing.assert_array_equal(read_sections(stack, 1, 4, labels=True), STACK[1:4])


def test_only_the_wanted_sections_of_an_h5_are_read(tmp_path: Path) -> None:
    """A section that cannot be decoded disturbs nobody who does not ask for it."""
    with h5py.File(tmp_path / "stack.h5", "w") as file:
        data = file.create_dataset("main", STACK.shape, STACK.dtype, chunks=(1, 4, 3), compression="gzip")
        data[...] = STACK
        data.id.write_direct_chunk((4, 0, 0), b"broken")
    np.testing.assert_array_equal(read_sections(tmp_path / "stack.h5", 0, 4), STACK[:4])
    with pytest.raises(UserError, match=r"stack\.h5 cannot be read"):
        read_sections(tmp_path / "stack.h5", 0, 5)


def test_ids_beyond_int64_are_unknown() -> None:
    ids = np.array([0, 1, 2**63 - 1, 2**63, 2**64 - 3, 2**64 - 1], np.uint64)
    assert signed(ids).tolist() == [0, 1, 2**63 - 1, -1, -1, -1]
    assert signed(ids).dtype == np.int64
    assert signed(ids.astype(np.uint32)).dtype == np.uint32


def test_what_is_no_stack_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "flat.tif", STACK[0])
    with pytest.raises(UserError, match=r"\(4, 3\).*\(z, y, x\)"):
        stack_shape(tmp_path / "flat.tif")
    with pytest.raises(UserError, match=r"absent\.h5 cannot be read"):
        stack_shape(tmp_path / "absent.h5")
    (tmp_path / "text.tif").write_text("no tif")
    with pytest.raises(UserError, match=r"text\.tif cannot be read"):
        stack_shape(tmp_path / "text.tif")
