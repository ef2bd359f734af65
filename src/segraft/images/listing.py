"""List the images that files, folders and globs name."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

from segraft.errors import UserError
from segraft.files import natural
from segraft.images.formats import READERS
from segraft.images.reading import is_image, split_key


def list_images(inputs: str | Path | Iterable[str | Path]) -> list[Path]:
    """Return the images named by files, folders (not the folders in them) and globs, each once, in natural order.

    Raises ``UserError`` for a path that does not exist, and for a folder or glob without images.
    """
    inputs = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    found = {path for item in inputs for path in _expand(item)}
    if not found:
        raise UserError("got no input images, expected files, folders or globs; name at least one")
    return sorted(found, key=natural)


def left_out(inputs: str | Path | Iterable[str | Path]) -> list[Path]:
    """Return the files of other kinds in the same folders and globs, in natural order, hidden ones not counted."""
    inputs = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    found = {path for item in inputs for path in _inside(item)[0] if not is_image(path)}
    return sorted((path for path in found if path.is_file() and not path.name.startswith(".")), key=natural)


def _inside(item: str | Path) -> tuple[list[Path], str]:
    """Return all that a folder or glob holds, and what to call it; nothing for a single file."""
    file, _ = split_key(item)
    if file.is_dir() and not is_image(file):
        return list(file.iterdir()), f"the folder {file}"
    if not file.exists() and glob.has_magic(str(item)):
        return [Path(match) for match in glob.glob(str(item), recursive=True)], f"the pattern {item}"
    return [], ""


def _expand(item: str | Path) -> list[Path]:
    """Return the images of one input; a single file is taken whatever its name: reading it reports what is wrong."""
    file, _ = split_key(item)
    found, where = _inside(item)
    if not where and not file.exists():
        raise UserError(f"{file} does not exist, expected an image, a folder or a glob; check the path")
    if not where:
        return [Path(item)]
    images = [path for path in found if is_image(path)]
    if not images:
        inner = _folders_of_images(file)
        advice = f"there are some in {' and '.join(map(str, inner))}, give one of them" if inner else "check the path"
        raise UserError(f"no image in {where}, expected {', '.join(READERS)}; {advice}")
    return images


def _folders_of_images(folder: Path) -> list[Path]:
    """Return the folders directly in this one that hold images."""
    inner = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return [path for path in inner if any(is_image(file) for file in path.iterdir())]
