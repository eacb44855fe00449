"""What transfer brought, over all targets of a study: gains, ranks, negative transfer, steps to scratch's best."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import rankdata

from softbridge.records.record import Record
from softbridge.reports.pooling import family
from softbridge.reports.statistics import error_reduction, spread, student

Cell = tuple[str, int]  # a target and a seed


@dataclass(frozen=True)
class Arm:
    """Hold one arm's standing among the arms of a study.

    Arguments:
        name: the arm.
        scores: the test score of each target and seed, at the checkpoint that validation chose.
        gain: the mean over targets and seeds of score less scratch's, which trained for the same steps on the target.
        interval: 95 % interval of the gain by Student's t over the pairs (target, seed). The pairs of one target share
            its test rows, so it is, if anything, too narrow.
        gain_combined: the same against scratch at the sources' and the target's budget together; None where it is not
            among the arms.
        rank: the mean over targets of the arm's rank by mean score; 1 is the best.
        negative: the share of targets and seeds whose score is below scratch's.
        wins: the targets and seeds whose score is above scratch's.
        ties: those where both are equal.
        error_reduction: the mean over targets of the share of scratch's errors that the arm takes away.
        relative: the mean over targets of the arm's mean score in per cent of scratch's; of an arm that is not trained
            on the target, the zero-shot relative performance.
        reached: the share of targets and seeds where validation loss came down to scratch's best; None untrained.
        steps: the median of the steps that took, where it was reached.
        parameters: what one member trains on the target.
        seconds: the median time of training on one target, all seeds together.
        memory: the most that the process had held by then, in MB.
    """

    name: str
    scores: dict[Cell, float]
    gain: float
    interval: tuple[float, float]
    gain_combined: float | None
    rank: float
    negative: float
    wins: int
    ties: int
    error_reduction: float
    relative: float
    reached: float | None
    steps: float | None
    parameters: int
    seconds: float
    memory: float | None

    @property
    def losses(self) -> int:
        """Return the targets and seeds whose score is below scratch's."""
        return len(self.scores) - self.wins - self.ties

    def mean(self, target: str) -> float:
        """Return the mean score on one target."""
        return statistics.mean(score for (name, _), score in self.scores.items() if name == target)

    def spread(self, target: str) -> float:
        """Return the standard deviation over seeds on one target; 0 for a single seed."""
        scores = [score for (name, _), score in self.scores.items() if name == target]
        return statistics.stdev(scores) if len(scores) > 1 else 0.0


def standings(records: Sequence[Record], metric: str = "accuracy") -> list[Arm]:
    """Return the arms of one study, the best rank first.

    Arguments:
        records: the records of one study: each arm on each target once.
        metric: a test score, of which more is better.

    Raises:
        ValueError: when no arm is scratch on the target's own budget.
    """
    scratch = by_cell([r for r in records if r.bridge["name"] == "scratch" and not combined(r)], metric)
    if not scratch:
        raise ValueError("no arm learns from scratch: there is nothing to compare with")
    both = by_cell([r for r in records if r.bridge["name"] == "scratch" and combined(r)], metric)
    best = {cell: min(losses) for cell, losses in validation(records, "scratch").items() if losses}
    names = list(dict.fromkeys(record.arm for record in records))
    means = {
        target: {name: mean_of(records, name, target, metric) for name in names}
        for target in dict.fromkeys(record.target for record in records)
    }
    ranks = {
        target: dict(zip(named, rankdata([-v for v in named.values()]), strict=True)) for target, named in means.items()
    }
    arms = [arm([r for r in records if r.arm == name], metric, scratch, both, best, ranks) for name in names]
    return sorted(arms, key=lambda found: found.rank)


