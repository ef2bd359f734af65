"""Exported networks on disk: an ONNX file whose metadata hold all that is needed to use it.

The metadata are read and replaced without any library of ONNX: of the file, a protocol buffer, only the outermost
fields are looked at (https://onnx.ai/onnx/repo-docs/IR.html, https://protobuf.dev/programming-guides/encoding).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from segraft.errors import UserError
from segraft.files import replacing, unwritable
from segraft.model.config import ModelConfig, as_made, config_of
from segraft.model.multilinear import Multilinear
from segraft.types import Geometry

SUFFIX = ".onnx"
CONFIG, NETWORK = "segraft", "segraft_network"
"""Keys of the metadata: the configuration, and what is known of the network."""
METADATA = 14
"""Number of the field of a model that holds one pair of its metadata."""
KEY, VALUE = 1, 2
"""Numbers of the fields of such a pair."""
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""How a field is encoded."""


@dataclass(frozen=True)
class Known:
    """What an exported network says of itself."""

    geometry: Geometry
    parameters: int
    macs: Multilinear
    """Multiply-adds of convolutions for a window."""
    bytes: Multilinear
    """Bytes that the tensors of a run take at most for a window; an estimate."""
    runtime: str = "onnxruntime"
    """The library that runs it; see `segraft.model.runtimes`."""
    precision: str = "float32"
    """The numbers in which it computes, for people to read; in int8 what is not in 8 bits is float32."""

    def to_text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> Known:
        """From JSON. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for anything else."""
        values = json.loads(text)
        return cls(
            as_made(Geometry, values["geometry"]),
            int(values["parameters"]),
            as_made(Multilinear, values["macs"]),
            as_made(Multilinear, values["bytes"]),
            **{name: str(values[name]) for name in ("runtime", "precision") if name in values},  # not in older files
        )


class Field(NamedTuple):
    """An outermost field: its number, all its bytes, and what they hold where it holds bytes."""

    number: int
    whole: bytes
    held: bytes


def is_onnx(path: Path) -> bool:
    """Whether a file is an exported network, by its name."""
    return path.suffix.lower() == SUFFIX


def read(path: Path) -> tuple[ModelConfig, Known]:
    """The configuration of an exported network, and what is known of it.

    Raises ``UserError`` for a file that is no ONNX, is cut short, or was not written by segraft, or by a later version.
    """
    return _described(path, _read(path))


def _described(path: Path, data: bytes) -> tuple[ModelConfig, Known]:
    if not data:
        raise _damaged(path)
    metadata = dict(_pair(path, field.held) for field in _fields(path, data) if field.number == METADATA)
    if CONFIG not in metadata:
        raise UserError(
            f"{path} is an ONNX file of another program (no {CONFIG!r} in its metadata); expected one that segraft "
            "exported; run: segraft export"
        )
    config = config_of(path, metadata[CONFIG])
    try:
        return config, Known.from_text(metadata[NETWORK])
    except (ValueError, KeyError, TypeError, AttributeError, UserError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} has damaged metadata ({type(error).__name__}: {reason}); export it again") from error


def change(path: Path, **changes: Any) -> None:
    """Replace fields of the configuration in the metadata; the network stays byte for byte."""
    config, _ = read(path)
    text = json.dumps(replace(config, **changes).to_dict(), sort_keys=True)
    write(path, with_metadata(path, _read(path), {CONFIG: text}))


def write(path: Path, data: bytes) -> None:
    """Write a file beside ``path`` that replaces it when it is complete."""
    with unwritable(path), replacing(path) as temporary:
        temporary.write_bytes(data)


def with_metadata(path: Path, data: bytes, entries: Mapping[str, str]) -> bytes:
    """The bytes of a model with entries in its metadata, in place of those of the same keys."""
    kept = [
        field.whole
        for field in _fields(path, data)
        if field.number != METADATA or _pair(path, field.held)[0] not in entries
    ]
    added = [
        _encoded(METADATA, _encoded(KEY, key.encode()) + _encoded(VALUE, text.encode()))
        for key, text in entries.items()
    ]
    return b"".join([*kept, *added])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); check the file") from error


def _pair(path: Path, data: bytes) -> tuple[str, str]:
    """Key and value of an entry."""
    held = {field.number: field.held for field in _fields(path, data)}
    try:
        return held.get(KEY, b"").decode(), held.get(VALUE, b"").decode()
    except UnicodeDecodeError as error:
        raise _damaged(path) from error


def _fields(path: Path, data: bytes) -> Iterator[Field]:
    """The outermost fields of a message, in order."""
    at = 0
    while at < len(data):
        begin = at
        tag, at = _varint(path, data, at)
        number, kind = tag >> 3, tag & 7
        held = b""
        if kind == VARINT:
            _, at = _varint(path, data, at)
        elif kind == BYTES:
            size, at = _varint(path, data, at)
            held, at = data[at : at + size], at + size
        elif kind in (FIXED64, FIXED32):
            at += 8 if kind == FIXED64 else 4
        else:
            raise _damaged(path)
        if at > len(data) or number == 0:
            raise _damaged(path)
        yield Field(number, data[begin:at], held)


def _varint(path: Path, data: bytes, at: int) -> tuple[int, int]:
    """A number in base 128, the lowest digit first, and where it ends."""
    value = 0
    for place in range(10):
        if at + place >= len(data):
            break
        digit = data[at + place]
        value |= (digit & 127) << (7 * place)
        if digit < 128:
            return value, at + place + 1
    raise _damaged(path)


def _encoded(number: int, held: bytes) -> bytes:
    """A field of bytes."""
    return _digits(number << 3 | BYTES) + _digits(len(held)) + held


def _digits(value: int) -> bytes:
    """A number in base 128, the lowest digit first."""
    digits = []
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])


def _damaged(path: Path) -> UserError:
    return UserError(f"{path} is no ONNX file, or was cut short; expected what segraft export wrote; copy it again")
