"""The metadata of ONNX files, read and replaced without a library, beside the library itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from segraft.errors import UserError
from segraft.model import onnx_file
from segraft.model.config import FORMAT
from segraft.model.multilinear import Multilinear
from segraft.model.onnx_file import CONFIG, NETWORK, Known, with_metadata
from segraft.types import Geometry
from shared.models import a_config

SOME = Path("some.onnx")
KNOWN = Known(
    Geometry(ndim=2, in_channels=1, dim=4, stride=(4, 4), margin=(0, 0), minimum=(4, 4), halo=(8, 8)),
    12,
    Multilinear((4, 4), (8, 8), (1, 2, 2, 4)),
    Multilinear((4, 4), (8, 8), (10, 20, 20, 40)),
)
TEXTS = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=20), st.text(st.characters(codec="utf-8"), max_size=300)
)


def model(metadata: dict[str, str] | None = None) -> bytes:
    """A model that adds an image to itself."""
    axes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "n"]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "twice", axes[:1], axes[1:])
    made = helper.make_model(graph, producer_name="by hand", model_version=300)
    helper.set_model_props(made, metadata or {})
    return made.SerializeToString()


def entries(**changes: Any) -> dict[str, str]:
    """Metadata as an export has them."""
    config = a_config({"name": "resunet-tiny", "dim": 4}).to_dict() | changes
    return {CONFIG: json.dumps(config), NETWORK: KNOWN.to_text()}


@given(TEXTS, TEXTS)
def test_entries_are_replaced_and_all_else_stays(before: dict[str, str], added: dict[str, str]) -> None:
    data = model(before)
    found = onnx.load_from_string(with_metadata(SOME, data, added))
    assert {each.key: each.value for each in found.metadata_props} == before | added
    assert len(found.metadata_props) == len(before | added)
    helper.set_model_props(found, before)
    assert found == onnx.load_from_string(data)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(with_metadata(path, model({"other": "ü"}), entries()))
    config, known = onnx_file.read(path)
    assert config == a_config({"name": "resunet-tiny", "dim": 4})
    assert known == KNOWN
    onnx_file.change(path, percentiles=(3.0, 97.0))
    assert onnx_file.read(path) == (a_config({"name": "resunet-tiny", "dim": 4}, percentiles=(3.0, 97.0)), KNOWN)
    assert onnx.load(path).graph == onnx.load_from_string(model()).graph


@pytest.mark.parametrize("place", range(0, 100, 7))
def test_a_file_that_was_cut_short(tmp_path: Path, place: int) -> None:
    path = tmp_path / "model.onnx"
    data = with_metadata(path, model(), entries())
    path.write_bytes(data[: len(data) * place // 100])
    with pytest.raises(UserError, match=r"model\.onnx (is no ONNX file, or was cut short|is an ONNX file of another)"):
        onnx_file.read(path)


@given(st.binary(max_size=60))
def test_anything_else_is_refused(data: bytes) -> None:
    """A few bytes may happen to be fields; then there is nothing of ours in them."""
    with pytest.raises(UserError, match=r"cut short|another program"):
        onnx_file._described(SOME, data)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({CONFIG: None}, "is an ONNX file of another program"),
        ({CONFIG: "{"}, "has a damaged configuration"),
        ({CONFIG: json.dumps({"format": FORMAT + 1})}, f"got format {FORMAT + 1}, expected one up to {FORMAT}; update"),
        ({NETWORK: None}, "has damaged metadata"),
        ({NETWORK: "[]"}, "has damaged metadata"),
        ({NETWORK: KNOWN.to_text().replace('"ndim": 2', '"ndim": 3')}, "has damaged metadata"),
        ({NETWORK: KNOWN.to_text().replace('"dim": 4', '"dim": "four"')}, "has damaged metadata"),
    ],
)
def test_metadata_that_do_not_fit(tmp_path: Path, changed: dict[str, str | None], words: str) -> None:
    path = tmp_path / "model.onnx"
    held = {key: text for key, text in (entries() | changed).items() if text is not None}
    path.write_bytes(with_metadata(path, model(), held))
    with pytest.raises(UserError, match=words):
        onnx_file.read(path)


def test_older_files_are_run_by_onnx_runtime(tmp_path: Path) -> None:
    """They do not say what runs them."""
    path, network = tmp_path / "model.onnx", json.loads(KNOWN.to_text())
    del network["runtime"], network["precision"]
    path.write_bytes(with_metadata(path, model(), entries() | {NETWORK: json.dumps(network)}))
    known = onnx_file.read(path)[1]
    assert (known.runtime, known.precision) == ("onnxruntime", "float32")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"missing\.onnx cannot be read"):
        onnx_file.read(tmp_path / "missing.onnx")
