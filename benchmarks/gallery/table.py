"""Make the table of the gallery's benchmark from its records: python benchmarks/gallery/table.py [FOLDER]."""

import json
import sys
from pathlib import Path
from statistics import mean, stdev

from softbridge.records.store import read


def roles(recipe):
    """Return what each way is, whatever sources its seed ranked first: the recipe's arms in their order."""
    known = {"average of all", "attempt", "average of 3", "arithmetic", "scratch"}
    found, count = {}, 0
    for name in recipe["arms"]:
        if name.startswith("spot from"):
            count += 1
        role = name if name in known else f"{name.partition(' from ')[0]} from no. {count}"
        found[name] = role.replace("proximal from no. 2", "proximal from no. 1")
    return found


def cells(folder):
    """Return each cell's runs: by seed the winner, and the test accuracy of every way by its role."""
    found = {}
    for place in sorted(folder.glob("*-seed*")):
        name, _, seed = place.name.rpartition("-seed")
        records = read([place])
        role = roles(records[0].recipe)
        contest = json.loads((place / "contest.json").read_text())
        scores = {role[r.arm]: r.members[0]["best"]["test"]["accuracy"] for r in records}
        size = records[0].data["target"]["sizes"]
        found.setdefault(name, {})[int(seed)] = (role[contest["winner"]], contest["winner"], scores, size)
    return found


def shown(values):
    """Return mean and standard deviation."""
    return f"{mean(values):.3f} ± {stdev(values):.3f}"


def line(name, runs):
    """Return a cell's line."""
    seeds = sorted(runs)
    chosen = [runs[seed][2][runs[seed][0]] for seed in seeds]
    ways = set.intersection(*(set(runs[seed][2]) for seed in seeds))
    by_way = {way: [runs[seed][2][way] for seed in seeds] for way in ways}
    best = max(sorted(by_way), key=lambda way: mean(by_way[way]))
    each = [max(runs[seed][2].values()) for seed in seeds]
    return [
        name,
        shown(by_way["scratch"]),
        shown(chosen),
        f"{best} {shown(by_way[best])}",
        f"{mean(chosen) - mean(by_way['scratch']):+.3f}",
        f"{mean(chosen) - mean(by_way[best]):+.3f}",
        f"{mean(chosen) - mean(each):+.3f}",
        ", ".join(
            f"{runs[seed][1]} ({s - runs[seed][2]['scratch']:+.3f})" for seed, s in zip(seeds, chosen, strict=True)
        ),
    ]


def every_way(found):
    """Return the lines of the ways' means, with hindsight."""
    names = list(found)
    ways = list(next(iter(next(iter(found.values())).values()))[2])
    order = ["scratch", *(way for way in ways if way != "scratch")]
    for way in order:
        per = [[run[2].get(way) for run in found[name].values()] for name in names]
        yield [way, *(shown(v) if all(x is not None for x in v) else "–" for v in per)]


def main(folder):
    """Print both tables."""
    found = cells(folder)
    head = ["data-rows of each class", "scratch", "bridge", "best way with hindsight", "− scratch", "− best way"]
    head += ["− best of each seed", "chosen (less scratch, by seed)"]
    for titles, lines in (
        (head, [line(name, runs) for name, runs in found.items()]),
        (["way", *found], every_way(found)),
    ):
        print("\n| " + " | ".join(titles) + " |\n" + "|---" * len(titles) + "|")
        print("\n".join("| " + " | ".join(cells) + " |" for cells in lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent / "records")
