"""Questions that the paper leaves open, each as an experiment of an hour or so: ``segraft recipe NAME``.

Descriptions and rules only; `segraft.commands.answering` runs them.
"""

from segraft.paper.questions.crowds import DENSITY
from segraft.paper.questions.dimension import DIMENSION
from segraft.paper.questions.few_labels import FEW
from segraft.paper.questions.gap import GAP
from segraft.paper.questions.memory import MEMORY
from segraft.paper.questions.question import Condition, Panel, Question, Trial
from segraft.paper.questions.terms import TERMS

QUESTIONS: dict[str, Question] = {each.name: each for each in (DENSITY, GAP, MEMORY, DIMENSION, TERMS, FEW)}
"""Every question by name."""

__all__ = ["QUESTIONS", "Condition", "Panel", "Question", "Trial"]
