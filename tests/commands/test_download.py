"""Downloads from a server on this machine: whole, cut, resumed, wrong, absent, and without space."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZipFile

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from segraft.cli import main
from segraft.commands.download import download
from segraft.data import download as module_of_downloads
from segraft.data import open_dataset
from segraft.data.download import SOURCES, Archive, Source
from segraft.errors import UserError


@dataclass
class Server:
    """A server's files, its faults, and the ranges that it was asked for."""

    address: str
    files: dict[str, bytes] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    """Bytes after which it hangs up, by file; once."""
    ranges: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        name, wanted = request.path.lstrip("/"), request.headers.get("Range")
        self.asked.append((name, wanted))
        body = self.files.get(name)
        if body is None:
            request.send_error(404)
            return
        begin = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and self.ranges else 0
        if begin and begin >= len(body):
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{len(body)}")
            request.send_header("Content-Length", "0")
            request.end_headers()
            return
        request.send_response(206 if begin else 200)
        request.send_header("Content-Length", str(len(body) - begin))
        request.end_headers()
        request.wfile.write(body[begin : begin + self.cut.pop(name, len(body))])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(module_of_downloads, "CHUNK", 256)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        state = Server(f"http://127.0.0.1:{listening.server_address[1]}")
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        listening.shutdown()
        thread.join()


def tif() -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, np.random.default_rng(0).integers(0, 4096, (40, 50)).astype(np.uint16))
    return file.getvalue()


def png() -> bytes:
    mask = np.zeros((40, 50, 4), np.uint8)
    mask[5:9, 5:9, 0] = 1
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "png")
    return file.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def cremi() -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as volume:
        volume["volumes/raw"] = np.zeros((125, 4, 4), np.uint8)
        volume["volumes/labels/neuron_ids"] = np.zeros((125, 4, 4), np.uint64)
    return file.getvalue()


