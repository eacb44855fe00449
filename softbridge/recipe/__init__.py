"""Recipes: strict YAML to a typed tree, or every problem at once."""

from softbridge.recipe.citing import citations
from softbridge.recipe.explaining import explain
from softbridge.recipe.reading import read, resume
from softbridge.recipe.schema import Arm, Recipe, Training
from softbridge.recipe.shelf import find, heading, papers, shelf

__all__ = ["Arm", "Recipe", "Training", "citations", "explain", "find", "heading", "papers", "read", "resume", "shelf"]
