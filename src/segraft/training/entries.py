"""Tensors on disk by number: each entry a file with a checksum, which is there completely or not at all."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from segraft.errors import UserError
from segraft.files import replacing, unwritable

CHECKSUM = "crc32"
"""Key of the checksum of all tensors, in the header of a file."""
ABANDONED = 600.0
"""Seconds after which nobody writes an unfinished file any more; one takes less than one."""


@dataclass(frozen=True)
class Entries:
    """A folder of numbered files, each with the same named tensors; written once, mapped into memory when read.

    Several processes may share it: an entry that is there is never changed, only replaced where it is damaged.
    """

    folder: Path
    names: tuple[str, ...]

    def path(self, number: int) -> Path:
        """The file of an entry."""
        return self.folder / f"{number:06d}.safetensors"

    def write(self, number: int, tensors: Mapping[str, Tensor]) -> None:
        """Write the tensors of an entry by name; ``UserError`` for a full disk or a read-only folder."""
        kept = {name: tensors[name].contiguous() for name in self.names}
        data = safetensors.torch.save(kept, {CHECKSUM: str(checksum(kept.values()))})
        with unwritable(self.path(number)), replacing(self.path(number)) as temporary:
            temporary.write_bytes(data)

    def read(self, number: int) -> tuple[Tensor, ...]:
        """The tensors of an entry in the order of the names; ``UserError`` where it is missing or cut short."""
        try:
            with safetensors.safe_open(self.path(number), framework="pt") as file:
                return tuple(file.get_tensor(name) for name in self.names)
        except (OSError, safetensors.SafetensorError) as error:
            raise UserError(
                f"{self.path(number)} cannot be read ({' '.join(str(error).split())}), expected a part of the cache "
                "that stays as it was; resume the run, which makes it again"
            ) from error

    def sound(self, number: int) -> bool:
        """Whether an entry is there as it was written."""
        try:
            with safetensors.safe_open(self.path(number), framework="pt") as file:
                kept = (file.metadata() or {}).get(CHECKSUM)
            return kept == str(checksum(self.read(number)))
        except (OSError, safetensors.SafetensorError, UserError):
            return False

    def sweep(self) -> None:
        """Delete unfinished files of processes that were killed; those that another may be writing now stay."""
        for path in self.folder.glob(".*.part"):
            with suppress(OSError):  # another process sweeps, too
                if time.time() - path.stat().st_mtime > ABANDONED:
                    path.unlink()


def checksum(tensors: Iterable[Tensor]) -> int:
    """CRC-32 of the contents of contiguous tensors, one after the other."""
    value = 0
    for tensor in tensors:
        value = zlib.crc32(tensor.numpy().data, value)
    return value
