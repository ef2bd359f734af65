"""The command line: each verb is a function that a Python user calls, with its parameters as options."""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, fields
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from signal import SIGINT
from types import NoneType
from typing import Annotated, Any, Union, get_args, get_type_hints

from cyclopts import App, CycloptsError, Group, Parameter

from segraft.errors import Notice, UserError, not_installed, out_of_memory
from segraft.settings import GROUPS, DistillSettings, TrainSettings
from segraft.signals import answered_by, code_of, terminate

Verb = Callable[..., Any]
HELP = {
    "config": "Recorded run, or its config.yaml, to repeat; other options change it.",
    "weights": "Weight of a loss term in place of the default: --weights.TERM VALUE.",
}
"""Words for the command line alone."""
SPINNING = ("GOMP_SPINCOUNT", "10000")
"""How long threads of OpenMP (on Linux) spin while they wait for one another. By default it is so long that where
another program has a core, each of a network's many small steps waits until that is done: training takes ten times as
long."""
OPTIONS = dict[str, Any]
"""The type of a data set's options, each of which may have any."""
app = App(
    name="segraft",
    help="Distil a heavy instance-segmentation network into a tiny one.",
    help_format="plaintext",
    default_parameter=Parameter(consume_multiple=True, negative_iterable=(), negative_bool=()),
)
VERBS = {
    "train": "Train a teacher, or a student without one.",
    "distill": "Train a student on labels and on a teacher.",
    "predict": "Segment images with a trained model: files, folders, globs, data sets.",
    "download": "Download a public data set, checked and unpacked for its reader.",
    "convert": "Turn masks and outlines of other programs into label images, and back.",
    "tune": "Choose the segmentation's settings on validation images and store them.",
    "evaluate": "Score label images against the truth.",
    "benchmark": "Measure parameters, multiply-adds, time and memory of a model.",
    "info": "Say what a model is and how it was trained.",
    "export": "Export a model to one file that runs without PyTorch.",
    "web": "Write a page that segments images in the browser.",
    "report": "Compare runs on the same images, in a table and a page.",
    "proofread": "List the objects that two models see differently, worst first.",
    "recipe": "Repeat a published experiment, or list all of them.",
    "table": "Print a table of the paper, published beside measured; train what it lacks.",
    "figure": "Draw a figure of the paper: segmentations, neurons, embeddings, memory.",
    "demo": "Tell the whole story on real nuclei: teacher, students, report.",
}
"""The verbs; ``segraft.commands.NAME.NAME`` is imported when it is called: the help does not wait for PyTorch."""
SETTINGS = {"train": (TrainSettings, {}), "distill": (DistillSettings, {"network": "student"})}
"""Verbs whose options are all fields of a settings class, and what the command line calls some of them instead."""
for _name, _help in VERBS.items():
    app.command(f"{__name__}:{_name}", name=_name, help=_help)


def __getattr__(name: str) -> Verb:
    """Import the function behind a verb, with its options: those of its settings, or its own parameters."""
    if name not in VERBS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    options = _options_of_settings(*SETTINGS[name]) if name in SETTINGS else _options_of(name)
    return _with_options(options)(lambda *args, **given: _function(name)(*args, **_as_values(given)))


def _as_values(given: dict[str, Any]) -> dict[str, Any]:
    """What was typed, with the data set's options as one text each, or a list where there are several."""
    if "options" not in given:
        return given
    values = {name.replace("-", "_"): typed for name, typed in (given["options"] or {}).items()}
    options = {name: typed[0] if len(typed) == 1 else typed for name, typed in values.items()}
    return given | {"options": options}


def _function(name: str) -> Verb:
    """The function behind a verb; ``UserError`` where what it needs is not installed."""
    try:
        return getattr(import_module(f"segraft.commands.{name}"), name)
    except ImportError as error:
        raise not_installed(error) or error from error


