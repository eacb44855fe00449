"""The recipe of a user's own data and the gallery: sources that were learned before, and the ways that are tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from softbridge.domains.sketches import Sketch
from softbridge.errors import SoftbridgeError
from softbridge.prompts.shelved import Shelved
from softbridge.recipe import drafting
from softbridge.recipe.reading import resume
from softbridge.recipe.schema import Recipe

SCRATCH = "scratch"
STEPS, BATCH, LOOK = 48, 8, 4
MOST_TO_CHOOSE_BY = 32  # validation rows a class; more of them would take longer to look at than to learn from


def ways(ranked: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the bridges that are tried from ranked sources, the likeliest first, as a recipe's arms.

    Those that use several sources come first: of the bridges that were compared they were the better ones.

    Arguments:
        ranked: the sources, the most promising first.

    Example:
        >>> list(ways(["a", "b"]))
        ['average of all', 'spot from a', 'attempt', 'arithmetic', 'spot from b', 'proximal from a']
    """
    first, few, some = ranked[0], list(ranked[:3]), list(ranked[:5])
    found: dict[str, dict[str, Any]] = {}
    if len(ranked) > 1:
        found["average of all"] = {"bridge": "spot", "top": len(ranked)}
    found[f"spot from {first}"] = {"bridge": "spot", "source": first}
    if len(ranked) > 1:
        found["attempt"] = {"bridge": "attempt", "sources": some}
    if len(ranked) > 3:
        found["average of 3"] = {"bridge": "spot", "top": 3, "sources": few}
    found["arithmetic"] = {"bridge": "arithmetic", "sources": few}
    if len(ranked) > 1:
        found[f"spot from {ranked[1]}"] = {"bridge": "spot", "source": ranked[1]}
    found[f"proximal from {first}"] = {"bridge": "proximal", "source": first}
    return found | {f"spot from {name}": {"bridge": "spot", "source": name} for name in ranked[2:]}


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
        shots: labelled rows of each class, a third of which chooses; None for all.
        seeds: one member each.
        words: label words by class name, where they are given.

    Raises:
        SoftbridgeError: when there are no saved prompts, or words are given for a class that is none.
        RecipeError: when the recipe cannot be.
    """
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
    learned, chosen = shared_out(found, shots)
    keys = drafting.keys(found, worded(found, backbone, shelves, words or {}))
    settings = {key: value for key, value in card.settings.items() if value is not None}
    return resume(
        {
            "name": f"bridge-{name}",
            "seeds": list(seeds),
            "backbone": {"name": backbone, "kind": card.kind, **settings},
            "prompt": {"kind": card.prompt, "length": card.length, "init": card.init},
            "sources": {name: {"prompts": shelf.prompts} for name, shelf in shelves.items()},
            "targets": {name: {**keys, "validation": 0.25, "test": 0.2}},
            "shots": learned,
            "validation_shots": chosen,
            "training": {"target": {"steps": STEPS, "batch": BATCH, "evaluate_every": LOOK}},
            "arms": {SCRATCH: {"bridge": "scratch"}, **(arms or {})},
        },
        "the recipe of your data",
    )


def shared_out(found: Sketch, shots: int | None) -> tuple[int | None, int | None]:
    """Return how many labelled rows of each class are learned from, and how many choose; None for all of the split.

    Example:
        >>> from types import SimpleNamespace as Some
        >>> shared_out(Some(fewest=500), 11), shared_out(Some(fewest=500), None), shared_out(Some(fewest=40), None)
        ((7, 4), (None, 32), (None, None))
    """
    if shots is None:
        return None, MOST_TO_CHOOSE_BY if found.fewest * 0.2 > MOST_TO_CHOOSE_BY else None
    if shots < 3:
        raise SoftbridgeError(f"shots is {shots}", "3 or more rows of each class, a third of which chooses", "raise it")
    chosen = max(1, round(shots / 3))
    return shots - chosen, chosen


def worded(found: Sketch, backbone: str, shelves: Mapping[str, Shelved], words: Mapping[str, str]) -> drafting.Wording:
    """Return the wording: the given words, or those that the prompts were learned with, or the usual ones."""
    card = next(iter(shelves.values())).card
    usual = drafting.worded(found, card.kind, backbone).labels
    known = {name: words.get(name, card.verbalizer.get(name, usual[name])) for name in found.counts}
    return drafting.Wording(card.template, known)
