"""Rounds: what was tried on the target, what validation said of it, what it cost, and what was kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from softbridge.records import Record
from softbridge.reports.drawing import LOOK, Drawing, finish, sheet
from softbridge.reports.grid import Cell, Grid, Line, grid, number, signed
from softbridge.reports.studies import METRICS, Study
from softbridge.reports.styles import Styles

Log = list[dict[str, Any]]


def searched(study: Study) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the target, the arm and the search of each record that was optimised in rounds."""
    cells = [(target, arm, study.cells.get((target, arm))) for target in study.targets for arm in study.arms]
    return [(target, arm, record.budget["rounds"]) for target, arm, record in cells if record and in_rounds(record)]


def in_rounds(record: Record) -> bool:
    """Say whether a record holds a search."""
    return bool((record.budget.get("rounds") or {}).get("log"))


def played(log: Log) -> Iterator[tuple[int, float, Log]]:
    """Yield each round with the validation mean that it had to beat, and its proposals."""
    before = mean(log[0])
    for number_ in sorted({line["round"] for line in log} - {0}):
        lines = [line for line in log if line["round"] == number_]
        yield number_, before, lines
        before = next((mean(line) for line in lines if line["kept"]), before)


def mean(line: dict[str, Any]) -> float:
    """Return a proposal's validation score, mean over the seeds; nan where a seed has none."""
    values = [float("nan") if value is None else value for value in line["validation"]]
    return sum(values) / len(values)


def summary(study: Study) -> Grid | None:
    """Return a line a round: validation before and after, what was tried and kept, and the cost."""
    rows: list[Line] = []
    for target, arm, found in searched(study):
        for number_, before, lines in played(found["log"]):
            kept = next((line for line in lines if line["kept"]), None)
            after = mean(kept) if kept else before
            cost = sum(line["rows"] for line in lines), sum(line["seconds"] for line in lines)
            change = kept["change"] if kept else "nothing"
            words = [target, Cell(arm), str(number_), change, str(len({line["change"] for line in lines}))]
            rows.append([*words, f"{number(before)} → {number(after)}", f"{cost[0]:,}", number(cost[1], 1)])
    head = ["target", "arm", "round", "kept", "tried", "validation", "row-passes", "seconds"]
    return grid("Rounds", head, rows, words=4, note=rule(study)) if rows else None


def proposals(study: Study) -> Grid | None:
    """Return a line a proposal, with the gain that was measured and the one that was asked for."""
    rows: list[Line] = []
    for target, arm, found in searched(study):
        for line in found["log"]:
            verdict = line.get("verdict") or {}
            rows.append(
                [
                    target,
                    Cell(arm),
                    str(line["round"]),
                    line["change"],
                    f"{line['share']:.0%}",
                    number(mean(line)),
                    f"{signed(verdict['gain'])} ± {number(verdict['error'])}" if verdict else "",
                    f"> {number(verdict['bar'])}" if verdict else "",
                    outcome(line),
                    f"{line['rows']:,}",
                ]
            )
    head = ["target", "arm", "round", "change", "of its steps", "validation", "gain ± s.e.", "asked", "", "row-passes"]
    return grid("Every proposal", head, rows, words=4) if rows else None


def outcome(line: dict[str, Any]) -> str:
    """Say what became of a proposal."""
    if line["kept"]:
        return "kept" if line["round"] else "start"
    return "not above noise" if line.get("verdict") else f"rung {line['rung']}"


def rule(study: Study) -> str:
    """Say by what rule changes were kept, and why the searches ended."""
    found = searched(study)
    metric = found[0][2].get("metric", "loss")
    label = METRICS[metric].label if metric in METRICS else metric
    level = found[0][2].get("rounds", {}).get("level")
    ends = "; ".join(f"{arm} on {target}: {one.get('stopped')}" for target, arm, one in found)
    return (
        f"Validation {label}, mean over seeds, of what was kept. A change is kept where its mean gain, paired by seed, "
        f"is above what noise alone would reach in {level:.0%} of rounds (one-sided t, corrected for the number of "
        f"changes in the round). Test rows were scored once, for what was kept last. Ended: {ends}."
    )


def progress(study: Study, target: str) -> Drawing | None:
    """Draw validation over the row-passes that were spent: the kept state as a line, each full trial as a dot.

    Returns:
        An SVG; None where no arm was optimised in rounds on the target.
    """
    series = [(arm, found) for t, arm, found in searched(study) if t == target]
    if not series:
        return None
    import matplotlib

    with matplotlib.rc_context(LOOK):
        figure, axes = sheet(5.0, 2.7)
        styles, told = Styles(study).table, []
        for arm, found in series:
            style, place = styles[arm], study.arms.index(arm)
            spent, level = line_of(found["log"])
            axes.plot(spent, level, color=style.colour, linewidth=1.8, drawstyle="steps-post", gid=f"arm-{place}")
            for x, line in at(found["log"]):
                if line["share"] == 1.0:
                    face = style.colour if line["kept"] else "none"
                    axes.plot(x, mean(line), "o", color=style.colour, markerfacecolor=face, markersize=4)
            told.append(f"{arm} from {number(level[0])} to {number(level[-1])} in {spent[-1]:,} row-passes")
        axes.grid(axis="y")
        axes.set_xlabel("row-passes on the target")
        metric = series[0][1].get("metric", "loss")
        axes.set_ylabel(f"validation {METRICS[metric].label if metric in METRICS else metric}")
        return finish(figure, study, f"rounds on {target}", f"validation by row-passes on {target}: {'; '.join(told)}")


def at(log: Log) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each proposal with the row-passes that had been spent when it was done."""
    spent = 0
    for line in log:
        spent += line["rows"]
        yield spent, line


def line_of(log: Log) -> tuple[list[int], list[float]]:
    """Return the row-passes at which what is kept changed, and its validation score from there on, to the end."""
    ends = list(at(log))
    of_round = {line["round"]: spent for spent, line in ends}  # a round's last
    kept = [(of_round[line["round"]], mean(line)) for line in log if line["kept"]]
    return [spent for spent, _ in kept] + [ends[-1][0]], [value for _, value in kept] + [kept[-1][1]]
