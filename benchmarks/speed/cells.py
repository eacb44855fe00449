"""Measure how a transfer matrix's cost grows with its cells, one by one and in banks: python benchmarks/speed/cells.py

Each of n domains is a source for the others: n sources, n (n - 1) cells of `spot`, and n of scratch, three seeds each.
`softbridge run` carries out the same recipe in two new folders, with and without `--abreast`; the seconds are those of
the stages that train.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

DOMAINS = ("movies", "products", "news", "tweets")
RECIPE = """
name: cells
seeds: [0, 1, 2]
backbone: {{name: {backbone}, max_length: 32}}
prompt: {{length: 5}}
domain: {{labels: {{negative: negative sentiment, positive: positive sentiment}}, test: 20, validation: 64}}
sources: &domains
{domains}
targets: *domains
shots: 16
validation_shots: 8
training:
  source: {{steps: 24, batch: {batch}, evaluate_every: 24}}
  target: {{steps: 24, batch: {batch}, evaluate_every: 24}}
arms:
  scratch: {{bridge: scratch}}
  spot: {{bridge: spot, each: true}}
"""


def seconds(recipe: Path, out: Path, *more: str) -> float:
    """Run a recipe in a new folder, and return how long its stages trained."""
    told = [sys.executable, "-m", "softbridge", "run", str(recipe), "--out", str(out), *more]
    done = subprocess.run(told, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    results = [json.loads(file.read_text()) for file in (out / "stages").glob("[ae]*/result.json")]
    return sum(result.get("seconds", 0.0) for result in results if result.get("rows_seen"))


def measure(domains: int, backbone: str, batch: int) -> dict[str, float]:
    """Return what the cells of some domains took, one by one and in banks."""
    with tempfile.TemporaryDirectory() as place:
        recipe = Path(place) / "cells.yaml"
        lines = "\n".join(f"  {name}: {{data: vader/{name}}}" for name in DOMAINS[:domains])
        recipe.write_text(RECIPE.format(backbone=backbone, domains=lines, batch=batch))
        return {
            "sources": domains,
            "cells": domains * domains,
            "one_by_one": seconds(recipe, Path(place) / "alone"),
            "abreast": seconds(recipe, Path(place) / "abreast", "--abreast"),
        }


def table(record: dict) -> str:
    """Return the table of a record."""
    lines = ["| sources | cells | one by one, s | in banks, s | times as fast |", "|---|---|---|---|---|"]
    for seen in record["points"]:
        ratio = seen["one_by_one"] / seen["abreast"]
        told = (f"{seen[name]:.0f}" for name in ("sources", "cells", "one_by_one", "abreast"))
        lines.append(f"| {' | '.join(told)} | {ratio:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Read the options, measure, print."""
    from run import machine

    reading = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reading.add_argument("--backbone", default="minilm-l6")
    reading.add_argument("--batch", type=int, default=8)
    reading.add_argument("--out", type=Path)
    asked = reading.parse_args()
    out = asked.out or Path(__file__).parent / "records" / f"cells-{asked.backbone}.json"
    record = {"backbone": asked.backbone, "batch": asked.batch, "machine": machine(), "points": []}
    for domains in (2, 3, 4):
        record["points"].append(measure(domains, asked.backbone, asked.batch))
        out.write_text(json.dumps(record, indent=1) + "\n")
    print(table(record))


if __name__ == "__main__":
    main()
