"""The house keeps its order: floors, small rooms, a light front door, nothing of one machine in the text."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from jaxtyping import TypeCheckError

import segraft

PROJECT = Path(__file__).parent.parent
PACKAGE = PROJECT / "src" / "segraft"
FILES = sorted(PACKAGE.rglob("*.py"))

FLOORS = (
    ("errors",),
    ("types", "weights", "signals"),
    ("tensors", "ranks"),
    ("files", "coerce", "terminal", "graphs", "networks"),
    ("labels", "losses"),
    ("images", "metrics", "segment"),
    ("settings",),
    ("run_folder",),
    ("paper",),
    ("data",),
    ("model",),
    ("blocks", "deploy", "zoo", "reporting", "browser"),
    ("training",),
    ("commands",),
    ("cli", "napari"),
    ("__main__",),
)
"""From the ground up. A file imports from lower floors only, and from its own room."""

LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
LONGEST_FILE = 300
LONGEST_FUNCTION = 40
TYPED_ROOMS = ("model", "training", "commands")
"""Rooms in which nothing that is a network or a configuration may be of any type."""
NETWORKS_AND_CONFIGURATIONS = re.compile(r"(^|_)(network|teacher|student|model|runner|module|config|configuration)s?$")


def room(path: Path) -> str:
    """The module or subpackage directly under ``segraft`` that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> Iterator[tuple[int, str]]:
    """(line, room) of every import of the package's own in a file, also those inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: relative import; write it in full"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            first, _, rest = name.partition(".")
            if first == "segraft":
                yield node.lineno, rest.partition(".")[0] or "__init__"


def function_lengths(path: Path) -> Iterator[tuple[int, str, int]]:
    """(line, name, lines of code) of every function; parameters, docstring, blank lines and comments are free."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            counted = set(range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1))
            if ast.get_docstring(node):
                counted -= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
            code = [lines[number - 1].strip() for number in counted]
            yield node.lineno, node.name, sum(bool(line) and not line.startswith("#") for line in code)


def relative(path: Path) -> str:
    return str(path.relative_to(PROJECT))


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_imports_come_from_lower_floors(path: Path) -> None:
    own = room(path)
    if own == "__init__":
        return  # the front door opens to every room
    assert own in LEVEL, f"{own!r} stands on no floor; FLOORS says where rooms are"
    for line, other in imported_rooms(path):
        if other == own:
            continue
        assert other in LEVEL, f"{path.name}:{line}: import segraft's rooms, not its front door ({other!r})"
        assert LEVEL[other] < LEVEL[own], f"{path.name}:{line}: {own} imports {other} from no lower floor"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_rooms_are_small(path: Path) -> None:
    length = len(path.read_text(encoding="utf-8").splitlines())
    assert length <= LONGEST_FILE, f"{length} lines; two rooms in one?"
    long = [f"{name} (line {line}): {size}" for line, name, size in function_lengths(path) if size > LONGEST_FUNCTION]
    assert not long, f"functions of more than {LONGEST_FUNCTION} lines: {long}"


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_private_names_stay_private(path: Path) -> None:
    """A name that begins with an underscore is imported by nobody."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("segraft"):
            private = [alias.name for alias in node.names if alias.name.startswith("_")]
            assert not private, f"line {node.lineno}: {private} of {node.module}"


def annotated(path: Path) -> Iterator[tuple[int, str, str]]:
    """(line, name, annotation) of every parameter, field and annotated variable, and of what functions return."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.arg) and node.annotation is not None:
            yield node.lineno, node.arg, ast.unparse(node.annotation)
        elif isinstance(node, ast.AnnAssign):
            yield node.lineno, ast.unparse(node.target).rpartition(".")[2], ast.unparse(node.annotation)
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            yield node.lineno, node.name, ast.unparse(node.returns)


@pytest.mark.parametrize("path", [path for path in FILES if room(path) in TYPED_ROOMS], ids=relative)
def test_networks_and_configurations_have_types(path: Path) -> None:
    for line, name, annotation in annotated(path):
        if NETWORKS_AND_CONFIGURATIONS.search(name):
            assert not re.search(r"\bAny\b", annotation), f"line {line}: {name} is {annotation}"


def test_no_room_for_odds_and_ends() -> None:
    stems = {path.stem for path in FILES} | {path.parent.name for path in FILES}
    assert not stems & {"utils", "util", "helpers", "common", "misc", "tools", "base"}


def test_no_module_shares_a_name_with_a_public_function() -> None:
    modules = {room(path) for path in FILES}
    assert not modules & set(segraft.__all__)


def exists(home: str) -> bool:
    """Whether a module of the package is written yet; the type checker misses those that are not."""
    return importlib.util.find_spec(f"segraft.{home}") is not None


def test_front_door_and_its_types_agree() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    typed = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("segraft.")
        for alias in node.names
    }
    assert typed == {name: f"segraft.{home}" for name, home in segraft._HOMES.items()}


def test_every_public_name_is_there() -> None:
    missing = [name for name, home in segraft._HOMES.items() if exists(home) and not hasattr(segraft, name)]
    assert not missing
    with pytest.raises(AttributeError, match="no_such_name"):
        segraft.no_such_name  # noqa: B018


def modules_after(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after the statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    environment = {"PYTHONPATH": str(PROJECT / "src"), "PATH": ""}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return set(run.stdout.split())


HEAVY = {"lightning", "pytorch_lightning", "tensorboard", "matplotlib", "jinja2", "skimage"}


def test_importing_segraft_does_no_work() -> None:
    heavy = HEAVY | {"torch", "numpy", "scipy", "zarr", "h5py", "bioimage_cpp", "cyclopts"}
    assert not modules_after("import segraft") & heavy


@pytest.mark.parametrize("tokens", [["--help"], ["train", "--help"], ["distill", "--help"]])
def test_asking_for_help_waits_for_no_network(tokens: list[str]) -> None:
    heavy = HEAVY | {"torch", "numpy", "scipy", "zarr", "h5py", "bioimage_cpp"}
    code = "import contextlib, io; from segraft.cli import main\n"
    code += f"with contextlib.redirect_stdout(io.StringIO()): main({tokens})"
    assert not modules_after(code) & heavy


def test_what_predicts_does_not_load_what_trains() -> None:
    below = {room(path) for path in FILES if LEVEL.get(room(path), len(LEVEL)) < LEVEL["reporting"]}
    assert not modules_after("import " + ", ".join(f"segraft.{name}" for name in sorted(below))) & HEAVY


def test_shapes_are_checked_in_tests() -> None:
    with pytest.raises(TypeCheckError):
        segraft.embedding_affinities(torch.zeros(3), segraft.OFFSETS_2D)


def test_torchvision_is_not_installed() -> None:
    assert importlib.util.find_spec("torchvision") is None, "its presence breaks lightning and torchmetrics"


def tracked_texts() -> Iterator[tuple[Path, str]]:
    """Every text file of the project that git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not in a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        path = PROJECT / name
        if path.is_file():
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue  # an image or another binary


def test_no_path_of_one_machine_in_the_text() -> None:
    machine = re.compile(r"(?<![\w.\-/~])/(?:home|root|work|Users|mnt|scratch)/\w|\b[A-Z]:\\{1,2}\w", re.MULTILINE)
    found = [f"{relative(path)}: {hit.group()}" for path, text in tracked_texts() for hit in machine.finditer(text)]
    assert not found
