"""Make the table of the gallery's benchmark from its records: python benchmarks/gallery/table.py [FOLDER]."""

import json
import sys
from pathlib import Path
from statistics import mean, stdev

from softbridge.records.store import read


def roles(recipe):
    """Return what each way is, whatever sources its seed ranked first: the recipe's arms in their order."""
    found, place = {}, {}
    for name in recipe["arms"]:
        kind, _, source = name.partition(" from ")
        place.setdefault(source, len(place) if source else 0)
        found[name] = f"{kind} from no. {[s for s in place if s].index(source) + 1}" if source else name
    return found


def runs(folder):
    """Return each cell's runs by seed: what won, by name and by role, the test accuracy of every role, and the rows."""
    found = {}
    for place in sorted(folder.glob("*-seed*")):
        name, _, seed = place.name.rpartition("-seed")
        records = read([place])
        role, winner = roles(records[0].recipe), json.loads((place / "contest.json").read_text())["winner"]
        scores = {role[r.arm]: r.members[0]["best"]["test"]["accuracy"] for r in records}
        rows = records[0].data["target"]["sizes"]["labelled"]
        found.setdefault(name, {})[int(seed)] = (winner, role[winner], scores, rows, len(scores) == len(role))
    return dict(sorted(found.items(), key=lambda item: next(iter(item[1].values()))[3]))


def shown(values):
    """Return mean and standard deviation."""
    return f"{mean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


def line(name, seeds):
    """Return a cell's line; hindsight is over the seeds whose ways were all carried to their end."""
    ours = {seed: scores[role] for seed, (_, role, scores, _, _) in seeds.items()}
    scratch = {seed: scores["scratch"] for seed, (_, _, scores, _, _) in seeds.items()}
    whole = {seed: scores for seed, (_, _, scores, _, done) in seeds.items() if done}
    told = ["–"] * 3
    if whole:
        ways = set.intersection(*map(set, whole.values()))
        best = max(sorted(ways), key=lambda way: mean(scores[way] for scores in whole.values()))
        theirs = [scores[best] for scores in whole.values()]
        gap = mean(ours[seed] for seed in whole) - mean(theirs)
        each = mean(ours[seed] - max(scores.values()) for seed, scores in whole.items())
        told = [f"{best} {shown(theirs)}", f"{gap:+.3f}", f"{each:+.3f}"]
    gains = ", ".join(f"{seeds[seed][0]} ({ours[seed] - scratch[seed]:+.3f})" for seed in sorted(seeds))
    rows = next(iter(seeds.values()))[3]
    low = f"{mean(ours.values()) - mean(scratch.values()):+.3f}"
    return [f"{name.partition('-')[0]}, {rows} rows", shown(scratch.values()), shown(ours.values()), low, *told, gains]


def every_way(found):
    """Yield each way's means, with hindsight."""
    every = [scores for seeds in found.values() for (_, _, scores, _, done) in seeds.values() if done]
    for way in dict.fromkeys(way for scores in every for way in scores):
        cells = ([s[way] for (_, _, s, _, done) in seeds.values() if done and way in s] for seeds in found.values())
        yield [way, *(shown(values) if values else "–" for values in cells)]


def main(folder):
    """Print both tables."""
    found = runs(folder)
    head = ["data", "scratch", "bridge", "less scratch", "best way with hindsight", "less it", "less each seed's best"]
    lines = [line(name, seeds) for name, seeds in found.items()]
    titles = ["way", *(each[0] for each in lines)]
    for names, cells in (([*head, "won (less scratch), seed by seed"], lines), (titles, list(every_way(found)))):
        print("\n| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|")
        print("\n".join("| " + " | ".join(row) + " |" for row in cells))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent)
