"""Make the table over prompt kinds from the records of recipes/prompts.

Run: for each recipe `softbridge run recipes/prompts/KIND.yaml --out runs/prompts/KIND`, then
     python benchmarks/prompts/table.py runs/prompts/* > table.md
"""

import statistics
import sys
from pathlib import Path

from softbridge.records.store import read


def spread(values):
    """Return mean and standard deviation as text."""
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}" if len(values) > 1 else f"{values[0]:.3f}"


def row(record):
    """Return one arm's line."""
    best = [member["best"] for member in record.members]
    kind = "none" if record.arm == "no prompt" else record.prompt["kind"]
    rate = record.recipe["training"]["target"]["learning_rate"] if record.arm != "no prompt" else ""
    cells = [
        kind,
        record.backbone["kind"],
        spread([b["test"]["accuracy"] for b in best]),
        spread([b["test"]["loss"] for b in best]),
        spread([b["validation"]["loss"] for b in best]),
        f"{record.prompt['parameters']:,}" if record.arm != "no prompt" else "0",
        f"{record.cost['rows_per_second']:.0f}" if record.arm != "no prompt" else "",
        f"{rate:g}" if rate else "",
    ]
    return "| " + " | ".join(cells) + " |"


def main(folders):
    """Print the table."""
    records = [record for folder in folders for record in read([Path(folder)])]
    lines = dict.fromkeys(
        row(record) for record in sorted(records, key=lambda r: r.arm)
    )  # no prompt is the same in all
    print("| prompt | backbone | test accuracy | test loss | validation loss | parameters | rows/s | learning rate |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
