"""Model files without PyTorch: where they lie, what their configuration says, and how to change it.

Two kinds: weights in a safetensors file, with the configuration in its header, and exported networks (`onnx_file`).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors

from segraft.errors import UserError
from segraft.files import replacing, unwritable
from segraft.model import onnx_file
from segraft.model.config import ModelConfig, config_of
from segraft.run_folder import MODEL, RunFolder

ZOO = Path(__file__).parents[1] / "zoo"
"""Models that come with the package: exported networks, each with a card, ``NAME.md``, that says what it is."""
IN_8_BITS = "-int8"
"""How names of models in 8 bits end."""
HEADER = "segraft"
"""Key of the configuration, as JSON, in the header of a safetensors file."""
METADATA = "__metadata__"
"""Key of the header under which such a file holds text."""
LENGTH, ALIGNED = 8, 8
"""Bytes of the number that says how long the header is, and what its end is a multiple of."""


def locate(path: str | Path) -> Path:
    """Return the file of a model: itself, that of its run folder, or one that comes with the package, by its name.

    Raises ``UserError`` when there is none.
    """
    path = Path(path)
    file = path / MODEL if path.is_dir() else path
    if not file.is_file():
        if str(path) in (own := shipped()):
            return own[str(path)]
        what = f"holds no {MODEL}" if path.is_dir() else "does not exist"
        if RunFolder(path).config.exists():
            raise UserError(f"{path} {what}: the run was stopped before its first validation; resume it, or train anew")
        raise UserError(
            f"{path} {what}; expected a run folder, a model file or {', '.join(own) or 'no name'}; check the path, or "
            "train first"
        )
    return file


def shipped() -> dict[str, Path]:
    """The models that come with the package, by name."""
    return {path.stem: path for path in sorted(ZOO.glob(f"*{onnx_file.SUFFIX}"), key=lambda path: path.stem)}


def card(file: Path) -> str | None:
    """What is told of a model that comes with the package, in 8 bits or not: Markdown; None of others."""
    path = file.with_name(f"{file.stem.removesuffix(IN_8_BITS)}.md")
    return path.read_text(encoding="utf-8") if file.parent == ZOO and path.is_file() else None


def check_own(path: str | Path) -> None:
    """Raise ``UserError`` for a model that comes with the package, which is not to be changed."""
    if (file := locate(path)).parent == ZOO:
        raise UserError(
            f"{path} comes with the package, expected a model of your own to change; copy {file} and give the copy"
        )


def read_config(path: str | Path) -> ModelConfig:
    """Return the configuration of a model file, or of the one in a run folder.

    Raises ``UserError`` when the file is missing, cut short, of another program, or of a later format.
    """
    path = locate(path)
    if onnx_file.is_onnx(path):
        return onnx_file.read(path)[0]
    try:
        with safetensors.safe_open(path, framework="np") as file:
            return header_config(path, file.metadata())
    except (safetensors.SafetensorError, OSError) as error:
        raise damaged(path, error) from error


def change(path: str | Path, **changes: Any) -> None:
    """Replace fields of the configuration in a model file, or in that of a run folder; the weights stay bit for bit.

    Raises ``UserError`` as `read_config` and `check_own`, and for a full disk or a read-only folder.
    """
    check_own(path)
    file = locate(path)
    if onnx_file.is_onnx(file):
        onnx_file.change(file, **changes)
        return
    config = replace(read_config(file), **changes)
    data = _with_metadata(file.read_bytes(), {HEADER: as_text(config)})
    with unwritable(file), replacing(file) as temporary:
        temporary.write_bytes(data)


def as_text(config: ModelConfig) -> str:
    """A configuration as files hold it."""
    return json.dumps(config.to_dict(), sort_keys=True)


def header_config(path: Path, metadata: dict[str, str] | None) -> ModelConfig:
    """Parse the configuration in the header of a safetensors file; ``UserError`` where there is none."""
    header = (metadata or {}).get(HEADER)
    if header is None:
        raise UserError(
            f"{path} is a safetensors file of another program (no {HEADER!r} in its header); "
            "expected a model that segraft trained"
        )
    return config_of(path, header)


def damaged(path: Path, error: Exception) -> UserError:
    """What to say of a file that is no complete safetensors file."""
    reason = " ".join(str(error).split())
    return UserError(
        f"{path} cannot be read as a model ({reason}); expected a complete {MODEL} of segraft; "
        "if it was cut short, copy it again"
    )


def _with_metadata(data: bytes, entries: dict[str, str]) -> bytes:
    """A safetensors file with other text in its header (https://github.com/huggingface/safetensors#format)."""
    begin = LENGTH + int.from_bytes(data[:LENGTH], "little")
    header = json.loads(data[LENGTH:begin])
    header[METADATA] = header.get(METADATA, {}) | entries
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNED)
    return len(text).to_bytes(LENGTH, "little") + text + data[begin:]
