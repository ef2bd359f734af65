"""The command line: verbs, options, help and exit codes; what the verbs do has its own tests."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import segraft
from segraft import cli
from segraft.cli import main
from segraft.errors import SomeFailed, UserError
from segraft.model import checkpoint
from segraft.networks import create_network
from segraft.paper.budget import Budget
from segraft.settings import DistillSettings, TrainSettings
from shared.models import a_config

Capture = pytest.CaptureFixture[str]
PROJECT = Path(__file__).parent.parent
VERBS = (
    *("benchmark", "convert", "demo", "distill", "download", "evaluate", "export", "figure", "info"),
    *("predict", "proofread", "recipe", "report", "table", "train", "tune", "web"),
)


def help_of(verb: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "200")
    assert main([verb, "--help"]) == 0
    return re.sub(r" *│\n│ {5,}", " ", capsys.readouterr().out)  # however narrow the terminal, one line per option


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("tokens", [[], ["--help"], ["-h"]])
def test_the_help_names_all_verbs(tokens: list[str], capsys: Capture) -> None:
    assert main(tokens) == 0
    out, err = capsys.readouterr()
    assert tuple(re.findall(r"^│ ([a-z]+) ", out, re.MULTILINE)) == VERBS
    assert not err


def test_the_help_waits_for_no_large_library() -> None:
    loaded = (
        "{name for name in sys.modules if name in ('torch', 'lightning', 'skimage', 'scipy', 'numpy', 'matplotlib')}"
    )
    done = python(f"import sys; from segraft.cli import main; main(['--help']); print(len({loaded}), {loaded})")
    assert done.stdout.splitlines()[-1] == "0 set()"


def test_the_version(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == segraft.__version__


NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
FUNCTIONS = {verb: getattr(segraft, verb) for verb in VERBS if verb not in ("train", "distill")}


def option(name: str) -> str:
    return "--" + name.replace("_", "-")


@pytest.mark.parametrize("verb", FUNCTIONS)
def test_the_options_of_a_verb_are_the_parameters_of_its_function(
    verb: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = help_of(verb, capsys, monkeypatch)
    own = inspect.signature(FUNCTIONS[verb]).parameters
    spending = [each.name for each in fields(Budget)] if "budget" in own else []
    for name in (*(name for name, each in own.items() if each.kind in NAMED), *spending):
        line = next(line for line in text.splitlines() if line[0:1] == "│" and f"{option(name)} " in line)
        help_text = re.sub(r"\[(default|choices).*?\]|\[required\]", "", line.split(option(name), 1)[1])
        assert re.search(r"[a-z]{2,}", help_text), f"{option(name)} of {verb} has no help"
    assert "``" not in text


@pytest.mark.parametrize(("verb", "kind"), [("train", TrainSettings), ("distill", DistillSettings)])
def test_every_setting_is_an_option_with_a_help(
    verb: str, kind: type[TrainSettings], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = help_of(verb, capsys, monkeypatch)
    for name in ("config", *(item.name for item in fields(kind))):
        shown = option("student" if (verb, name) == ("distill", "network") else name)
        line = next(line for line in text.splitlines() if f"{shown} " in line)
        assert re.search(r"[A-Z][a-z]+.* .*[.:)]", line), f"{shown} of {verb} has no help"
    assert "[default: 0.9 0.99]" in text
    assert "None" not in text


def given_to(name: str, monkeypatch: pytest.MonkeyPatch, *tokens: object) -> tuple[Any, dict[str, Any]]:
    """What a command hands to the function of a verb."""
    calls: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(f"segraft.commands.{name}.{name}", lambda *args, **given: calls.append((args, given)))
    assert main([str(token) for token in tokens]) == 0
    return calls[0]


def test_only_what_the_user_gives_reaches_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else ``--config`` would be overridden by defaults."""
    assert given_to("train", monkeypatch, "train", "--config", "old") == ((), {"config": Path("old")})


