"""Measure softbridge against Trainer + PEFT on this machine: python benchmarks/speed/run.py --backbone minilm-l6

Each measured job is a process of its own; the sides alternate, so that whatever else the machine does falls on all.

- `default`: Trainer as it comes, float32, rows padded to the longest of their batch, all logits of a causal model.
- `best`: the fastest of `TRIED` on this machine, found by short runs at first and written into the record.
- `softbridge`: softbridge as it comes.

The record (`--out`) holds every repeat; run again with the same job, repeats are added. Axes: --backbone --precision
--batch --sentences (text length) --length (of the prompt) --vocabulary --bank --kind; see --help.
`--grow rows|sentences|length|bank` measures softbridge alone along one axis; `cells.py` beside it a matrix's cells.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from job import Job
from table import comparison, growth

HERE = Path(__file__).parent
TRIED: list[dict[str, Any]] = [
    {"train_sampling_strategy": "group_by_length"},
    {"train_sampling_strategy": "group_by_length", "attention": "eager"},
    {"bf16": True},
    {"bf16": True, "train_sampling_strategy": "group_by_length"},
    {"bf16": True, "train_sampling_strategy": "group_by_length", "attention": "eager"},
    {"weights": "bfloat16", "train_sampling_strategy": "group_by_length"},
    {"weights": "bfloat16", "train_sampling_strategy": "group_by_length", "attention": "eager"},
]
GROW: dict[str, list[Job]] = {
    "rows": [Job(batch=8, steps=s) for s in (16, 32, 64, 128)],
    "sentences": [Job(batch=16, steps=12, sentences=s) for s in (1, 2, 4, 8, 16)],
    "length": [Job(batch=16, steps=12, length=p) for p in (5, 10, 20, 50, 100)],
    "bank": [Job(batch=8, steps=12, bank=n) for n in (1, 2, 4, 8, 16, 32)],
}


def measure(side: str, job: Job) -> dict[str, Any]:
    """Return what one job in a process of its own came to."""
    quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    env = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")} | quiet
    told = [sys.executable, str(HERE / "job.py"), side, json.dumps(asdict(job))]
    done = subprocess.run(told, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{side} {job} failed:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def peak() -> dict[str, float]:
    """Return the machine's matrix peak in GFLOP/s."""
    done = subprocess.run([sys.executable, str(HERE / "peak.py")], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def best_setting(job: Job) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return Trainer's fastest setting for a job, and what all that were tried came to, in short runs."""
    short = replace(job, steps=job.warm + max(2, 96 // job.batch), test=2)
    seen = [{"settings": s, **measure("trainer", replace(short, settings=s))} for s in TRIED]
    kept = [{key: tried[key] for key in ("settings", "rows_per_second")} for tried in seen]
    return max(kept, key=lambda tried: tried["rows_per_second"])["settings"], kept


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    import torch

    from softbridge.study.provenance import provenance

    known = provenance(torch.device("cpu"), 1)
    return {k: known[k] for k in ("torch", "transformers", "peft", "softbridge", "commit", "device", "threads")}


def compare(job: Job, repeats: int, out: Path, best: dict[str, Any] | None) -> dict[str, Any]:
    """Measure the three sides in turn, and add the repeats to the record."""
    record = json.loads(out.read_text()) if out.exists() else {"job": asdict(job), "machine": machine(), "repeats": []}
    if record["job"] != asdict(job):
        sys.exit(f"{out} holds another job; choose another --out")
    if "best" not in record:
        record["best"], record["tried"] = (best, []) if best else best_setting(job)
        out.write_text(json.dumps(record, indent=1) + "\n")
    for _ in range(repeats):
        now = replace(job, seed=len(record["repeats"]))
        record["repeats"].append(
            {
                "peak": peak(),
                "default": measure("trainer", now),
                "softbridge": measure("softbridge", now),
                "best": measure("trainer", replace(now, settings=record["best"])),
            }
        )
        out.write_text(json.dumps(record, indent=1) + "\n")
    return record


def grow(axis: str, base: Job, out: Path) -> dict[str, Any]:
    """Measure softbridge along one axis."""
    points = [replace(p, backbone=base.backbone, kind=base.kind) for p in GROW[axis]]
    record = {"axis": axis, "machine": machine(), "points": []}
    for point in points:
        record["points"].append({"job": asdict(point), **measure("softbridge", point)})
        out.write_text(json.dumps(record, indent=1) + "\n")
    return record


def main() -> None:
    """Read the options, measure, print."""
    reading = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = {"vocabulary": int, "settings": json.loads}
    for each in fields(Job):
        default = getattr(Job(), each.name)
        reading.add_argument(f"--{each.name}", type=kinds.get(each.name, type(default)), default=default)
    reading.add_argument("--repeats", type=int, default=3)
    reading.add_argument(
        "--best", type=json.loads, help="Trainer's setting as JSON, instead of looking for the fastest."
    )
    reading.add_argument("--grow", choices=sorted(GROW))
    reading.add_argument("--out", type=Path)
    asked = vars(reading.parse_args())
    repeats, axis, out, best = (asked.pop(name) for name in ("repeats", "grow", "out", "best"))
    job = Job(**asked)
    place = out or HERE / "records" / f"{'grow-' + axis + '-' if axis else ''}{job.backbone}-{job.kind}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    print(growth(grow(axis, job, place)) if axis else comparison([compare(job, repeats, place, best)]))


if __name__ == "__main__":
    main()
