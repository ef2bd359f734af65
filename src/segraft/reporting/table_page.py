"""A table of the paper as a page of its own."""

from __future__ import annotations

from segraft.errors import UserError
from segraft.paper.sheets import Document
from segraft.reporting.page import available
from segraft.reporting.template import render


def table_page(document: Document) -> str:
    """Return the page as HTML, which needs no network. Raises ``UserError`` where jinja2 is missing."""
    if not available():
        raise UserError("a page needs matplotlib and jinja2; one is missing; run: pip install 'segraft[report]'")
    return render("table.html.j2", document=document)