@pytest.fixture
def broad(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """BBBC039 and CREMI on the server, in the layout of the official archives, macOS's litter among it."""
    names = {"training": "A01", "validation": "B02", "test": "C03"}
    server.files |= {
        "images.zip": zipped({f"images/{name}.tif": tif() for name in names.values()}),
        "masks.zip": zipped(
            {f"masks/{name}.png": png() for name in names.values()} | {"__MACOSX/masks/._A01.png": b"litter"}
        ),
        "metadata.zip": zipped(
            {f"metadata/{split}.txt": f"{name}.png\n".encode() for split, name in names.items()}
            | {"metadata/segmentation_cp3.cppipe": b"not wanted"}
        ),
        "sample_A_20160501.hdf": cremi(),
    }
    for name in ("bbbc039", "cremi"):
        serve(server, name, monkeypatch)
    return server


def serve(server: Server, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a data set's archives downloaded from this server, with the checksums of what lies there."""
    archives = tuple(
        replace(archive, url=f"{server.address}/{archive.name}", sha256=sha256(server.files[archive.name]).hexdigest())
        for archive in SOURCES[name].archives
        if archive.name in server.files
    )
    monkeypatch.setitem(SOURCES, name, replace(SOURCES[name], archives=archives))


def tree(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


LAYOUT = {
    *(f"images/{name}.tif" for name in ("A01", "B02", "C03")),
    *(f"masks/{name}.png" for name in ("A01", "B02", "C03")),
    *(f"metadata/{name}.txt" for name in ("training", "validation", "test")),
}


def test_what_was_downloaded_can_be_opened(broad: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "bbbc039", "--root", str(tmp_path / "new" / "data")]) == 0
    out, err = capfd.readouterr()
    assert f"bbbc039 is in {tmp_path / 'new' / 'data'}" in out
    assert "public domain (CC0)" in err
    assert tree(tmp_path / "new" / "data") == LAYOUT, "no archive, no litter"
    sample = open_dataset("bbbc039", tmp_path / "new" / "data", "val")[0]
    assert (sample.name, sample.image.shape, sample.labels.max()) == ("B02", (1, 40, 50), 1)


def test_what_is_there_is_left_alone(broad: Server, tmp_path: Path) -> None:
    for name in ("bbbc039", "cremi"):
        download(name, root=tmp_path)
        asked = len(broad.asked)
        (tmp_path / "images" / "mine.txt").touch()
        download(name, root=tmp_path)
        assert len(broad.asked) == asked
    assert (tmp_path / "images" / "mine.txt").exists()


@pytest.mark.parametrize("name", ["bbbc039", "cremi"])
def test_a_cut_download_goes_on_where_it_stopped(broad: Server, tmp_path: Path, name: str) -> None:
    archive = SOURCES[name].archives[0].name
    broad.cut[archive] = 1024
    with pytest.raises(UserError, match=r"cannot be downloaded.*1024 bytes are kept.*run the same again to go on"):
        download(name, root=tmp_path)
    assert tree(tmp_path) == {f".{archive}.part"}, "a half-finished file does not look like a finished one"
    download(name, root=tmp_path)
    assert broad.asked[:2] == [(archive, None), (archive, "bytes=1024-")]
    assert tree(tmp_path) == (LAYOUT if name == "bbbc039" else {archive})


def test_a_server_that_sends_no_parts_is_asked_from_the_start(broad: Server, tmp_path: Path) -> None:
    broad.ranges, broad.cut["images.zip"] = False, 1024
    with pytest.raises(UserError, match="1024 bytes are kept"):
        download("bbbc039", root=tmp_path)
    download("bbbc039", root=tmp_path)
    assert tree(tmp_path) == LAYOUT


def test_a_part_that_is_whole_or_too_long(broad: Server, tmp_path: Path) -> None:
    whole = broad.files["images.zip"]
    (tmp_path / ".images.zip.part").write_bytes(whole)
    (tmp_path / ".masks.zip.part").write_bytes(broad.files["masks.zip"] + b"more")
    download("bbbc039", root=tmp_path)
    assert tree(tmp_path) == LAYOUT
    assert [wanted for name, wanted in broad.asked if name == "images.zip"] == [f"bytes={len(whole)}-"]
    assert [wanted for name, wanted in broad.asked if name == "masks.zip"][1:] == [None]


def test_a_wrong_file_is_refused_and_deleted(broad: Server, tmp_path: Path) -> None:
    good = broad.files["masks.zip"]
    broad.files["masks.zip"] = good[:-1] + b"x"
    with pytest.raises(UserError, match=r"masks\.zip: got another sha256.*try again, or unpack it by hand"):
        download("bbbc039", root=tmp_path)
    assert all(name.startswith("images/") for name in tree(tmp_path)), "what was right stays"
    broad.files["masks.zip"] = good
    download("bbbc039", root=tmp_path)
    assert tree(tmp_path) == LAYOUT


def test_a_part_of_another_version_is_found_out(broad: Server, tmp_path: Path) -> None:
    (tmp_path / ".images.zip.part").write_bytes(b"other" * 100)
    with pytest.raises(UserError, match="another sha256"):
        download("bbbc039", root=tmp_path)
    download("bbbc039", root=tmp_path)
    assert tree(tmp_path) == LAYOUT


def test_a_file_of_the_user_is_not_replaced(broad: Server, tmp_path: Path) -> None:
    mine = tmp_path / "sample_A_20160501.hdf"
    mine.write_text("mine")
    with pytest.raises(UserError, match=r"exists but is not the official file.*move it"):
        download("cremi", root=tmp_path)
    assert mine.read_text() == "mine"
    mine.write_bytes(broad.files[mine.name])
    download("cremi", root=tmp_path)
    assert broad.asked == [], "brought by hand"


def test_a_file_that_is_gone_and_a_server_that_is_gone(broad: Server, tmp_path: Path, monkeypatch) -> None:
    del broad.files["images.zip"]
    with pytest.raises(UserError, match=r"images\.zip cannot be downloaded \(404 .*0 bytes.*by hand as"):
        download("bbbc039", root=tmp_path)
    nobody = Archive("http://127.0.0.1:9/x.zip", "0" * 64, "x")
    monkeypatch.setitem(SOURCES, "bbbc039", Source("page", "terms", (nobody,)))
    with pytest.raises(UserError, match="check the connection") as caught:
        download("bbbc039", root=tmp_path)
    assert "\n" not in str(caught.value)
    assert tree(tmp_path) == set()


def test_no_space_and_a_file_in_the_place_of_the_folder(broad: Server, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="limits the size of files")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
    try:
        with pytest.raises(UserError, match=r"cannot be written.*make room"):
            download("bbbc039", root=tmp_path / "full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert all(name.startswith(".") for name in tree(tmp_path / "full"))
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(UserError, match=r"taken.*cannot be written"):
        download("bbbc039", root=tmp_path / "taken")


def test_unpacking_that_stops_leaves_no_folder(broad: Server, tmp_path: Path, monkeypatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module_of_downloads.shutil, "copyfileobj", stop)
        with pytest.raises(KeyboardInterrupt):
            download("bbbc039", root=tmp_path)
    assert tree(tmp_path) == {"images.zip"}
    asked = len(broad.asked)
    download("bbbc039", root=tmp_path)
    assert [name for name, _ in broad.asked[asked:]] == ["masks.zip", "metadata.zip"], "the archive was there"
    assert tree(tmp_path) == LAYOUT


def test_sign_up_and_unknown_data_sets(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["download", "cvppp", "--root", str(tmp_path)]) == 2
    assert re.search(r"sign up at .*plant-phenotyping.*plantNNN_label\.png", capfd.readouterr().err)
    with pytest.raises(UserError, match=r"AC3AC4Package.*AC4_labels"):
        download("ac34", root=tmp_path)
    with pytest.raises(UserError, match="known: ac34, bbbc010, bbbc039, cremi, cvppp; did you mean 'bbbc039'"):
        download("bbbc38", root=tmp_path)
