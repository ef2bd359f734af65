"""What a question is: trainings that differ in what is asked, the images that they are scored on, and what is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

GIVEN = "given"
"""In place of the name of a trial: a model that the user gives is the teacher."""
OF_TEACHER = ", what it remembers"
"""Behind the name of a series: Gram matrices of the teacher, not of the student."""
SCORE = "aji"
"""The score that is drawn."""
Values = Mapping[str, str | int | float]
"""What is varied, by the column of the results."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """A training of each seed; those of one seed see the same images."""

    name: str
    """Unique in its question; also the beginning of the name of its run folders."""
    series: str
    """What plots and tables call it; trials that differ in what is varied have one in common."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the question's settings; ``options`` are added to the question's."""
    teacher: str | None = None
    """Trial, of the same seed, that it learns from, or ``GIVEN``; None learns from labels alone."""
    alone: str | None = None
    """Trial of the same student without a teacher."""
    unlabelled: bool = False
    """Whether it sees the training images that are not labelled, too."""
    values: Values = field(default_factory=dict)
    """What is varied."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Condition:
    """Test images to score on."""

    name: str = "test"
    """What differs between the conditions of that name."""
    values: Values = field(default_factory=dict)
    """What is varied."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the data set's reader, beside the question's ``test``."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A drawing of two columns of the results: means over seeds with a bar of one standard deviation."""

    title: str
    x: str
    y: str = SCORE
    where: Values = field(default_factory=dict)
    """Rows that are drawn: those with these values."""
    series: tuple[str, ...] = ()
    """Which series, in their order; empty draws all."""
    called: str = ""
    """One name for all series, where they are to be one."""
    levels: tuple[str, ...] = ()
    """Series to which x does not apply: horizontal lines."""
    xlabel: str
    ylabel: str = "AJI"
    log: bool = False
    """Whether x doubles from tick to tick."""
    points: bool = False
    """Draw a point for each row, in place of means over seeds."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question that the paper leaves open, as an experiment: ``segraft recipe NAME``."""

    name: str
    asks: str
    """In a sentence."""
    minutes: int
    """Estimated, at full scale, on two cores."""
    settings: Mapping[str, Any]
    """Of all trainings; those of the data set are ``dataset`` and ``options``."""
    trials: tuple[Trial, ...]
    """Teachers come before their students."""
    test: Mapping[str, Any] = field(default_factory=dict)
    """Options of the data set's reader for the test images."""
    images: int = 16
    """Test images of each condition."""
    conditions: tuple[Condition, ...] = (Condition(),)
    panels: tuple[Panel, ...]
    relations: tuple[tuple[str, str], ...] = ()
    """Columns whose correlation is told."""
    seeds: tuple[int, ...] = (0, 1, 2)
    costs: tuple[int, int] | None = None
    """Size of the image at which multiply-adds are counted and milliseconds measured; None does neither."""
    drift: tuple[int, ...] = ()
    """Steps over which it is measured how far embeddings drift while training goes on, each a multiple of the first."""
    data: str | None = None
    """Folder that the user has to give, in words; None generates the images."""

    @property
    def takes_model(self) -> bool:
        """Whether a model that the user gives can be a teacher."""
        return any(trial.teacher == GIVEN for trial in self.trials)

    @property
    def teachers(self) -> frozenset[str]:
        """Names of the trials that teach others."""
        return frozenset(trial.teacher for trial in self.trials if trial.teacher is not None)
