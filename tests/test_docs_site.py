"""The documentation's site carries the page that segments images in the browser, where it is asked for."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import segraft

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("try_it", DOCS / "try_it.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["index.md", "web.md"])
def test_pages_link_to_it_where_it_is_there(hook: ModuleType, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (DOCS / page).read_text()
    assert hook.PLACE in text
    monkeypatch.delenv("SEGRAFT_TRY_IT", raising=False)
    assert "try/index.html" not in hook.on_page_markdown(text, page=None)
    monkeypatch.setenv("SEGRAFT_TRY_IT", "1")
    assert hook.on_page_markdown(text, page=None) == text.replace(hook.PLACE, hook.LINK)
    assert 'href="try/index.html"' in hook.LINK


def test_the_page_is_written_into_the_site(hook: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []
    monkeypatch.setattr(segraft, "web", written.append, raising=False)
    monkeypatch.delenv("SEGRAFT_TRY_IT", raising=False)
    hook.on_post_build({"site_dir": str(tmp_path)})
    assert not written
    monkeypatch.setenv("SEGRAFT_TRY_IT", "1")
    hook.on_post_build({"site_dir": str(tmp_path)})
    assert written == [tmp_path / "try"]
