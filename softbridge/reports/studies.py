"""Records sorted into studies: which arms, which targets, and which arm is the baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from softbridge.records import Record
from softbridge.reports.pooling import family, pooled
from softbridge.reports.statistics import Paired, paired

CONTROLS = ("none", "scratch", "random")  # bridges that carry nothing learned on a source


@dataclass(frozen=True)
class Metric:
    """Hold how a metric is named and read.

    Arguments:
        label: its name in a table.
        best: the best value it can have; 0 for an error.
    """

    label: str
    best: float = 1.0


METRICS: dict[str, Metric] = {
    "accuracy": Metric("accuracy"),
    "exact_match": Metric("exact match"),
    "macro_f1": Metric("macro-F1"),
    "matthews": Metric("Matthews"),
    "calibration_error": Metric("calibration error", best=0.0),
    "perplexity": Metric("perplexity", best=0.0),
}


@dataclass(frozen=True)
class Study:
    """Hold the records of one resolved recipe: the newest of each target and arm.

    Arguments:
        name: the recipe's name.
        digest: the recipe's digest.
        records: one record a target and arm.
        older: how many older records of the same cells are not shown.
        alone: the records of one source each, of which `records` holds the mean, one a target and family.
    """

    name: str
    digest: str
    records: tuple[Record, ...]
    older: int = 0
    alone: tuple[Record, ...] = ()

    @property
    def newest(self) -> Record:
        """Return the record that was made last."""
        return max(self.records, key=lambda record: record.created)

    @cached_property
    def targets(self) -> list[str]:
        """Return the targets in the recipe's order."""
        return in_order(self.newest.recipe.get("targets"), (record.target for record in self.records))

    @cached_property
    def arms(self) -> list[str]:
        """Return the arms in the recipe's order."""
        return in_order(self.newest.recipe.get("arms"), (record.arm for record in self.records))

    @cached_property
    def cells(self) -> dict[tuple[str, str], Record]:
        """Return the finished records by target and arm."""
        return {(record.target, record.arm): record for record in self.records if finished(record)}

    @cached_property
    def lost(self) -> list[Record]:
        """Return the records without a result."""
        return [record for record in self.records if (record.target, record.arm) not in self.cells]

    @cached_property
    def baseline(self) -> str | None:
        """Return the arm that learns from scratch on the target alone: the one every gain is measured from."""
        scratch = [arm for arm in self.arms if self.bridge(arm) == "scratch"]
        return "scratch" if "scratch" in scratch else next(iter(scratch), None)

    @cached_property
    def carried(self) -> list[str]:
        """Return the arms that carry a source prompt, those trained on the target first."""
        arms = [arm for arm in self.arms if self.bridge(arm) not in CONTROLS]
        trained = {record.arm for record in self.records if record.budget.get("target_steps")}
        return sorted(arms, key=lambda arm: arm not in trained)

    @cached_property
    def metric(self) -> str:
        """Return the score that tables show where none is named: of classes accuracy, of free answers exact match."""
        return main_metric(self.cells.values())

    @cached_property
    def measured(self) -> list[str]:
        """Return the metrics that were measured on test rows."""
        cells = [(name, cell) for name in METRICS for cell in self.cells]
        found = [name for name, cell in cells if any(value == value for value in self.scores(*cell, name).values())]
        return list(dict.fromkeys(found)) or [self.metric]

    def of(self, arm: str) -> list[Record]:
        """Return an arm's records in the order of the targets."""
        records = [record for record in self.records if record.arm == arm]
        return sorted(records, key=lambda record: self.targets.index(record.target))

    def bridge(self, arm: str) -> str:
        """Return the name of an arm's bridge."""
        return str(self.of(arm)[0].bridge.get("name"))

    def scores(
        self, target: str, arm: str, metric: str = "", checkpoint: str = "best", split: str = "test"
    ) -> dict[int, float]:
        """Return an arm's scores on a target by seed; empty where there is no result."""
        record = self.cells.get((target, arm))
        return (
            {member["seed"]: score(member, metric or self.metric, checkpoint, split) for member in record.members}
            if record
            else {}
        )

    def gain(self, target: str, arm: str, metric: str = "", baseline: str | None = None) -> Paired | None:
        """Compare an arm with the baseline (or another arm) on a target, seed by seed, at the best checkpoint.

        An arm without a prompt draws nothing by seed: its one score stands against every seed of the other.
        """
        metric = metric or self.metric
        other = self.scores(target, baseline or self.baseline or "", metric)
        one = self.constant(target, arm, self.scores(target, arm, metric), other)
        return paired(one, self.constant(target, baseline or "", other, one), METRICS[metric].best)

    def constant(self, target: str, arm: str, own: dict[int, float], seeds: Iterable[int]) -> dict[int, float]:
        """Return the scores, repeated for every seed where the arm has no prompt and so one score."""
        record = self.cells.get((target, arm))
        if record is None or record.bridge.get("name") != "none" or len(own) != 1:
            return own
        return dict.fromkeys(seeds, next(iter(own.values())))


def main_metric(records: Iterable[Record]) -> str:
    """Return the score that records are compared by: accuracy, or exact match where that was measured instead."""
    tested = [member["best"].get("test") or {} for record in records for member in record.members]
    return "exact_match" if any("exact_match" in scores for scores in tested) else "accuracy"


def finished(record: Record) -> bool:
    """Say whether a record holds a result."""
    return record.status == "done" and bool(record.members)


def score(member: Mapping[str, Any], metric: str, checkpoint: str, split: str) -> float:
    """Return a member's score; nan where it was not measured."""
    value = (member[checkpoint].get(split) or {}).get(metric)
    return float("nan") if value is None else float(value)


def gather(records: Iterable[Record]) -> list[Study]:
    """Sort records into studies, the newest first; a study is a recipe's name and digest.

    Where a cell was run more than once, the newest record stands and the others are counted.
    """
    groups: dict[tuple[str, str], dict[tuple[str, str], list[Record]]] = {}
    for record in records:
        cells = groups.setdefault((record.study, record.recipe_digest), {})
        cells.setdefault((record.target, record.arm), []).append(record)
    studies = []
    for (name, digest), cells in groups.items():
        newest = tuple(max(runs, key=lambda record: record.created) for runs in cells.values())
        alone = tuple(record for record in newest if family(record) and finished(record))
        whole = [record for record in newest if not (family(record) and finished(record))]
        families: dict[tuple[str, str | None], list[Record]] = {}
        for record in alone:
            families.setdefault((record.target, family(record)), []).append(record)
        shown = (*whole, *map(pooled, families.values()))
        studies.append(Study(name, digest, shown, sum(map(len, cells.values())) - len(newest), alone))
    return sorted(studies, key=lambda study: study.newest.created, reverse=True)


def in_order(wanted: Any, found: Iterable[str]) -> list[str]:
    """Return the found names once each, in the wanted order, the others behind.

    Example:
        >>> in_order({"spot": {}, "reuse": {}}, ["reuse", "other", "spot", "reuse"])
        ['spot', 'reuse', 'other']
    """
    names = list(dict.fromkeys(found))
    order: Sequence[str] = list(wanted or ())
    return sorted(names, key=lambda name: order.index(name) if name in order else len(order))
