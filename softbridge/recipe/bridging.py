"""The recipe of a user's own data and the gallery: sources that were learned before, and the ways that are tried."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from softbridge.domains.sketches import Sketch
from softbridge.errors import SoftbridgeError
from softbridge.prompts.shelved import Shelved
from softbridge.recipe import drafting
from softbridge.recipe.reading import resume
from softbridge.recipe.schema import Recipe

SCRATCH = "scratch"
AVERAGES = ("average of all", "average of 3")
STEPS, BATCH, LOOK = 48, 8, 12
LEAST = 2  # rows of a class: one to learn from where the other is held out


def ways(ranked: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the bridges that are tried from ranked sources, the likeliest first, as a recipe's arms.

    An average is the arithmetic of its sources' changes at the scale of one. No way asks validation rows for a setting:
    rows that are held out are there to judge.

    Arguments:
        ranked: the sources, the most promising first.

    Example:
        >>> list(ways(["a", "b"]))
        ['average of all', 'spot from a', 'attempt', 'proximal from a', 'spot from b', 'arithmetic']
    """
    first, few, some = ranked[0], list(ranked[:3]), list(ranked[:5])
    found: dict[str, dict[str, Any]] = {}
    if len(ranked) > 1:
        found[AVERAGES[0]] = average(ranked)
    if len(ranked) > 3:
        found[AVERAGES[1]] = average(few)
    found[f"spot from {first}"] = {"bridge": "spot", "source": first}
    if len(ranked) > 1:
        found["attempt"] = {"bridge": "attempt", "sources": some}
    found[f"proximal from {first}"] = {"bridge": "proximal", "source": first}
    if len(ranked) > 1:
        found[f"spot from {ranked[1]}"] = {"bridge": "spot", "source": ranked[1]}
    found["arithmetic"] = {"bridge": "arithmetic", "sources": few, "scale": 0.5}
    return found | {f"spot from {name}": {"bridge": "spot", "source": name} for name in ranked[2:]}


def average(sources: Sequence[str]) -> dict[str, Any]:
    """Return the arm that starts from the mean of sources' prompts, which share their start."""
    return {"bridge": "arithmetic", "sources": list(sources), "scale": round(1 / len(sources), 6)}


def always(arms: Collection[str]) -> tuple[str, ...]:
    """Return the ways that are tried to the end: scratch, and the average of all."""
    return (SCRATCH, *(name for name in AVERAGES[:1] if name in arms))


def preferred(recipe: Recipe) -> list[str]:
    """Return a recipe's ways in the order in which they are preferred where rows cannot tell them apart.

    Where sources know a class of the target the averages come first: on data other than those of the benchmark they
    were not worse than scratch. Else scratch does. Then come the others, which rest on one source or on a network of
    many parameters.
    """
    (target,) = recipe.targets.values()
    known = {name for source in recipe.sources.values() for name in source.labels}
    first = (*AVERAGES, SCRATCH) if known & set(target.labels) else (SCRATCH, *AVERAGES)
    return [*(name for name in first if name in recipe.arms), *(name for name in recipe.arms if name not in first)]


def recipe_for(
    found: Sketch,
    shelves: Mapping[str, Shelved],
    backbone: str,
    arms: Mapping[str, Mapping[str, Any]] | None = None,
    shots: int | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    words: Mapping[str, str] | None = None,
) -> Recipe:
    """Return the recipe from saved prompts to data that were looked at.

    Arguments:
        found: what the data look like.
        shelves: the saved prompts by name, all learned alike.
        backbone: the backbone's name.
        arms: the ways to the target beside scratch, as a recipe writes them.
        shots: labelled rows of each class; None for all.
        seeds: one member each.
        words: label words by class name, where they are given.

    Raises:
        SoftbridgeError: when there are no saved prompts, or words are given for a class that is none.
        RecipeError: when the recipe cannot be.
    """
    if shots is not None and shots < LEAST:
        raise SoftbridgeError(
            f"shots is {shots}", f"{LEAST} or more rows of each class, to learn from and to be scored", "raise it"
        )
    if not shelves:
        raise SoftbridgeError(
            f"the gallery has no prompts of the backbone {backbone}",
            "a backbone of the gallery, or a folder of prompts that were learned with this one",
            "softbridge ls gallery, or make one: softbridge gallery RECIPE --shelf FOLDER, and give it with --gallery",
        )
    unknown = set(words or {}) - set(found.counts)
    if unknown:
        known = ", ".join(found.counts)
        raise SoftbridgeError(
            f"words are given for '{min(unknown)}'", f"one of the classes {known}", "mend --words CLASS=WORDS"
        )
    card = next(iter(shelves.values())).card
    name = drafting.names([], [found])["targets"][0]
    name = f"{name} (target)" if name in shelves else name
    keys = drafting.keys(found, worded(found, backbone, shelves, words or {}))
    settings = {key: value for key, value in card.settings.items() if value is not None}
    return resume(
        {
            "name": f"bridge-{name}",
            "seeds": list(seeds),
            "backbone": {"name": backbone, "kind": card.kind, **settings},
            "prompt": {"kind": card.prompt, "length": card.length, "init": card.init},
            "sources": {name: {"prompts": shelf.prompts} for name, shelf in shelves.items()},
            "targets": {name: {**keys, "validation": 0, "test": 0.2}},
            "shots": shots,
            "training": {"target": {"steps": STEPS, "batch": BATCH, "evaluate_every": LOOK, "choose_by": "last"}},
            "arms": {SCRATCH: {"bridge": "scratch"}, **(arms or {})},
        },
        "the recipe of your data",
    )


def worded(found: Sketch, backbone: str, shelves: Mapping[str, Shelved], words: Mapping[str, str]) -> drafting.Wording:
    """Return the wording: the given words, or those that the prompts were learned with, or the usual ones."""
    card = next(iter(shelves.values())).card
    usual = drafting.worded(found, card.kind, backbone).labels
    known = {name: words.get(name, card.verbalizer.get(name, usual[name])) for name in found.counts}
    return drafting.Wording(card.template, known)
