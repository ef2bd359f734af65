"""The data set that a user names on the command line or in Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segraft.data import open_dataset
from segraft.errors import UserError


@dataclass(frozen=True)
class DataChoice:
    """A data set by name, its folder, the split, and options of its reader; no data set where the name is None."""

    name: str | None
    root: str | Path | None = None
    split: str = "test"
    options: Mapping[str, Any] | None = None

    def open(self) -> Sequence:
        """Open the split; a sample is read when it is indexed. Raises ``UserError`` as ``segraft.data.open_dataset``.

        Call ``check`` first where the data set is optional.
        """
        assert self.name is not None
        return open_dataset(self.name, self.root, self.split, **(self.options or {}))

    def check(self, what: str, files: bool) -> None:
        """Raise ``UserError`` unless ``what`` comes from one source: from files or from a data set, with its options.

        ``files`` says whether the user named files. ``what`` is "the truth", for example.
        """
        if self.name is not None and files:
            raise UserError(f"{what}: got files and the data set {self.name!r}, expected one of them; omit the other")
        if self.name is None and (self.root is not None or self.options):
            extras = f"root {self.root} and options {dict(self.options or {})}"
            raise UserError(f"{what}: got {extras} without a data set, expected its name; give --dataset, or omit them")
        if self.name is None and not files:
            raise UserError(f"{what}: got neither files nor a data set, expected one of them; name files, or --dataset")