def arm(
    records: Sequence[Record],
    metric: str,
    scratch: dict[Cell, float],
    both: dict[Cell, float],
    best: dict[Cell, float],
    ranks: dict[str, dict[str, float]],
) -> Arm:
    """Return the standing of one arm, whose records these are."""
    name, scores = records[0].arm, by_cell(records, metric, tuple(scratch))
    gains = [score - scratch[cell] for cell, score in scores.items()]
    pairs = [
        tuple(statistics.mean(values[cell] for cell in scores if cell[0] == target) for values in (scores, scratch))
        for target in dict.fromkeys(target for target, _ in scores)
    ]
    trained = [r for r in records if r.budget["target_steps"] and any(len(m["history"]) > 1 for m in r.members)]
    steps = [
        first_at_or_below(m, best[cell]) for r in trained for m in r.members if (cell := (r.target, m["seed"])) in best
    ]
    found = [step for step in steps if step is not None]
    return Arm(
        name,
        scores,
        statistics.mean(gains),
        student(spread(gains)),
        statistics.mean(score - both[cell] for cell, score in scores.items()) if both else None,
        statistics.mean(ranks[record.target][name] for record in records),
        statistics.mean(gain < 0 for gain in gains),
        sum(gain > 0 for gain in gains),
        sum(gain == 0 for gain in gains),
        statistics.mean(error_reduction(*pair) for pair in pairs),
        100 * statistics.mean(relative_performance(*pair) for pair in pairs),
        len(found) / len(steps) if steps else None,
        statistics.median(found) if found else None,
        records[0].prompt["parameters"],
        statistics.median(record.cost["seconds"] for record in records),
        max((m for record in records if (m := record.cost.get("peak_memory_mb")) is not None), default=None),
    )


def relative_performance(score: float, scratch: float) -> float:
    """Return `score / scratch`, above 1 where the arm is better than learning from scratch.

    *Reference*: Su et al. On Transferability of Prompt Tuning for Natural Language Processing. NAACL 2022.

    Example:
        >>> relative_performance(0.6, 0.8) == 0.6 / 0.8
        True
    """
    return score / scratch if scratch else float("nan")


def combined(record: Record) -> bool:
    """Say whether a record's arm had the sources' budget on top of the target's."""
    arm = (record.recipe.get("arms") or {}).get(family(record) or record.arm) or {}
    return bool(arm.get("budget") == "combined")


def by_cell(records: Sequence[Record], metric: str, cells: Sequence[Cell] = ()) -> dict[Cell, float]:
    """Return the test scores by target and seed; an arm of one member (no prompt) stands for every seed."""
    found: dict[Cell, float] = {}
    for record in records:
        scores = {m["seed"]: m["best"]["test"][metric] for m in record.members}
        alone = next(iter(scores.values()))
        wanted = [cell for cell in cells if cell[0] == record.target] or [(record.target, seed) for seed in scores]
        found |= {cell: scores.get(cell[1], alone) if len(scores) == 1 else scores[cell[1]] for cell in wanted}
    return found


def mean_of(records: Sequence[Record], name: str, target: str, metric: str) -> float:
    """Return an arm's mean score on one target."""
    return statistics.mean(by_cell([r for r in records if (r.arm, r.target) == (name, target)], metric).values())


def validation(records: Sequence[Record], bridge: str) -> dict[Cell, list[float]]:
    """Return the validation losses at all looks of a bridge's arm on the target's own budget."""
    return {
        (record.target, member["seed"]): validation_losses(member["history"])
        for record in records
        if record.bridge["name"] == bridge and not combined(record)
        for member in record.members
    }


def first_at_or_below(member: dict[str, object], loss: float) -> int | None:
    """Return the first step whose validation loss is at or below a value."""
    history: list[dict[str, dict[str, float]]] = member["history"]  # type: ignore[assignment]
    reached = (look["step"] for look in history if look["validation"].get("loss", math.inf) <= loss)
    return next((int(step) for step in reached), None)  # type: ignore[call-overload]


def validation_losses(history: Sequence[dict[str, Any]]) -> list[float]:
    """Return the validation loss at each look; where no row was looked at, there is none."""
    return [look["validation"]["loss"] for look in history if "loss" in look["validation"]]
