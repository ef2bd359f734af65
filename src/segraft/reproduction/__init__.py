"""Published experiments again: run a recipe, and print the paper's tables with what came out."""

from segraft.reproduction.printing import table
from segraft.reproduction.running import recipe

__all__ = ["recipe", "table"]
