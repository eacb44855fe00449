"""What a study found, in words made from its numbers: the same sentence whichever way it went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from softbridge.reports.grid import listed, plus_minus
from softbridge.reports.statistics import Paired
from softbridge.reports.studies import METRICS, Study


@dataclass(frozen=True)
class Finding:
    """Hold what was found about one arm.

    Arguments:
        verdict: the sentence to set large.
        targets: one line a target, with the gain and its spread.
        remarks: what else one has to know before believing it.
    """

    verdict: str
    targets: tuple[str, ...]
    remarks: tuple[str, ...]


def findings(study: Study, metric: str = "") -> list[Finding]:
    """Return a finding for each arm that carries a source prompt, those trained on the target first."""
    metric = metric or study.metric
    if study.baseline is None:
        return []
    return [finding(study, arm, metric) for arm in study.carried]


def finding(study: Study, arm: str, metric: str) -> Finding:
    """Say how an arm stands to the baseline on each target, and to the controls."""
    pairs = {target: study.gain(target, arm, metric) for target in study.targets}
    compared = {target: pair for target, pair in pairs.items() if pair}
    remarks = [across_zero(compared), against_controls(study, arm, metric)]
    return Finding(
        verdict(arm, str(study.baseline), pairs, metric),
        tuple(target_line(target, pair) for target, pair in pairs.items()),
        tuple(remark for remark in remarks if remark),
    )


def verdict(arm: str, baseline: str, pairs: dict[str, Paired | None], metric: str) -> str:
    """Say on how many targets an arm is better than the baseline, in the mean over seeds."""
    compared = {target: pair for target, pair in pairs.items() if pair}
    if not compared:
        return f"{arm} cannot be compared with {baseline}: they have no result in common."
    above = [target for target, pair in compared.items() if pair.spread.mean * better(metric) > 0]
    one = len(compared) == 1
    missing = len(pairs) - len(compared)
    rest = f" ({missing} more without a result)" if missing else ""
    if not above:
        where = "the one target" if one else f"any of {len(compared)} targets"
        return f"{arm} does not beat {baseline} on {where}{rest}."
    return f"{arm} beats {baseline} on {len(above)} of {len(compared)} target{'' if one else 's'}{rest}."


def target_line(target: str, pair: Paired | None) -> str:
    """Write an arm's gain on a target, its spread, and the seeds."""
    if pair is None:
        return f"{target}: no result to compare"
    count = f"{pair.wins} of {len(pair.seeds)} seed{'s' if len(pair.seeds) > 1 else ''}"
    return f"{target} {plus_minus(pair.spread, sign=True)}, better in {count} ({', '.join(map(str, pair.seeds))})"


def across_zero(pairs: dict[str, Paired]) -> str:
    """Say on which targets the 95 % interval of the mean difference lies above, below or across zero."""
    if not pairs:
        return ""
    if all(pair.spread.n < 2 for pair in pairs.values()):
        return "One seed has no spread: run at least three before trusting a difference."
    sides: dict[str, list[str]] = {"lies above zero": [], "lies below zero": [], "includes zero": []}
    for target, pair in pairs.items():
        low, high = pair.interval
        side = "lies above zero" if low > 0 else "lies below zero" if high < 0 else "includes zero"
        sides[side].append(target)
    said = "; ".join(f"{side} on {listed(targets)}" for side, targets in sides.items() if targets)
    few = listed(sorted({pair.spread.n for pair in pairs.values()}))
    return f"The 95 % interval of the mean difference (Student's t, paired, {few} seeds) {said}."


def against_controls(study: Study, arm: str, metric: str) -> str:
    """Say on how many targets an arm is better than each control."""
    parts = []
    for control in study.arms:
        if control in (arm, study.baseline) or control in study.carried:
            continue
        pairs = [pair for target in study.targets if (pair := study.gain(target, arm, metric, control))]
        if pairs:
            above = sum(pair.spread.mean * better(metric) > 0 for pair in pairs)
            parts.append(f"{control} on {above} of {len(pairs)}")
    return f"Among the controls it is better than {listed(parts)} targets." if parts else ""


def better(metric: str) -> int:
    """Return 1 for a score and -1 for an error."""
    return 1 if METRICS[metric].best > 0 else -1


def how_chosen(study: Study) -> str:
    """Say which split and metric chose the checkpoints."""
    chosen = {(r.chosen_by.get("split"), r.chosen_by.get("metric")) for r in study.cells.values()}
    return listed(f"{split} {metric}" for split, metric in sorted(chosen, key=str))


def seeds_of(study: Study) -> Sequence[int]:
    """Return the seeds of all members."""
    return sorted({member["seed"] for record in study.cells.values() for member in record.members})
