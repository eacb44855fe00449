"""What the arms came to over all targets: the standings, how sure they are, and which arms can be told apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from softbridge.reports.grid import NOTHING, Cell, Grid, Line, chance, grid, number, signed, span
from softbridge.reports.statistics import critical_difference, friedman, holm, wilcoxon
from softbridge.reports.studies import METRICS, Study
from softbridge.reports.transfer import Arm, standings


@dataclass(frozen=True)
class Across:
    """Hold the comparison of a study's arms over its targets.

    Arguments:
        arms: the standings, the best rank first.
        targets: the targets, on all of which each of the arms has a result.
        wilcoxon: by arm, the p of its differences to scratch over targets, held for all arms together (Holm).
        friedman: the p that all arms have the same rank.
        critical: how far two mean ranks must be apart.
    """

    arms: list[Arm]
    targets: list[str]
    wilcoxon: dict[str, float]
    friedman: float
    critical: float


def across(study: Study, metric: str = "") -> Across | None:
    """Return the comparison; None where nothing learns from scratch, or fewer than two arms have all results."""
    metric = metric or study.metric
    whole = [arm for arm in study.arms if complete(study, arm, metric)]
    if study.baseline not in whole or len(whole) < 2:
        return None
    arms = standings([study.cells[target, arm] for target in study.targets for arm in whole], metric)
    table = [[arm.mean(target) for target in study.targets] for arm in arms]
    scratch = next(row for arm, row in zip(arms, table, strict=True) if arm.name == study.baseline)
    others = [
        (arm.name, [a - b for a, b in zip(row, scratch, strict=True)]) for arm, row in zip(arms, table, strict=True)
    ]
    tested = [(name, wilcoxon(row)) for name, row in others if name != study.baseline]
    corrected = dict(zip([name for name, _ in tested], holm([p for _, p in tested]), strict=True))
    critical = critical_difference(len(arms), len(study.targets))
    return Across(arms, study.targets, corrected, friedman(table), critical)


def complete(study: Study, arm: str, metric: str) -> bool:
    """Say whether an arm has a result on every target, of every seed."""
    found = [study.scores(target, arm, metric) for target in study.targets]
    return all(values and all(map(math.isfinite, values.values())) for values in found)


def ranking(study: Study, metric: str = "") -> Grid | None:
    """Return the standings as a table; None where there are none."""
    metric = metric or study.metric
    found = across(study, metric)
    if found is None:
        return None
    own = next(arm for arm in found.arms if arm.name == study.baseline)
    rows: list[Line] = [line(arm, own, found.wilcoxon.get(arm.name, math.nan)) for arm in found.arms]
    head = ["arm", "rank", "gain", "95 % interval", "gain, both budgets", "error taken away", "of scratch"]
    head += ["+ / = / −", "negative", "steps to scratch's best", "p", "parameters", "seconds", "peak MB"]
    return grid(f"Over all targets, test {METRICS[metric].label}", head, rows, note=note(found))


def line(arm: Arm, own: Arm, p: float) -> Line:
    """Return an arm's line."""
    base = arm.name == own.name
    reached = NOTHING if arm.reached is None else f"{number(arm.steps, 0)}"
    share = "" if arm.reached is None else f"{arm.reached:.0%}"
    return [
        Cell(arm.name),
        number(arm.rank, 1),
        NOTHING if base else signed(arm.gain),
        NOTHING if base else f"{signed(arm.interval[0])} to {signed(arm.interval[1])}",
        signed(arm.gain_combined),
        NOTHING if base else f"{signed(100 * arm.error_reduction, 1)} %",
        f"{number(arm.relative, 1)} %",
        NOTHING if base else f"{arm.wins} / {arm.ties} / {arm.losses}",
        NOTHING if base else f"{arm.negative:.0%}",
        Cell(reached, detail=share),
        chance(p),
        span([arm.parameters]),
        number(arm.seconds, 1),
        span([arm.memory]),
    ]


def note(found: Across) -> str:
    """Say how the standings are read, and what so few targets can show."""
    least = 2.0 ** (1 - len(found.targets))
    many = len(found.targets)
    few = (
        f" With {many} target{'' if many == 1 else 's'} no p below {number(least)} is possible." if least > 0.05 else ""
    )
    apart = number(found.critical, 1)
    return (
        "Rank: mean over targets, 1 is the best. Gain, its interval (Student's t) and + / = / − are over pairs of "
        "target and seed; pairs share test rows, so the interval is if anything too narrow. Error taken away, "
        "(score − scratch) / (1 − scratch), and score in % of scratch's are means over targets; for an arm that is not "
        "trained on the target the latter is the zero-shot relative performance. Negative: the share of pairs below "
        "scratch. Steps: the median at which validation loss came down to scratch's best, and in how many pairs it "
        "did. p: Wilcoxon's signed ranks over targets against scratch, corrected for all arms (Holm)."
        f"{few} Friedman's p that all arms have one rank: {chance(found.friedman)}; two mean ranks differ "
        f"(Nemenyi, 95 %) where they are {apart} apart."
    )


def cliques(ranks: Sequence[float], critical: float) -> list[tuple[int, int]]:
    """Return the longest runs of ranks that are less than the critical difference apart, as first and last place.

    Arguments:
        ranks: mean ranks, the best first.
        critical: the critical difference.

    Example:
        >>> cliques([1.0, 1.5, 2.4, 4.0], 1.0)
        [(0, 1), (1, 2)]
    """
    found: list[tuple[int, int]] = []
    for first in range(len(ranks)):
        last = max(i for i in range(first, len(ranks)) if ranks[i] - ranks[first] <= critical)
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found
