"""Make the tables of rounds from a study's records.

Run: softbridge run rounds --out runs/rounds
     python benchmarks/rounds/table.py runs/rounds > table.md
"""

import sys
from pathlib import Path

from softbridge.records.store import read
from softbridge.reports.rounds import summary
from softbridge.reports.statistics import paired, spread
from softbridge.reports.studies import gather

BASE = "spot"


def mean_of(values):
    """Return a mean and its spread over seeds, as text."""
    of = spread(values)
    return f"{of.mean:.3f} ± {of.std:.3f}"


def pooled(study, arm):
    """Return an arm's gains over the plain arm, over all targets and seeds."""
    return [d for target in study.targets for d in study.gain(target, arm, "accuracy", BASE).differences]


def scores(study):
    """Return the lines of the table of test accuracy."""
    head = ["arm", *study.targets, f"over {BASE} (95 %)", "validation loss", "row-passes a target"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for arm in study.arms:
        cells = [mean_of(list(study.scores(target, arm).values())) for target in study.targets]
        gains = pooled(study, arm)
        both = paired(dict(enumerate(gains)), dict.fromkeys(range(len(gains)), 0.0))
        low, high = both.interval
        cells.append("" if arm == BASE else f"{both.spread.mean:+.3f} ({low:+.3f}, {high:+.3f})")
        losses = [
            member["best"]["validation"]["loss"]
            for target in study.targets
            for member in study.cells[target, arm].members
        ]
        spent = sorted({trained(study.cells[target, arm]) for target in study.targets})
        cells += [
            f"{sum(losses) / len(losses):.3f}",
            " to ".join(f"{n:,}" for n in dict.fromkeys((spent[0], spent[-1]))),
        ]
        lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    return lines


def trained(record):
    """Return the row-passes on the target."""
    found = record.budget.get("rounds")
    return found["rows"] if found else record.budget["target_steps"] * record.budget["batch"] * len(record.members)


def rounds(study):
    """Return the lines of the table of rounds."""
    grid = summary(study)
    lines = ["| " + " | ".join(grid.head) + " |", "|---" * len(grid.head) + "|"]
    return lines + ["| " + " | ".join(cell.text for cell in row) + " |" for row in grid.rows]


def main(folders):
    """Print both tables."""
    for study in gather(read([Path(folder) for folder in folders])):
        print("\n### Test accuracy\n")
        print("\n".join(scores(study)))
        print("\n### Every round\n")
        print("\n".join(rounds(study)))


if __name__ == "__main__":
    main(sys.argv[1:])
