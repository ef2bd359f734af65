"""Recipes: frozen settings of every experiment of the paper's Tables II to VI and Fig. 6, with the published scores.

Data and rules only; `segraft.commands.recipe` runs them. `segraft.paper.published` has all published values.
"""

from segraft.paper.recipe import Recipe, Segmentation
from segraft.paper.tables import FIGURES, RECIPES, TABLES

__all__ = ["FIGURES", "RECIPES", "TABLES", "Recipe", "Segmentation"]
