"""What a measure of similarity is worth: does it foretell which source will help a target?

A study that carries every source alone to a target (`spot` with `source: NAME`) says which source was worth what; a
measure said before which is the most alike. Plain numbers in, plain numbers out.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from softbridge.records.likeness import Likeness
from softbridge.records.record import Record
from softbridge.reports.pooling import family
from softbridge.reports.transfer import by_cell, combined, validation_losses

LESS_IS_BETTER = ("loss", "calibration_error")

Gains = Mapping[str, Mapping[str, Sequence[float]]]  # target -> source -> a gain a seed
Values = Mapping[str, Mapping[str, float]]  # target -> source -> a number


@dataclass(frozen=True)
class Foresight:
    """Hold how well one measure foretold the gains of a study.

    Arguments:
        measure: its name.
        spearman: for each target the rank correlation of likeness and mean gain over its sources; None where the
            measure finds all sources alike.
        chance: the share of shufflings of each target's sources whose mean correlation is at least the measure's;
            None where it has none.
        regret: for each k, and each target, the best source's mean score less the best score among the k sources that
            the measure puts first. Where likenesses are equal it is the mean over the ways to order them, so a
            measure that finds all alike has the regret of a blind choice.
        pairs: of source and target.
    """

    measure: str
    spearman: dict[str, float | None]
    chance: float | None
    regret: dict[int, dict[str, float]]
    pairs: int

    @property
    def correlation(self) -> float | None:
        """Return the mean over targets of the rank correlation; None where there is none."""
        known = [value for value in self.spearman.values() if value is not None]
        return statistics.mean(known) if known else None

    def mean_regret(self, k: int) -> float:
        """Return the mean over targets of the regret among the first k."""
        return statistics.mean(self.regret[k].values())


def foresights(
    records: Sequence[Record], likenesses: Iterable[Likeness], metric: str = "accuracy", most: Sequence[int] = (1, 2)
) -> list[Foresight]:
    """Return how well each measure foretold the gains of one study, the highest correlation first.

    Besides the measures there are two that need no likeness: `trial`, the source prompt's validation loss on the
    target's few labelled rows before any training there (the smaller the better), and `blind`, which finds all alike.

    Arguments:
        records: the records of one study: scratch, and `spot` from each source alone.
        likenesses: what was measured of the same study; those of other recipes are left out.
        metric: a test score; of `loss` and `calibration_error` less is better, and a gain is what they fell by.
        most: the k of the regrets.

    Raises:
        ValueError: when a source alone or scratch is not among the arms.
    """
    gained = gains(records, metric)
    means = {t: {source: statistics.mean(seeds) for source, seeds in named.items()} for t, named in gained.items()}
    digests = {record.recipe_digest for record in records}
    told: dict[str, dict[str, dict[str, float]]] = {
        **({"trial": as_is} if (as_is := trials(records)) else {}),
        "blind": {target: dict.fromkeys(named, 0.0) for target, named in means.items()},
    }
    for likeness in likenesses:
        if likeness.recipe_digest in digests:
            for name, sources in likeness.values.items():
                told.setdefault(name, {})[likeness.target] = {s: statistics.mean(v) for s, v in sources.items()}
    found = [foresight(name, values, means, most) for name, values in told.items()]
    return sorted(found, key=lambda one: 2.0 if one.correlation is None else -one.correlation)


def foresight(measure: str, values: Values, means: Values, most: Sequence[int]) -> Foresight:
    """Return how well a measure foretold the mean gains."""
    targets = [target for target in means if target in values]
    pairs = {t: ([values[t][s] for s in means[t]], list(means[t].values())) for t in targets}
    return Foresight(
        measure,
        {target: spearman(*pair) for target, pair in pairs.items()},
        by_chance(list(pairs.values())),
        {k: {target: regret(*pair, k) for target, pair in pairs.items()} for k in most},
        sum(len(said) for said, _ in pairs.values()),
    )


def gains(records: Sequence[Record], metric: str = "accuracy") -> dict[str, dict[str, list[float]]]:
    """Return each source's gains over scratch, by target, source and seed; a target's own data are no source.

    Of a loss or an error the gain is what it fell by.

    Raises:
        ValueError: when a source alone or scratch is not among the arms.
    """
    scratch = by_cell([r for r in records if r.bridge["name"] == "scratch" and not combined(r)], metric)
    found: dict[str, dict[str, list[float]]] = {}
    for record in alone(records):
        scores = by_cell([record], metric)
        if not set(scores) <= set(scratch):
            raise ValueError(f"no arm learns '{record.target}' from scratch: there is nothing to compare with")
        sign = -1 if metric in LESS_IS_BETTER else 1
        seeds = [sign * (score - scratch[cell]) for cell, score in sorted(scores.items())]
        found.setdefault(record.target, {})[record.sources[0]] = seeds
    if not found:
        raise ValueError("no arm carries one source alone: write {bridge: spot, each: true}")
    return found


def alone(records: Sequence[Record]) -> list[Record]:
    """Return the records of `spot` from one source, named or one of each, that is not the target's own data."""
    return [
        record
        for record in records
        if record.bridge["name"] == "spot"
        and (family(record) or record.recipe["arms"][record.arm].get("source"))
        and record.data["source"][record.sources[0]]["fingerprint"] != record.data["target"]["fingerprint"]
    ]


