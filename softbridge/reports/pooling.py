"""Many records as one: an arm whose sources each went alone stands in the tables with the mean over its sources."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from softbridge.records import Record

Member = dict[str, Any]


def family(record: Record) -> str | None:
    """Return the recipe's arm that a record of one source is one of; None for a record that stands for itself."""
    found = record.bridge.get("family")
    return None if found is None else str(found)


def pooled(records: Sequence[Record]) -> Record:
    """Return the record of a family on one target: for each seed, the mean over the sources of all that is a number.

    A source that was to be chosen blindly is worth this much. Where sources were looked at after different numbers of
    steps, the steps that all of them have are kept.

    Arguments:
        records: finished records of one family, target and recipe, one a source.
    """
    first = max(records, key=lambda record: record.created)
    sources = list(dict.fromkeys(name for record in records for name in record.sources))
    seeds = [m["seed"] for m in first.members if all(any(n["seed"] == m["seed"] for n in r.members) for r in records)]
    members = [
        mean_member([m for r in records for m in r.members if m["seed"] == seed], len(records)) for seed in seeds
    ]
    kept = {source: facts for record in records for source, facts in (record.data.get("source") or {}).items()}
    return replace(
        first,
        arm=str(family(first)),
        bridge={key: value for key, value in first.bridge.items() if key != "family"},
        sources=sources,
        members=members,
        losses=mean_losses([loss for record in records for loss in record.losses]),
        data={**first.data, "source": kept},
        cost={key: middle(record.cost.get(key) for record in records) for key in first.cost if key != "stages"}
        | {"stages": [stage for record in records for stage in record.cost.get("stages") or ()]},
    )


def mean_member(members: Sequence[Member], sources: int) -> Member:
    """Return one seed's member, its numbers averaged over the sources."""
    steps = [{look["step"]: look for look in member.get("history") or ()} for member in members]
    shared = [step for step in steps[0] if all(step in looks for looks in steps)]
    return {
        "seed": members[0]["seed"],
        **{which: mean_of([member[which] for member in members]) for which in ("best", "last")},
        "history": [mean_of([looks[step] for looks in steps]) for step in shared],
        "prompt": None,
        "stopped": None,
        "note": f"the mean over {sources} source{'' if sources == 1 else 's'}, each alone",
    }


def mean_of(values: Sequence[Any]) -> Any:
    """Return the mean of numbers, or of what is inside of mappings; None where one of them is none.

    Example:
        >>> mean_of([{"step": 4, "test": {"accuracy": 0.5}}, {"step": 8, "test": {"accuracy": 1.0}}])
        {'step': 6, 'test': {'accuracy': 0.75}}
        >>> mean_of([1.0, None]) is None
        True
    """
    if all(isinstance(value, Mapping) for value in values):
        return {key: mean_of([value.get(key) for value in values]) for key in values[0]}
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return statistics.mean(values) if numbers else None


def mean_losses(losses: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each stage's losses once, the first and the last value averaged where a stage was run for each source."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for loss in losses:
        groups.setdefault(tuple(loss.get(key) for key in ("stage", "name", "term", "domain")), []).append(loss)
    ends = ("first", "last")
    return [
        {**group[0], **{end: mean_of([loss.get(end) for loss in group]) for end in ends}} for group in groups.values()
    ]


def middle(values: Any) -> float | None:
    """Return the median of the numbers there are."""
    found = [value for value in values if value is not None]
    return statistics.median(found) if found else None
