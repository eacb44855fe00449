"""The parts of a study that may be carried out apart: its sources, then its cells."""

from __future__ import annotations

from dataclasses import dataclass

from softbridge.recipe import Recipe


@dataclass(frozen=True)
class Part:
    """Name a part of a study: one source, or one target with one arm.

    Arguments:
        shots: the place of its value of `shots` among the recipe's.
        source: the source; empty for a cell.
        target: the target; empty for a source.
        arm: the arm's name, as records have it; empty for a source.
    """

    shots: int = 0
    source: str = ""
    target: str = ""
    arm: str = ""

    def reads(self, source: str) -> bool:
        """Say whether the part needs a source: a cell takes what is there of any."""
        return self.source in ("", source)

    def holds(self, target: str, arm: str) -> bool:
        """Say whether a cell is this part."""
        return (self.target, self.arm) == (target, arm)

    def __str__(self) -> str:
        return self.source or f"{self.target} / {self.arm}"


def waves(recipe: Recipe) -> list[list[Part]]:
    """Return a recipe's parts, those together that do not need one another.

    They are known before anything is opened: of a source that no arm reads, and of a cell whose target is its own
    source, a run makes nothing.

    Example:
        >>> from softbridge.recipe import read
        >>> [len(wave) for wave in waves(read("quickstart"))], str(waves(read("quickstart"))[1][0])
        ([1, 18], 'products / no prompt')
    """
    sources, cells = [], []
    for place, one in enumerate(recipe.by_shots()):
        sources += [Part(place, source=name) for name in one.sources] if place == 0 else []
        arms = [part.name for arm in one.arms.values() for part in arm.apart(one.sources)]
        cells += [Part(place, target=target, arm=arm) for target in one.targets for arm in arms]
    return [wave for wave in (sources, cells) if wave]
