"""The transfer matrix: what each source alone was worth to each target, over each bridge."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from softbridge.records import Record
from softbridge.reports.pooling import family
from softbridge.reports.statistics import error_reduction
from softbridge.reports.studies import Study, finished, score
from softbridge.reports.transfer import first_at_or_below, relative_performance, validation_losses

Pair = tuple[str, str]  # a source and a target


@dataclass(frozen=True)
class Run:
    """Hold what one source came to on one target.

    Arguments:
        record: the record of this source alone.
        scores: test scores by seed.
        scratch: scratch's test scores on the same target, by seed; empty where there is none.
        best_losses: scratch's smallest validation loss on the target, by seed.
    """

    record: Record
    scores: Mapping[int, float]
    scratch: Mapping[int, float]
    best_losses: Mapping[int, float]

    @cached_property
    def differences(self) -> list[float]:
        """Return the gains, one a seed."""
        return [value - self.scratch[seed] for seed, value in self.scores.items() if seed in self.scratch]

    @cached_property
    def means(self) -> tuple[float, float]:
        """Return the mean score and scratch's."""
        return mean(list(self.scores.values())), mean(list(self.scratch.values()))

    @cached_property
    def steps(self) -> float:
        """Return the median step at which validation loss came down to scratch's best; nan where most seeds did not."""
        if not self.record.budget.get("target_steps"):
            return float("nan")
        members = [member for member in self.record.members if member["seed"] in self.best_losses]
        reached = [first_at_or_below(m, self.best_losses[m["seed"]]) for m in members]
        far = sorted(math.inf if step is None else float(step) for step in reached)
        middle = statistics.median(far) if far else math.inf
        return middle if math.isfinite(middle) else float("nan")


@dataclass(frozen=True)
class Measure:
    """Hold one way to say what a source was worth.

    Arguments:
        label: its name on a page.
        of: the number.
        digits: how many are shown.
        centre: the value without colour; None for the middle of what there is.
        up: whether more is better.
    """

    label: str
    of: Callable[[Run], float]
    digits: int
    centre: float | None = 0.0
    up: bool = True


MEASURES: dict[str, Measure] = {
    "gain": Measure("gain over scratch", lambda run: mean(run.differences), 3),
    "error": Measure("error taken away, %", lambda run: 100 * error_reduction(*run.means), 1),
    "relative": Measure("score in % of scratch's", lambda run: 100 * relative_performance(*run.means), 1, 100.0),
    "score": Measure("test score", lambda run: run.means[0], 3, None),
    "steps": Measure("steps to scratch's best loss", lambda run: run.steps, 0, None, False),
}


@dataclass(frozen=True)
class Matrix:
    """Hold the runs of one arm whose sources each went alone.

    Arguments:
        arm: the arm.
        sources: the sources, in the recipe's order.
        targets: the targets, in the recipe's order.
        runs: by source and target; a domain to itself is not there.
    """

    arm: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    runs: Mapping[Pair, Run]

    def values(self, measure: str) -> np.ndarray:
        """Return a measure of each source (row) on each target (column); nan where there is none, `[S, T]`."""
        of = MEASURES[measure].of
        rows = [[of(self.runs[s, t]) if (s, t) in self.runs else math.nan for t in self.targets] for s in self.sources]
        return np.array(rows, dtype=float).reshape(len(self.sources), len(self.targets))

    def order(self, measure: str = "gain") -> tuple[list[int], list[int]]:
        """Return orders of sources and targets in which alike ones stand together.

        Where sources and targets are the same domains, one order serves both, so that the diagonal stays.
        """
        values = self.values(measure)
        if sorted(self.sources) == sorted(self.targets):
            at = [self.targets.index(name) for name in self.sources]
            both = clustered_rows(np.hstack([values, values[:, at].T]))
            return both, [at[i] for i in both]
        return clustered_rows(values), clustered_rows(values.T)


def matrices(study: Study, metric: str = "") -> list[Matrix]:
    """Return a study's matrices, one an arm whose sources each went alone, in the order of the arms."""
    metric = metric or study.metric
    found: dict[str, dict[Pair, Run]] = {}
    for record, arm, source in soles(study):
        scratch = study.scores(record.target, study.baseline or "", metric)
        runs = found.setdefault(arm, {})
        runs[source, record.target] = Run(record, scores(record, metric), scratch, best_losses(study, record.target))
    sources = list(study.newest.recipe.get("sources") or ())
    return [
        Matrix(
            arm,
            tuple(sorted({s for s, _ in runs}, key=lambda name: place(sources, name))),
            tuple(target for target in study.targets if any(t == target for _, t in runs)),
            runs,
        )
        for arm, runs in found.items()
    ]


def soles(study: Study) -> list[tuple[Record, str, str]]:
    """Return the records of one source alone, each with its arm and source: of `each`, and of arms that name one."""
    found = [(record, str(family(record)), record.sources[0]) for record in study.alone]
    for record in study.records:
        arm = (study.newest.recipe.get("arms") or {}).get(record.arm) or {}
        named = arm.get("source")
        if named and record.sources == [named] and finished(record) and not own(record, named):
            found.append((record, record.arm.removesuffix(f"from {named}").strip() or str(arm.get("bridge")), named))
    counts = {arm: sum(other == arm for _, other, _ in found) for _, arm, _ in found}
    return [one for one in found if counts[one[1]] > len({one[0].target}) or family(one[0])]


def own(record: Record, source: str) -> bool:
    """Say whether a source is the target's own data."""
    facts = (record.data.get("source") or {}).get(source) or {}
    return bool(facts) and facts.get("fingerprint") == (record.data.get("target") or {}).get("fingerprint")


def scores(record: Record, metric: str) -> dict[int, float]:
    """Return a record's test scores by seed, at the checkpoint that validation chose."""
    return {member["seed"]: score(member, metric, "best", "test") for member in record.members}


def best_losses(study: Study, target: str) -> dict[int, float]:
    """Return the smallest validation loss that each seed of the baseline came to on a target."""
    record = study.cells.get((target, study.baseline or ""))
    looks = {m["seed"]: validation_losses(m.get("history") or ()) for m in record.members} if record else {}
    return {seed: min(losses) for seed, losses in looks.items() if losses}


def clustered_rows(values: np.ndarray) -> list[int]:
    """Return an order of rows in which alike ones stand together: the leaves of average linkage, seeded by nothing.

    Arguments:
        values: `[N, M]`; a missing value counts as its column's mean.

    Example:
        >>> clustered_rows(np.array([[0.0, 1.0], [5.0, 5.0], [0.0, 1.1]]))
        [1, 0, 2]
    """
    from scipy.cluster.hierarchy import leaves_list, linkage

    if len(values) < 3:
        return list(range(len(values)))
    known = np.isfinite(values)
    counts = np.maximum(known.sum(0), 1)
    means = np.where(known, values, 0.0).sum(0) / counts
    return [int(i) for i in leaves_list(linkage(np.where(known, values, means), "average"))]


def mean(values: Sequence[float]) -> float:
    """Return the mean; nan of nothing."""
    return statistics.mean(values) if values else math.nan


def place(names: Sequence[str], name: str) -> int:
    """Return where a name stands; behind all where it does not."""
    return names.index(name) if name in names else len(names)