def test_settings_of_every_type(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = "train bbbc039 --root data --out run --patch 64 96 --rate 1e-3 --betas 0.8 0.9 --weights.affinity 2"
    more = "--weights.foreground 0 --geometry flip rotate90 --intensity --channels 0 2 --resume --clip 5"
    args, given = given_to("train", monkeypatch, *tokens.split(), *more.split())
    assert args == ("bbbc039",)
    assert given == {
        "root": Path("data"),
        "out": Path("run"),
        "patch": (64, 96),
        "rate": 1e-3,
        "betas": (0.8, 0.9),
        "weights": {"affinity": 2.0, "foreground": 0.0},
        "geometry": ("flip", "rotate90"),
        "intensity": (),
        "channels": (0, 2),
        "resume": True,
        "clip": 5.0,
    }


@pytest.mark.parametrize(
    ("verb", "tokens"),
    [
        ("train", "synthetic"),
        ("distill", "synthetic --teacher teacher"),
        ("predict", "model --out labels --dataset synthetic"),
        ("proofread", "model --out list --dataset synthetic"),
        ("evaluate", "labels --dataset synthetic"),
        ("tune", "model synthetic"),
        ("report", "run --out page --dataset synthetic"),
    ],
)
def test_options_of_data_sets_take_one_value_or_several(
    verb: str, tokens: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = "--options.size 96 96 --options.count 3 --options.image-key a/raw --options.density=-1"
    _, given = given_to(verb, monkeypatch, verb, *tokens.split(), *options.split())
    assert given["options"] == {"size": ["96", "96"], "count": "3", "image_key": "a/raw", "density": "-1"}
    _, given = given_to(verb, monkeypatch, verb, *tokens.split())
    assert "options" not in given


def test_options_of_several_values_train(tmp_path: Path, capsys: Capture, without_reports: None) -> None:
    tokens = (
        f"train synthetic --options.size 40 48 --options.count 1 --patch 32 32 --batch 1 --steps 1 --out {tmp_path}/a"
    )
    network = "--network resunet-tiny --width 2 --dim 4 --workers 0 --device cpu"
    assert main([*tokens.split(), *network.split()]) == 0
    assert main(["train", "--config", f"{tmp_path}/a", "--resume"]) == 0
    capsys.readouterr()
    assert main(["train", "--config", f"{tmp_path}/a", "--options.count", "1", "2", "--out", f"{tmp_path}/b"]) == 2
    assert "count: got ['1', '2'], expected int" in capsys.readouterr().err


def test_the_student_is_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = "distill folder --root cells --teacher runs/teacher --student resunet-tiny --out runs/student"
    _, given = given_to("distill", monkeypatch, *tokens.split())
    assert given == {
        "root": Path("cells"),
        "teacher": Path("runs/teacher"),
        "student": "resunet-tiny",
        "out": Path("runs/student"),
    }


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    config = a_config(
        {"name": "resunet-tiny", "dim": 4, "filters": (2, 4, 8)},
        offsets=((-1, 0), (0, -1), (-27, 0)),
        segmentation={"segmenter": "mutex", "foreground_threshold": 0.4, "minimum_size": 12},
        training={"dataset": "bbbc039", "steps": 1500, "method": "graph", "patch": [256, 256]},
    )
    checkpoint.save(path, create_network("resunet-tiny", dim=4, filters=(2, 4, 8)), config)
    return path


def test_info_says_what_a_model_is(model: Path, capsys: Capture) -> None:
    assert main(["info", str(model)]) == 0
    out = capsys.readouterr().out
    network = create_network("resunet-tiny", dim=4, filters=(2, 4, 8))
    told = (
        f"{sum(weight.numel() for weight in network.parameters()):,}",
        "resunet-tiny",
        "MB",
        "percentiles",
        "(-27, 0)",
    )
    for word in (*told, "mutex", "0.4", "12", "bbbc039", "1500", "graph", "multiply-adds"):
        assert word in out, word


def test_exit_codes(model: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def fail(error: BaseException) -> None:
        def locate(path: object) -> Path:
            raise error

        monkeypatch.setattr(checkpoint, "locate", locate)

    for error, code, words in (
        (UserError("wrong"), 2, "wrong"),
        (SomeFailed("some"), 1, "some"),
        (KeyboardInterrupt(), 130, "stopped"),
        (OSError(28, "No space left on device", "file"), 2, "No space left on device"),
        (PermissionError(13, "Permission denied"), 2, "Permission denied"),
        (MemoryError(), 2, "--tile"),
        (RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB."), 2, "--batch"),
        (RuntimeError("[enforce] DefaultCPUAllocator: can't allocate memory: you tried to allocate"), 2, "--batch"),
    ):
        fail(error)
        assert main(["info", str(model)]) == code
        out, err = capsys.readouterr()
        assert len(err.splitlines()) == 1
        assert err.startswith("segraft: ")
        assert words in err
        assert not out


def test_a_mistake_of_ours_is_no_mistake_of_the_users(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "locate", lambda path: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["info", str(model)])


def test_predict_returns_the_exit_code_of_its_function(model: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "bad.tif").write_text("no image")
    assert main(["predict", str(model), str(tmp_path / "bad.tif"), "--out", str(tmp_path / "out")]) == 2
    assert "0 of 1 images segmented" in capsys.readouterr().out


def test_the_program_propagates_the_exit_code() -> None:
    with (PROJECT / "pyproject.toml").open("rb") as file:
        assert tomllib.load(file)["project"]["scripts"] == {"segraft": "segraft.cli:main"}  # pip wraps it in sys.exit
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    command = [sys.executable, "-m", "segraft"]
    done = subprocess.run([*command, "nope"], capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("tokens", [["train", "--help"], ["--version"]])
def test_a_closed_pipe_is_no_error(tokens: list[str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src")}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "segraft", *tokens],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        env=environment,
    )
    os.close(writer)
    assert done.stderr == b""


def test_no_other_attribute_is_made_up() -> None:
    with pytest.raises(AttributeError, match="nope"):
        cli.nope  # noqa: B018


def test_threads_do_not_spin_for_long_while_they_wait() -> None:
    """Else small networks train ten times slower beside another program; what the user set counts more."""
    name, value = cli.SPINNING
    show = f"import os; from segraft.cli import main; main(['--version']); print(os.environ['{name}'])"
    for given, kept in ((None, value), ("7", "7")):
        environment = {key: each for key, each in os.environ.items() if key != name}
        environment |= {} if given is None else {name: given}
        done = subprocess.run([sys.executable, "-c", show], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.split()[-1] == kept