def trials(records: Sequence[Record]) -> dict[str, dict[str, float]]:
    """Return the source prompts' validation loss on the targets before training there, negative, mean over seeds."""
    found: dict[str, dict[str, float]] = {}
    for record in alone(records):
        first = [loss for member in record.members for loss in validation_losses(member["history"][:1])]
        if first:
            found.setdefault(record.target, {})[record.sources[0]] = -statistics.mean(first)
    return found


def agreement(gained: Gains) -> float | None:
    """Return how far one seed's gains foretell another's: the mean rank correlation over targets and pairs of seeds.

    No measure can be asked to foretell gains that do not foretell themselves.

    Example:
        >>> agreement({"news": {"a": [0.0, 0.1], "b": [0.1, 0.2], "c": [0.2, 0.3]}})
        1.0
    """
    found = []
    for named in gained.values():
        seeds = list(zip(*named.values(), strict=True))
        found += [spearman(a, b) for a, b in combinations(seeds, 2)]
    known = [value for value in found if value is not None]
    return statistics.mean(known) if known else None


def spearman(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation, ties sharing their rank; None where all of one side are equal.

    Example:
        >>> spearman([0.1, 0.2, 0.9], [3.0, 5.0, 4.0])
        0.5
    """
    ours, theirs = (rankdata(side) - (len(side) + 1) / 2 for side in (a, b))
    sizes = float(np.sqrt((ours @ ours) * (theirs @ theirs)))
    return round(float(ours @ theirs) / sizes, 12) if sizes else None


def by_chance(pairs: Sequence[tuple[Sequence[float], Sequence[float]]], draws: int = 10000) -> float | None:
    """Return how often shuffled likenesses correlate with the gains at least as well, in the mean over targets.

    Arguments:
        pairs: for each target, its sources' likenesses and gains.
        draws: shufflings; the drawing is seeded.
    """
    centred = [tuple(rankdata(side) - (len(side) + 1) / 2 for side in pair) for pair in pairs]
    known = [(a, b) for a, b in centred if a @ a and b @ b]
    if not known:
        return None
    draw = np.random.default_rng(0)
    observed, shuffled = 0.0, np.zeros(draws)
    for a, b in known:
        size = np.sqrt((a @ a) * (b @ b)) * len(known)
        observed += a @ b / size
        shuffled += draw.permuted(np.tile(a, (draws, 1)), axis=1) @ b / size
    return float((1 + (shuffled >= observed - 1e-9).sum()) / (1 + draws))


def regret(likeness: Sequence[float], scores: Sequence[float], k: int) -> float:
    """Return the best score less the best among the k that are most alike, equal likenesses in any order.

    Example:
        >>> regret([0.9, 0.1, 0.5], [1.0, 3.0, 2.5], 1), regret([0.9, 0.1, 0.5], [1.0, 3.0, 2.5], 2)
        (2.0, 0.5)
        >>> regret([0.0, 0.0, 0.0], [1.0, 3.0, 2.0], 1)
        1.0
    """
    edge = sorted(likeness, reverse=True)[min(k, len(likeness)) - 1]
    sure = [score for near, score in zip(likeness, scores, strict=True) if near > edge]
    tied = [score for near, score in zip(likeness, scores, strict=True) if near == edge]
    picks = combinations(tied, min(k, len(likeness)) - len(sure))
    return max(scores) - statistics.mean(max([*sure, *pick]) for pick in picks)
