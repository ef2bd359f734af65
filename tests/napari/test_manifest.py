"""The manifest of the plugin names things that are there; napari itself is not needed to see that."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).parent.parent.parent
MANIFEST: dict[str, Any] = yaml.safe_load((PROJECT / "src/segraft/napari/napari.yaml").read_text(encoding="utf-8"))
COMMANDS = {each["id"]: each["python_name"] for each in MANIFEST["contributions"]["commands"]}


def test_napari_finds_the_manifest() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    package, _, file = project["entry-points"]["napari.manifest"][MANIFEST["name"]].partition(":")
    assert (PROJECT / "src" / package.replace(".", "/") / file).is_file()
    assert not any("pyqt" in each.lower() for each in project["optional-dependencies"]["napari"])


@pytest.mark.parametrize("name", COMMANDS.values())
def test_every_command_is_there(name: str) -> None:
    module, _, wanted = name.partition(":")
    tree = ast.parse((PROJECT / "src" / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    assert wanted in {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}


def test_every_contribution_has_its_command() -> None:
    given = {kind: entries for kind, entries in MANIFEST["contributions"].items() if kind != "commands"}
    menus = given.pop("menus").values()
    used = [entry["command"] for entries in (*given.values(), *menus) for entry in entries]
    assert set(used) == set(COMMANDS)
    assert all(name.startswith("segraft.") for name in COMMANDS)
