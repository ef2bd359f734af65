"""Where the data sets of a table lie."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from segraft.data import open_dataset
from segraft.errors import UserError
from segraft.paper.tables import RECIPES, Part


@dataclass(frozen=True)
class Data:
    """Folder of a data set, and how many test images it has."""

    reader: str
    root: Path
    images: int


def find(part: Part, root: Path, taken: Collection[Data] = ()) -> Data:
    """Find the data of a part of a table: in a folder of its name in ``root``, of its reader's, or in ``root`` itself.

    What stands in the place of the paper's data does not take what a part of the paper has ``taken`` with the same
    reader. Raises ``UserError`` where no folder can be read by the reader.
    """
    options = RECIPES[next(iter(part.rows.values()))].settings.options
    named = [root / name for name in dict.fromkeys((part.name, part.dataset)) if (root / name).is_dir()]
    for folder in named or [root]:
        images = len(open_dataset(part.dataset, folder, "test", **options))
        if part.in_paper or all((each.reader, each.root) != (part.dataset, folder) for each in taken):
            return Data(part.dataset, folder, images)
    raise UserError(f"{root} holds other data, expected a folder {part.name} in it; make one")
