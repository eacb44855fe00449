"""The toy study that the tests of whole runs share: two sources and a target of made-up rows, a pico backbone."""

from collections.abc import Sequence
from pathlib import Path

from tests import pico

HEAD = """
name: toy
seeds: {seeds}
backbone: {{name: {backbone}, max_length: 32, precision: float32, attention: sdpa}}
prompt: {{length: 3}}
domain:
  labels: {{negative: negative, positive: positive}}
sources:
  films: {{data: films.csv}}
  books: {{data: books.csv}}
targets:
  toys: {{data: toys.csv}}
shots: 8
validation_shots: 4
training:
  source: {{steps: 8, batch: 4, learning_rate: 0.05, evaluate_every: {every[0]}}}
  target: {{steps: 4, batch: 4, learning_rate: 0.05, evaluate_every: {every[1]}}}
arms:
"""


def make(
    folder: Path, arms: str, seeds: Sequence[int] = (0, 1), every: tuple[int, int] = (4, 2), kind: str = "sentence"
) -> Path:
    """Make the backbone, the domains and a recipe of the arms, and return the recipe's file.

    Arguments:
        folder: where.
        arms: the recipe's last section, as it stands in YAML.
        seeds: the recipe's.
        every: steps from one checkpoint to the next, on a source and on the target.
        kind: the backbone's.
    """
    for seed, name in enumerate(["films", "books", "toys"]):
        pico.frame(seed=seed).to_csv(folder / f"{name}.csv")
    backbone = pico.save_backbone(folder / "backbone", kind)
    recipe = folder / "toy.yaml"
    recipe.write_text(HEAD.format(seeds=list(seeds), backbone=backbone, every=every) + arms)
    return recipe
