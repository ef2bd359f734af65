"""The site's modules in a headless browser, without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from segraft.browser.page import SITE
from shared.browser import CHROMIUM
from shared.devtools import Browser, browser, served

Call = Callable[..., Any]


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A running browser."""
    if CHROMIUM is None:
        pytest.skip("no Chromium")
    with browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="session")
def site(chromium: Browser) -> Iterator[Call]:
    """Runs a script that returns a value, with the site's modules by name, and arguments as JSON has them."""
    with served(SITE) as address:
        chromium.open(address + "icon.svg")
        chromium.wait(f"location.href.startsWith('{address}')")
        yield lambda script, **given: chromium.call_function(script, **given)
