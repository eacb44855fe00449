"""Few-shot curves: studies that differ in nothing but the number of labelled rows, side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from softbridge.reports.studies import Study


@dataclass(frozen=True)
class Curve:
    """Hold one arm's scores on one target by the number of labelled rows a class.

    Arguments:
        shots: the numbers, the smallest first; None, all rows, comes last.
        scores: for each of them the scores of the seeds.
    """

    shots: tuple[int | None, ...]
    scores: tuple[tuple[float, ...], ...]


def siblings(study: Study, studies: Sequence[Study]) -> list[Study]:
    """Return the studies that differ from one in the number of shots alone, itself among them, fewest first.

    Where a number was run twice, as when a recipe's default changed back and forth, the newest stands.
    """
    found: dict[int | None, Study] = {}
    for other in sorted(studies, key=lambda one: one.newest.created):
        if without_shots(other) == without_shots(study):
            found[other.newest.recipe.get("shots")] = other
    return [found[shots] for shots in sorted(found, key=lambda shots: (shots is None, shots or 0))]


def rows(study: Study, studies: Sequence[Study]) -> str:
    """Say how many labelled rows a study had, where others differ from it in this."""
    recipe = study.newest.recipe
    free = any(domain.get("answer") for domain in (recipe.get("targets") or {}).values())
    known, of = ("answered rows", "") if free else ("labelled rows", " of each class")
    named = f"all {known}" if recipe.get("shots") is None else f"{recipe['shots']:,} {known}{of}"
    return named if len(siblings(study, studies)) > 1 else ""


def called(study: Study, studies: Sequence[Study]) -> str:
    """Return a study's name, with the number of labelled rows where others differ from it in this."""
    return ", ".join(filter(None, (study.name, rows(study, studies))))


def without_shots(study: Study) -> str:
    """Return a study's recipe but for the number of shots, as canonical JSON."""
    recipe = {key: value for key, value in study.newest.recipe.items() if key != "shots"}
    return json.dumps([study.name, recipe], sort_keys=True)


def curves(studies: Sequence[Study], target: str, metric: str = "") -> dict[str, Curve]:
    """Return each arm's curve on a target; an arm that has fewer than two points is left out."""
    found = {}
    for arm in dict.fromkeys(arm for study in studies for arm in study.arms):
        points = [(study.newest.recipe.get("shots"), study.scores(target, arm, metric)) for study in studies]
        kept = [(shots, tuple(values.values())) for shots, values in points if values]
        if len(kept) > 1:
            found[arm] = Curve(tuple(shots for shots, _ in kept), tuple(values for _, values in kept))
    return found
