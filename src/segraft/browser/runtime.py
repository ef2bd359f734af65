"""ONNX Runtime Web, which runs the network in the browser: two files of an npm package, found or fetched."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from segraft.errors import UserError
from segraft.files import replacing, unwritable

VERSION = "1.30.0"
PACKAGE = f"onnxruntime-web@{VERSION}"
ARCHIVE = f"onnxruntime-web-{VERSION}.tgz"
LIBRARY, WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
"""The smallest build: WebAssembly alone."""
SHA256 = {
    LIBRARY: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    WASM: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
"""Of what is fetched; a runtime that the user names may be of another version."""
MAGIC = b"\0asm"
"""How WebAssembly begins."""
BY_HAND = f"on a computer that has npm, run npm pack {PACKAGE}, and name what it writes: --runtime {ARCHIVE}"

Files = dict[str, bytes]
"""What the files of the runtime hold, by name."""


def runtime_files(place: Path | None) -> Files:
    """The runtime in a folder or archive of the npm package; without one of the cache, or fetched into it by npm.

    Raises ``UserError`` where no runtime is there, it cannot be fetched, or it is another one than expected.
    """
    if place is not None:
        return _checked(_in_folder(place) if place.is_dir() else _in_archive(place), place)
    return cached_files() or _fetched_into(cache())


def cached_files() -> Files | None:
    """The runtime that was fetched before; None where it was not, or is damaged."""
    kept = _in_folder(cache())
    return kept if _official(kept) else None


def cache() -> Path:
    """Folder of the user's in which the runtime is kept."""
    import pooch

    return Path(pooch.os_cache("segraft")) / PACKAGE.replace("@", "-")


def _fetched_into(folder: Path) -> Files:
    files = _fetched()
    with unwritable(folder):
        for name, data in files.items():
            with replacing(folder / name) as temporary:
                temporary.write_bytes(data)
    return files


def _in_folder(place: Path) -> Files:
    """The files in a folder, or where the unpacked package has them; fewer where some are missing."""
    folders = (place, place / "dist", place / "package" / "dist")
    found = {name: next((each / name for each in folders if (each / name).is_file()), None) for name in SHA256}
    return {name: path.read_bytes() for name, path in found.items() if path is not None}


def _in_archive(place: Path) -> Files:
    """The files in an npm package as it is packed."""
    try:
        with tarfile.open(place, "r:gz") as archive:
            opened = {Path(each.name).name: archive.extractfile(each) for each in archive if _wanted(each)}
            return {name: file.read() for name, file in opened.items() if file is not None}
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise UserError(
            f"{place} cannot be read ({error}); expected the npm package onnxruntime-web as a folder or .tgz; {BY_HAND}"
        ) from error


def _wanted(member: tarfile.TarInfo) -> bool:
    return member.isfile() and Path(member.name).name in SHA256


def _checked(files: Files, place: Path) -> Files:
    """The same files; ``UserError`` where some are missing or are not what their names say."""
    missing = [name for name in SHA256 if not files.get(name)]
    if missing:
        raise UserError(
            f"{place} lacks {' and '.join(missing)}; expected the npm package onnxruntime-web as a folder or .tgz; "
            f"{BY_HAND}"
        )
    if not files[WASM].startswith(MAGIC):
        raise UserError(f"{place}: got a {WASM} that is no WebAssembly; it is damaged: unpack it again")
    return files


def _official(files: Mapping[str, bytes]) -> bool:
    return {name: sha256(data).hexdigest() for name, data in files.items()} == SHA256


def _fetched() -> Files:
    """The files of the package that npm packs."""
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(f"the page needs {PACKAGE}, which npm fetches, but there is no npm; install it, or {BY_HAND}")
    with TemporaryDirectory() as folder:
        done = subprocess.run([npm, "pack", PACKAGE], cwd=folder, capture_output=True, text=True, check=False)
        archive = Path(folder) / ARCHIVE
        if done.returncode or not archive.exists():
            lines = [line for line in done.stderr.splitlines() if "error" in line.lower()] or ["no reason given"]
            raise UserError(
                f"npm cannot fetch {PACKAGE} ({' '.join(lines[-1].split())}); check the connection, or {BY_HAND}"
            )
        files = _in_archive(archive)
    if not _official(files):
        raise UserError(f"npm fetched another {PACKAGE} than expected (by its sha256); nothing was kept; {BY_HAND}")
    return files
