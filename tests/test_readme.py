"""Every command and every piece of code in README and docs is executed, page by page, in order.

A page runs in an empty folder that holds a user's ``cells`` (see the fixture). Training is cut to two steps of
one patch; everything else is taken as it stands. A block is left out only by a comment before it that says why:
``<!-- not executed: reason -->``.
"""

from __future__ import annotations

import glob
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
SHELL = {"bash", "console", "sh", "shell"}
FENCE = re.compile(
    r"^(?:<!-- not executed: (?P<reason>\S[^\n]*?) -->\n+)?```(?P<language>[\w+-]*)[^\n]*\n(?P<code>.*?)^```[ ]*$",
    re.DOTALL | re.MULTILINE,
)
QUICK = ["--steps", "2", "--batch", "1"]
"""Replaces the number of steps that a page gives to ``train`` and ``distill``."""


@dataclass(frozen=True)
class Block:
    line: int
    language: str
    code: str
    reason: str | None


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(text.count("\n", 0, hit.start("code")), hit["language"], hit["code"], hit["reason"])
        for hit in FENCE.finditer(text)
    ]


def shell_words(line: str) -> list[str]:
    """The words of a command as a shell hands them over: quotes removed, globs expanded."""
    found = [sorted(glob.glob(word)) or [word] for word in shlex.split(line, comments=True)]
    return [word for words in found for word in words]


def quicker(words: list[str]) -> list[str]:
    """The same command with few steps, where it has a number of steps."""
    if "--steps" not in words:
        return words
    at = words.index("--steps")
    return [*words[:at], *QUICK, *words[at + 2 :]]


def run_shell(code: str) -> None:
    """Run the lines of a block, which all must begin with ``segraft``, inside this process."""
    from segraft.cli import main

    for line in code.replace("\\\n", " ").splitlines():
        words = shell_words(line.removeprefix("$ "))
        if not words:
            continue
        assert words[0] == "segraft", f"{line!r}: only segraft is run here; say why it is not executed"
        try:
            code_of_exit = main(quicker(words[1:]))
        except SystemExit as left:
            code_of_exit = left.code
        assert code_of_exit in (None, 0), f"{line!r} ended with {code_of_exit!r}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_runs(page: Path, cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cells.parent)
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page):
        if block.reason:
            continue
        if block.language == "python":
            exec(compile("\n" * block.line + block.code, str(page), "exec"), names)
        elif block.language in SHELL:
            run_shell(block.code)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_block_escapes(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    fences = len(re.findall(r"^\s*(?:```|~~~)", text, re.MULTILINE))
    assert fences == 2 * len(blocks(page)), "a fenced block is indented, open or written with ~~~; it would not be run"
    known = {"python", "text", "yaml", "json"} | SHELL
    assert {block.language for block in blocks(page)} <= known, "name the block's language"
    assert text.count("<!-- not executed:") == sum(block.reason is not None for block in blocks(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text)]
    broken = [name for name in targets if name and "://" not in name and not (page.parent / name).exists()]
    assert not broken


def test_first_commands_of_the_readme() -> None:
    first, second = [block.code.strip() for block in blocks(PROJECT / "README.md") if block.language == "bash"][:2]
    assert first.startswith("python3 -m venv .venv && .venv/bin/pip install -c constraints.txt")
    assert ".venv/bin/segraft predict nuclei src/segraft/data/nuclei/test/images" in first
    assert second == "./gate"
    assert (PROJECT / "gate").stat().st_mode & 0o111
