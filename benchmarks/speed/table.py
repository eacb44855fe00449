"""Make the tables from the records: python benchmarks/speed/table.py benchmarks/speed/records/*.json"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Weights of the blocks that meet each position.
WEIGHTS = {"minilm-l6": 10_616_832, "smollm2-135m": 106_168_320}
HEAD = ("job", "side", "rows/s", "softbridge is", "peak memory", "accuracy", "test loss", "of the peak")


def comparison(records: Sequence[dict[str, Any]]) -> str:
    """Return the table of the three sides."""
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    for record in records:
        for side in ("default", "best", "softbridge"):
            lines.append(f"| {' | '.join([named(record['job']), told(record, side), *cells(record, side)])} |")
    return "\n".join(lines)


def named(job: dict[str, Any]) -> str:
    """Return a job in words."""
    extra = [f"{job['sentences']} sentences"] * (job["sentences"] > 1) + [f"bank {job['bank']}"] * (job["bank"] > 1)
    extra += [f"V {job['vocabulary']}"] * bool(job["vocabulary"])
    what = [job["backbone"], job["kind"], f"P {job['length']}", f"batch {job['batch']}", f"{job['steps']} steps"]
    return ", ".join(what + extra)


def told(record: dict[str, Any], side: str) -> str:
    """Return a side in words."""
    ran = record["repeats"][0][side]["ran"]
    name = {"default": "Trainer + PEFT, default", "best": "Trainer + PEFT, best", "softbridge": "**softbridge**"}[side]
    return (
        name if side == "default" else f"{name} ({', '.join(str(v) if v is not True else k for k, v in ran.items())})"
    )


def cells(record: dict[str, Any], side: str) -> list[str]:
    """Return a side's figures: means and spread over repeats."""
    seen = record["repeats"]
    speed = [repeat[side]["rows_per_second"] for repeat in seen]
    ratios = [repeat["softbridge"]["rows_per_second"] / repeat[side]["rows_per_second"] for repeat in seen]
    right = [statistics.mean(repeat[side]["accuracy"]) for repeat in seen]
    loss = [statistics.mean(repeat[side]["test_loss"]) for repeat in seen]
    most = max(max(repeat["peak"].values()) for repeat in seen)
    work = 4e-9 * WEIGHTS[record["job"]["backbone"]] * (seen[0][side]["tokens"] + record["job"]["length"])
    return [
        spread(speed, ".0f" if min(speed) >= 20 else ".1f"),
        ""
        if side == "softbridge"
        else f"{spread(ratios, '.1f')} times as fast ({min(ratios):.1f} to {max(ratios):.1f})",
        f"{max(repeat[side]['memory_mb'] for repeat in seen):.0f} MB",
        spread(right, ".3f"),
        spread(loss, ".3f"),
        f"{100 * statistics.median(speed) * work / most:.0f} %",
    ]


def spread(seen: Sequence[float], form: str) -> str:
    """Return mean and standard deviation."""
    deviation = f" ± {statistics.stdev(seen):{form}}" if len(seen) > 1 else ""
    return f"{statistics.mean(seen):{form}}{deviation}"


def growth(record: dict[str, Any]) -> str:
    """Return the table of one axis."""
    lines = ["| job | rows/s | ms a step | peak memory |", "|---|---|---|---|"]
    for point in record["points"]:
        job, memory = named(point["job"]), f"{point['memory_mb']:.0f} MB"
        lines.append(f"| {job} | {point['rows_per_second']:.0f} | {point['middle_step_ms']:.0f} | {memory} |")
    return "\n".join(lines)


if __name__ == "__main__":
    every = [json.loads(Path(name).read_text()) for name in sys.argv[1:]]
    print(comparison([record for record in every if "repeats" in record]))
    for record in every:
        if "points" in record:
            print(f"\n{growth(record)}")
