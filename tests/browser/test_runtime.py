"""ONNX Runtime Web is found where the user says, or fetched once by npm, and checked."""

from __future__ import annotations

import io
import os
import tarfile
from hashlib import sha256
from pathlib import Path

import pytest

from segraft.browser import runtime
from segraft.browser.runtime import ARCHIVE, LIBRARY, PACKAGE, WASM, runtime_files
from segraft.errors import UserError
from shared.runtimes import FAKE, write_runtime


def archive(path: Path, files: dict[str, bytes]) -> Path:
    """An npm package, as npm packs it."""
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


def packed(path: Path, files: dict[str, bytes] = FAKE) -> Path:
    return archive(path, {"package/README.md": b"x", **{f"package/dist/{name}": data for name, data in files.items()}})


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept from before, and nothing stays."""
    monkeypatch.setattr(runtime, "cache", lambda: tmp_path / "cache")


@pytest.fixture
def official(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up files are the official ones."""
    monkeypatch.setattr(runtime, "SHA256", {name: sha256(data).hexdigest() for name, data in FAKE.items()})


def provide_npm(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program called npm, alone on the path beside the system's own."""
    (folder / "bin").mkdir()
    npm = folder / "bin" / "npm"
    npm.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}/bin{os.pathsep}/usr/bin")


@pytest.mark.parametrize("inside", ["", "dist", "package/dist"])
def test_a_folder_of_any_version(tmp_path: Path, inside: str) -> None:
    write_runtime(tmp_path / inside)
    assert runtime_files(tmp_path) == FAKE


def test_an_archive_of_any_version(tmp_path: Path) -> None:
    assert runtime_files(packed(tmp_path / "a.tgz")) == FAKE


BROKEN = {
    "a missing folder": (lambda path: path / "none", r"none cannot be read"),
    "an empty folder": (lambda path: path, r"lacks ort\.wasm\.bundle\.min\.mjs and ort-wasm-simd-threaded\.wasm;"),
    "an empty file": (lambda path: write_runtime(path, {**FAKE, LIBRARY: b""}), r"lacks ort\.wasm\.bundle"),
    "no WebAssembly": (lambda path: write_runtime(path, {**FAKE, WASM: b"<html>"}), r"that is no WebAssembly"),
    "no archive": (lambda path: write_runtime(path) / LIBRARY, r"cannot be read .*expected the npm package"),
    "another archive": (lambda path: archive(path / "a.tgz", {"package/index.js": b"x"}), r"lacks ort"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_runtime_is_refused(tmp_path: Path, name: str) -> None:
    make, message = BROKEN[name]
    with pytest.raises(UserError, match=message) as caught:
        runtime_files(make(tmp_path))
    assert "\n" not in str(caught.value)


def test_an_archive_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.tgz", {**FAKE, WASM: FAKE[WASM] + os.urandom(10_000)})
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UserError, match=r"a\.tgz cannot be read"):
        runtime_files(path)


@pytest.mark.usefixtures("official")
def test_npm_fetches_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed(tmp_path / "there.tgz")
    provide_npm(tmp_path, f'echo "$@" >> {tmp_path}/calls; cp {tmp_path}/there.tgz {ARCHIVE}', monkeypatch)
    for _ in range(2):
        assert runtime_files(None) == FAKE
    assert (tmp_path / "calls").read_text(encoding="utf-8") == f"pack {PACKAGE}\n"


@pytest.mark.usefixtures("official")
def test_what_was_kept_and_damaged_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed(tmp_path / "there.tgz")
    provide_npm(tmp_path, f"cp {tmp_path}/there.tgz {ARCHIVE}", monkeypatch)
    write_runtime(tmp_path / "cache", {**FAKE, WASM: FAKE[WASM][:-1]})
    assert runtime_files(None) == FAKE
    assert (tmp_path / "cache" / WASM).read_bytes() == FAKE[WASM]


FAILURES = {
    "exit 1": r"npm cannot fetch onnxruntime-web@\S+ \(no reason given\); check the connection, or on a computer",
    "echo 'npm error network down' >&2; exit 1": r"\(npm error network down\)",
    "cp {folder}/there.tgz {archive}": r"npm fetched another onnxruntime-web@\S+ than expected \(by its sha256\)",
}


@pytest.mark.parametrize("script", FAILURES)
def test_what_npm_cannot_fetch_leaves_nothing(tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    packed(tmp_path / "there.tgz")
    provide_npm(tmp_path, script.format(folder=tmp_path, archive=ARCHIVE), monkeypatch)
    with pytest.raises(UserError, match=FAILURES[script]) as caught:
        runtime_files(None)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_without_npm_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"there is no npm; install it, or .* npm pack onnxruntime-web@\S+, and name"):
        runtime_files(None)
