"""Make the tables over measures of similarity from a study's records and what was measured of it.

Run: run.sh, which ends with python benchmarks/similarity/table.py runs/similarity runs/similarity_fdu
"""

import statistics
import sys
from pathlib import Path

from softbridge.records.likeness import kept
from softbridge.records.store import read
from softbridge.reports.foresight import agreement, foresights, gains


def signed(value):
    """Return a correlation with its sign, or a dash."""
    return "–" if value is None else f"{value:+.2f}"


def opening(gained):
    """Return what there is to foretell: how far sources differ, and how far a seed agrees with another."""
    means = {target: [statistics.mean(seeds) for seeds in named.values()] for target, named in gained.items()}
    best, middle, worst = (statistics.mean(f(named) for named in means.values()) for f in (max, statistics.mean, min))
    return (
        f"Gain over scratch, mean over {len(means)} targets: {best:+.3f} from the best source, {middle:+.3f} from the "
        f"mean one, {worst:+.3f} from the worst. Rank correlation of one seed's gains with another's: "
        f"{signed(agreement(gained))}."
    )


def table(records, likenesses, metric="accuracy"):
    """Return the lines of one table."""
    found = foresights(records, likenesses, metric)
    targets = list(found[0].regret[1])
    head = ["measure", "Spearman", *targets, "by chance", "regret, k=1", "regret, k=2", "pairs"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for one in found:
        cells = [signed(one.correlation), *(signed(one.spearman[target]) for target in targets)]
        cells += ["–" if one.chance is None else f"{one.chance:.3f}"]
        cells += [f"{one.mean_regret(1):.4f}", f"{one.mean_regret(2):.4f}", str(one.pairs)]
        lines.append(f"| {one.measure} | " + " | ".join(cells) + " |")
    return lines


def main(folders):
    """Print a table for each study and number of shots."""
    for folder in map(Path, folders):
        records = read([folder])
        likenesses = kept([folder]) if (folder / "likeness").is_dir() else []
        for shots in sorted({record.recipe["shots"] for record in records}):
            some = [record for record in records if record.recipe["shots"] == shots]
            for metric in ("accuracy", "loss"):
                print(f"\n### {some[0].study}, {shots} labelled rows of each class, gain in test {metric}\n")
                print(f"{opening(gains(some, metric))}\n")
                print("\n".join(table(some, likenesses, metric)))


if __name__ == "__main__":
    main(sys.argv[1:])
