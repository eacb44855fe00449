"""Make the tables over what is trained before the sources, from the records of recipes/pretrain.yaml or chinese.yaml.

Run: the commands of the recipe's first comment with --out runs/pretrain, then
     python benchmarks/pretrain/table.py runs/pretrain > table.md
"""

import sys
from pathlib import Path

from softbridge.records.store import read
from softbridge.reports.grid import number, plus_minus, signed
from softbridge.reports.statistics import paired, spread

BASE = "200 source steps"  # what every other way is held against: the same rows before the target
SHORT = "100 source steps"


def way(record):
    """Return what a study trained before its target, in words."""
    pretrain, tune = record.recipe.get("pretrain"), record.recipe.get("tune")
    if tune:
        return f"tune ({tune['how']}), then prompts"
    if pretrain:
        told = pretrain.get("objective") or f"N counts {pretrain.get('normalise')}"
        return f"pretrain, {pretrain['form']} ({told})"
    if record.recipe.get("design"):
        return f"{record.recipe['training']['source']['steps']} source steps from designed words"
    return f"{record.recipe['training']['source']['steps']} source steps"


def seen(records, metric):
    """Return the numbers of one way and arm by (target, seed)."""
    return {(r.target, m["seed"]): m["best"]["test"][metric] for r in records for m in r.members}


def numbered(values):
    """Return numbers by their place, in a fixed order, as `paired` takes them."""
    return {i: values[key] for i, key in enumerate(sorted(values))}


def gain(ours, theirs, best=1.0):
    """Return the mean paired difference with its 95 % interval."""
    pair = paired(numbered(ours), numbered(theirs), best)
    if not any(pair.differences):
        return "–"
    return f"{signed(pair.spread.mean)} ({signed(pair.interval[0])}, {signed(pair.interval[1])})"


def seconds(records):
    """Return the seconds of work before the target, all seeds together, each stage once."""
    stages = {(s["kind"], s["domain"], s["seconds"]) for r in records for s in r.cost["stages"]}
    return sum(took for kind, _, took in stages if kind not in ("adapt", "evaluate"))


def table(records, arm):
    """Return the lines of one arm's table."""
    ways = sorted({way(r) for r in records}, key=lambda name: (name != SHORT, name != BASE, name))
    found = {name: [r for r in records if way(r) == name and r.arm == arm] for name in ways}
    targets = sorted({r.target for r in records})
    head = ["before the target", *targets, f"accuracy against {BASE}", "test loss against it", "seconds before"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name in ways:
        by_target = [list(seen([r for r in found[name] if r.target == t], "accuracy").values()) for t in targets]
        cells = [name, *(plus_minus(spread(values)) for values in by_target)]
        for metric, best in (("accuracy", 1.0), ("loss", 0.0)):
            cells.append(gain(seen(found[name], metric), seen(found[BASE], metric), best))
        lines.append("| " + " | ".join([*cells, number(seconds(found[name]), 0)]) + " |")
    return lines


def transfer(records):
    """Return the lines that tell what spot gains over scratch, each way's over its own."""
    found = {}
    for name in sorted({way(r) for r in records}):
        spot, scratch = (
            seen([r for r in records if way(r) == name and r.arm == arm], "accuracy") for arm in ("spot", "scratch")
        )
        found[name] = gain(spot, scratch)
    return [f"- {name}: {text}" for name, text in found.items()]


def losses(records):
    """Return the lines that tell what was measured of each stage before the sources."""
    told = {}
    for record in records:
        for loss in record.losses:
            if loss["stage"] in ("pretrain", "tune"):
                told[way(record)] = (
                    f"{loss['name']}, {loss['M']:,} rows: {number(loss['first'])} → {number(loss['last'])}"
                )
    return [f"- {name}: {text}" for name, text in sorted(told.items())]


def main(folders):
    """Print a table for each arm, and the losses before the sources."""
    records = read([Path(folder) for folder in folders])
    for arm in sorted({record.arm for record in records}):
        print(f"\n### {arm}\n")
        print("\n".join(table(records, arm)))
    print("\n### Accuracy of spot over scratch\n")
    print("\n".join(transfer(records)))
    print("\n### Losses before the sources\n")
    print("\n".join(losses(records)))


if __name__ == "__main__":
    main(sys.argv[1:])
