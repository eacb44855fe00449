"""Make the tables over prompt kinds from the records of recipes/prompts.

Run: python benchmarks/prompts/table.py benchmarks/prompts/records benchmarks/prompts/records/causal
"""

import statistics
import sys
from pathlib import Path

from softbridge.records.store import read

HEAD = ["prompt", "kind of backbone", "test accuracy", "test loss", "validation loss", "parameters"]


def spread(values):
    """Return mean and standard deviation as text."""
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}" if len(values) > 1 else f"{values[0]:.3f}"


def row(record):
    """Return one arm's line."""
    best, none = [member["best"] for member in record.members], record.arm == "no prompt"
    return [
        "none" if none else record.prompt["kind"],
        record.backbone["kind"],
        spread([b["test"]["accuracy"] for b in best]),
        spread([b["test"]["loss"] for b in best]),
        spread([b["validation"]["loss"] for b in best]),
        "0" if none else f"{record.prompt['parameters']:,}",
        "" if none else f"{record.recipe['training']['target']['learning_rate']:g}",
        record.backbone["precision"],
    ]


def table(records):
    """Print a line a kind; no prompt is the same in every recipe of one precision."""
    rows = sorted({tuple(row(record)) for record in records}, key=lambda line: (line[0] != "none", line[0], line[-2:]))
    print("| " + " | ".join([*HEAD, "learning rate", "precision"]) + " |\n" + "|---" * 8 + "|")
    print("\n".join("| " + " | ".join(line) + " |" for line in rows) + "\n")


def main(folders):
    """Print the table of encoders, and that of the causal model."""
    records = read([Path(folder) for folder in folders])
    for study in (None, "prompts-causal"):
        others = ("prompts-causal", "prompts-rates")
        found = [r for r in records if (r.study not in others if study is None else r.study == study)]
        if found:
            table(found)


if __name__ == "__main__":
    main(sys.argv[1:])