def _options_of(name: str) -> list[inspect.Parameter]:
    """The parameters of a verb's function, with its docstring's words on each as help."""
    verb = _function(name)
    hints, words = get_type_hints(verb), inspect.getdoc(verb) or ""
    helps = {
        name: " ".join(text.replace("``", "").split())
        for names, text in re.findall(r"^(\w+(?:, \w+)*) : (.+(?:\n    .+)*)", words, re.MULTILINE)
        for name in names.split(", ")
    }
    own = [
        _option(item.name, item.kind, item.default, _typed(hints[item.name]), helps.get(item.name, ""))
        for item in inspect.signature(verb).parameters.values()
        if item.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    return [*own, *_options_of_budget()] if "budget" in hints else own


def _options_of_budget() -> list[inspect.Parameter]:
    """One option for every field of a budget."""
    from segraft.paper.budget import Budget  # with all recipes, which most verbs do not need

    documents, hints, section = _documented(Budget), get_type_hints(Budget), Group("Budget")
    place = inspect.Parameter.KEYWORD_ONLY
    return [
        _option(item.name, place, item.default, hints[item.name], documents[item.name], section)
        for item in fields(Budget)
    ]


def _typed(hint: Any) -> Any:
    """A type as it is typed: paths alone where Python users may give text or arrays, too; options of many values."""
    parts = get_args(hint)
    if OPTIONS in (hint, *parts):
        return dict[str, list[str]]
    if str in parts and Path in parts:
        return Union[tuple(part for part in parts if part in (Path, NoneType))]  # noqa: UP007 made of a tuple
    return Sequence[str] if hint == Sequence[str | Path] else hint  # a path would spoil addresses: https:/HOST


def _option(
    name: str, kind: Any, default: Any, hint: Any, text: str, section: Group | None = None
) -> inspect.Parameter:
    """One parameter of a verb with its help, in a section of it; defaults that say nothing are not shown."""
    shown: Any = not any(default is nothing for nothing in (None, False, (), inspect.Parameter.empty))
    if isinstance(default, tuple) and default:
        shown = lambda values: " ".join(map(str, values))  # noqa: E731 as it would be typed
    given: dict[str, Any] = {"help": text, "show_default": shown}
    if section is not None:
        given["group"] = section
    if hint == bool | None or default is True:  # without it the answer is not no
        given["negative"] = f"--no-{name}"
    words = Parameter(**given)
    return inspect.Parameter(name, kind, default=default, annotation=Annotated[hint, words])


def _with_options(options: Sequence[inspect.Parameter]) -> Callable[[Verb], Verb]:
    """Give a function these parameters. Only those that the user gives reach it."""

    def decorate(verb: Verb) -> Verb:
        verb.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
        verb.__annotations__ = {option.name: option.annotation for option in options}
        return verb

    return decorate


def _documented(kind: type) -> dict[str, str]:
    """The text below each field of a settings class and its bases."""
    documents: dict[str, str] = {}
    for owner in reversed(kind.__mro__[:-1]):
        body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0].body  # type: ignore[attr-defined]
        for item, text in pairwise(body):
            if isinstance(item, ast.AnnAssign) and isinstance(text, ast.Expr):
                words = " ".join(ast.literal_eval(text.value).split())
                documents[item.target.id] = words.replace("``", "")  # type: ignore[union-attr]
    return documents


def _options_of_settings(kind: type[TrainSettings], renamed: Mapping[str, str]) -> list[inspect.Parameter]:
    """One option for every setting, by name; the data set may come first without its name."""
    documents, hints = _documented(kind) | HELP, get_type_hints(kind) | {"config": Path | None}
    defaults: dict[str, Any] = {"dataset": None, "config": None}
    defaults |= {item.name: None if item.default is MISSING else item.default for item in fields(kind)}
    sections = {name: Group(title.capitalize(), sort_key=k) for k, title in enumerate(GROUPS) for name in GROUPS[title]}
    options = []
    for name, default in defaults.items():
        place = inspect.Parameter.POSITIONAL_OR_KEYWORD if name == "dataset" else inspect.Parameter.KEYWORD_ONLY
        option = _option(renamed.get(name, name), place, default, _typed(hints[name]), documents[name], sections[name])
        options.append(option)
    return options


def main(tokens: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0 done, 1 some inputs failed, 2 a mistake, 128 and the signal's number (130 for Ctrl-C) stopped by a signal.
    """
    os.environ.setdefault(*SPINNING)  # PyTorch reads it when it is imported
    try:
        with answered_by(terminate), _notices_in_lines():
            code = _call(sys.argv[1:] if tokens is None else list(tokens))
        sys.stdout.flush()
        return code
    except UserError as error:
        if error.code > code_of(0) and sys.stdout.isatty():
            print(file=sys.stderr)  # below the progress bar
        return _answer(str(error), error.code)
    except ImportError as error:
        if (reason := not_installed(error)) is None:
            raise
        return _answer(str(reason), reason.code)
    except CycloptsError as error:
        return _answer(f"{' '.join(str(error).split())} See segraft --help.", 2)
    except KeyboardInterrupt as error:
        return _answer(str(error) or "stopped", code_of(getattr(error, "number", SIGINT)))
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _answer(" ".join(str(error).split()), 2)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        return _answer("out of memory; train with a smaller --batch or --patch, predict with a smaller --tile", 2)


def _call(tokens: list[str]) -> int:
    """Parse and run one command; text that it returns is printed, a number is the exit code."""
    verb, bound, _ = app.parse_args(tokens, print_error=False, exit_on_error=False)
    result = verb(*bound.args, **bound.kwargs)
    if isinstance(result, str):
        print(result)
    return result if isinstance(result, int) else 0


@contextmanager
def _notices_in_lines() -> Iterator[None]:
    """Print a `Notice` as one line without its place in the code; other warnings as always."""
    with warnings.catch_warnings():
        otherwise = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, Notice):
                print(f"segraft: {message}", file=sys.stderr)
            else:
                otherwise(message, category, *place, **more)

        warnings.showwarning = show
        yield


def _answer(text: str, code: int) -> int:
    print(f"segraft: {text}", file=sys.stderr)
    return code
