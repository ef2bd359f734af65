"""Recipes: frozen settings of every experiment of the paper's Tables I to VI, with command, cost and published score.

Data and rules only; `segraft.commands.recipe` runs them. A published score that is missing here could not be read in
any source that was accessible: add it to ``published`` of its data set in ``pairs.py``, with its source.
"""

from segraft.paper.recipe import Recipe, Segmentation
from segraft.paper.tables import RECIPES, TABLES

__all__ = ["RECIPES", "TABLES", "Recipe", "Segmentation"]
