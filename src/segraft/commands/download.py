"""Download a public data set, checked and unpacked for its reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segraft.data import open_dataset
from segraft.data.download import BY_HAND, SOURCES, provide
from segraft.data.samples import SPLITS
from segraft.errors import UserError, choose
from segraft.files import unwritable
from segraft.terminal.progress import messages


def download(name: str, *, root: str | Path) -> str:
    """Download a public data set, check it and unpack it for its reader; what is there is left alone.

    Returns a line that says where it is. An interrupted download goes on where it stopped.

    Parameters
    ----------
    name : data set: bbbc010, bbbc039 or cremi
    root : folder to put it in; made if need be

    Raises
    ------
    UserError : a data set that cannot be downloaded, no connection, a wrong file, no space
    """
    root = Path(root)
    known: dict[str, Any] = {**SOURCES, **BY_HAND}
    source = choose("data set to download", name, dict(sorted(known.items())))
    if isinstance(source, str):
        raise UserError(f"{name} cannot be downloaded by a program: {source} into {root}")
    console = messages()
    console.print(f"{name}: {source.page}; {source.terms}")
    with unwritable(root):
        root.mkdir(parents=True, exist_ok=True)
        for archive in source.archives:
            provide(archive, root, console)
    for split in SPLITS:
        open_dataset(name, root, split)
    return f"{name} is in {root}; use it with --dataset {name} --root {root}"
