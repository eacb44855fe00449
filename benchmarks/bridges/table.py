"""Make the tables over bridges from a study's records.

Run: for shots in 8 32; do softbridge run bridges --set shots=$shots --out runs/bridges; done
     python benchmarks/bridges/table.py runs/bridges > table.md
"""

import sys
from pathlib import Path

from softbridge.records.store import read
from softbridge.reports.transfer import standings


def signed(value, digits=3):
    """Return a number with its sign, or a dash."""
    return "–" if value is None else f"{value:+.{digits}f}"


def table(records):
    """Return the lines of one table."""
    arms = standings(records)
    targets = sorted({record.target for record in records})
    head = [
        "arm",
        *targets,
        "gain (95 %)",
        "gain, same total budget",
        "rank",
        "below scratch",
        "steps to scratch's best",
        "parameters",
    ]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for arm in arms:
        cells = [f"{arm.mean(t):.3f} ± {arm.spread(t):.3f}" for t in targets]
        steps = "–" if arm.reached is None else f"{'–' if arm.steps is None else f'{arm.steps:g}'} ({arm.reached:.0%})"
        cells += [
            f"{signed(arm.gain)} ({signed(arm.interval[0])}, {signed(arm.interval[1])})",
            signed(arm.gain_combined),
            f"{arm.rank:.1f}",
            f"{arm.negative:.0%}",
            steps,
            f"{arm.parameters:,}",
        ]
        lines.append(f"| {arm.name} | " + " | ".join(cells) + " |")
    return lines


def main(folders):
    """Print a table for each number of shots."""
    records = read([Path(folder) for folder in folders])
    for shots in sorted({record.recipe["shots"] for record in records}):
        print(f"\n### {shots} labelled rows of each class\n")
        print("\n".join(table([record for record in records if record.recipe["shots"] == shots])))


if __name__ == "__main__":
    main(sys.argv[1:])
