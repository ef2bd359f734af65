"""Values from YAML and the command line become what an annotation asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from segraft.coerce import coerce, names_function
from segraft.errors import UserError


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (int, 3, 3),
        (int, "3", 3),
        (float, "1e-3", 1e-3),
        (float, 2, 2.0),
        (bool, "False", False),
        (bool, True, True),
        (str, "true", "true"),
        (int | None, "none", None),
        (int | None, "7", 7),
        (str | None, "none", "none"),
        (Path | None, "none", Path("none")),
        (Sequence[int], "128, 64", (128, 64)),
        (Sequence[int] | None, "[1 2]", (1, 2)),
        (tuple[float, float], [1, "2"], (1.0, 2.0)),
        (tuple[int, ...], [], ()),
        (tuple[Path, ...] | None, "a", (Path("a"),)),
        (tuple[Path, ...] | None, ["a", "b"], (Path("a"), Path("b"))),
        (dict[str, float], {"a": "1"}, {"a": 1.0}),
        (dict[str, Any], {"a": "1"}, {"a": "1"}),
    ],
    ids=str,
)
def test_what_an_annotation_asks_for(hint: Any, value: Any, expected: Any) -> None:
    result = coerce("name", hint, value)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("mine:label", True), ("a.b2:_c", True), ("runs/a", False), ("a:b:c", False), ("2a:b", False), ("C:/x", False)],
)
def test_names_of_functions(text: str, wanted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert names_function(Path(text)) == wanted
    assert not names_function(None)
    if wanted:
        Path(text).touch()
        assert not names_function(Path(text))


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (int, 1.5),
        (int, "1.5"),
        (int, True),
        (bool, 1),
        (bool, "perhaps"),
        (float, "much"),
        (float, None),
        (str, 3),
        (tuple[float, float], (1.0,)),
        (tuple[int, ...], "12"),
        (Sequence[int], 3),
        (Sequence[int], "a b"),
        (dict[str, float], "a"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_by_name(hint: Any, value: Any) -> None:
    with pytest.raises(UserError, match=r"^name: got .*, expected .*; change it$"):
        coerce("name", hint, value)
