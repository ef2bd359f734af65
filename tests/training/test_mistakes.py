"""Every mistake gets one line, and full disks leave no half files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.strategies import SingleDeviceStrategy

from segraft.cli import main
from segraft.commands.distill import distill
from segraft.commands.train import train
from segraft.errors import UserError
from shared.runs import PROJECT, SMALL, assert_same_run, checkpoint, recorded


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        ({"dataset": "unvalidated"}, "got 0 validation images of unvalidated"),
        ({"dataset": "unlabelled"}, "got 2 validation images of unlabelled, none with labels"),
        ({"dataset": "nothing"}, "unknown data set 'nothing'"),
        ({"dataset": "folder", "root": "no/such/folder"}, "no/such/folder is no folder"),
        ({"network": "resnet"}, "unknown network 'resnet'"),
        ({"patch": (33, 32)}, "expected multiples of 16"),
        ({"patch": (32, 32, 32)}, "expected"),
        ({"geometry": ("flipp",)}, "'flipp'"),
        ({"background": "objects"}, "unknown background 'objects'"),
        ({"percentiles": (50.0, 20.0)}, "percentiles"),
        ({"channels": (0, 3)}, "channels"),
        ({"device": "cuda"}, "device: got 'cuda', expected"),
        ({"init": "no/such/model"}, "no/such/model does not exist"),
        ({"teacher": "no/such/model"}, "no/such/model does not exist"),
        ({"dim": 8}, "dim: got 4 of the teacher .*, 8 of the student, expected the same"),
        ({"dataset": "colour"}, "in_channels: got 1 of the teacher .*, 3 of the student"),
        (
            {"percentiles": (2.0, 99.8)},
            r"percentiles: got none \(what images show\) of the teacher .*, \(2\.0, 99\.8\) of the student",
        ),
    ],
)
def test_mistakes_get_one_line_and_leave_nothing(
    runs: dict[str, Path], tmp_path: Path, settings: dict[str, Any], answer: str
) -> None:
    if settings.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(UserError, match=answer) as caught:
        distill(**{"dataset": "grey", "out": tmp_path / "run", "teacher": runs["train"], **SMALL, **settings})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_overwritten(runs: dict[str, Path]) -> None:
    with pytest.raises(UserError, match="holds a run already; --resume continues it, another --out"):
        train(config=runs["train"])


def test_a_run_is_resumed_with_its_own_settings(runs: dict[str, Path]) -> None:
    with pytest.raises(UserError, match="with another rate, seed; resume with the same settings"):
        train(config=runs["train"], resume=True, seed=3, rate=1.0)


def test_a_checkpoint_that_was_cut_short(runs: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(**recorded(runs["train"], out=out, steps=1))
    last = out / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"last\.ckpt is cut short"):
        train(config=out, resume=True)


def test_a_folder_that_cannot_be_written(runs: dict[str, Path], tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "file").write_text("in the way")
    words = ["train", "--config", str(runs["train"]), "--out", str(tmp_path / "file" / "run")]
    assert main(words) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_disk_that_fills_up(runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second checkpoint finds no room: one line, and the first stays, from which the run goes on."""
    out = tmp_path / "run"

    def full(self: SingleDeviceStrategy, state: Any, path: Any, storage_options: Any = None) -> None:
        if state["global_step"] > 3:
            Path(path).write_bytes(b"half of it")
            raise OSError(28, "No space left on device")
        save(self, state, path, storage_options)

    save = SingleDeviceStrategy.save_checkpoint
    monkeypatch.setattr(SingleDeviceStrategy, "save_checkpoint", full)
    with pytest.raises(UserError, match=r"last\.ckpt cannot be written \(No space left on device\)"):
        train(**recorded(runs["train"], out=out))
    assert [path.name for path in (out / "checkpoints").iterdir()] == ["last.ckpt"]
    assert checkpoint(out)["global_step"] == 3
    monkeypatch.undo()
    train(config=out, resume=True)
    assert_same_run(out, runs["train"])


def test_a_disk_without_room_for_any_file(runs: dict[str, Path], tmp_path: Path) -> None:
    """Not injected: the system itself refuses to let files grow."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limit[1]))
    try:
        with pytest.raises(UserError, match="cannot be written") as caught:
            train(**recorded(runs["train"], out=tmp_path / "run"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "run").rglob("*.ckpt"))


def test_training_that_is_not_installed() -> None:
    code = "import sys; sys.modules['lightning'] = None; from segraft.cli import main; sys.exit(main(['train', 'x']))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(PROJECT / "src")},
    )
    assert run.returncode == 2
    assert "pip install 'segraft[train]'" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
