"""Measure how many rows a second each kind of prompt trains, one kind after the other and round again.

Run on a machine that does nothing else: python benchmarks/prompts/pace.py > benchmarks/prompts/pace.json
Then `python benchmarks/prompts/pace.py --table benchmarks/prompts/pace.json` prints the table.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from softbridge import recipe as recipes
from softbridge.study import learning
from softbridge.study.study import Study

HERE = Path(__file__).parents[2] / "recipes" / "prompts"
STEPS, ROUNDS = {"sentence": 12, "causal": 2}, 3
MORE = {"low_rank": ["prompt.rank=2"]}


def kinds():
    """Return each (recipe file, kind, what is set in it)."""
    for file in sorted(HERE.glob("*.yaml")):
        if file.stem not in ("causal", "rates"):
            yield file, file.stem, []
    for file in sorted(HERE.glob("*.yaml")):
        if file.stem not in ("causal", "rates", "p_tuning_v2"):  # a classifier's prompt
            yield HERE / "causal.yaml", file.stem, [f"prompt.kind={file.stem}", *MORE.get(file.stem, [])]


def training(file, settings, folder):
    """Return the training of the recipe's bank, its first step made."""
    study = Study(recipes.read(file, settings), Path(folder))
    (target,) = study.recipe.targets
    lesson = study.adaptation(target, study.recipe.arms["scratch"])
    study.materials.bind(lesson.domain)
    sets = [study.materials.few(lesson.domain, s, lesson.shots, lesson.validation_shots) for s in lesson.seeds]
    begun = learning.start(study.materials, lesson, sets)
    begun.move()
    return begun, study.materials.backbone.describe()


def paces(begun, steps):
    """Return rows a second over the next steps."""
    rows, started = begun.rows_seen, time.perf_counter()
    for _ in range(steps):
        begun.move()
    return (begun.rows_seen - rows) / (time.perf_counter() - started)


def measure(only=""):
    """Return each kind's rows a second in every round."""
    found = {}
    for turn in range(ROUNDS):
        for file, kind, settings in kinds():
            if only and only not in file.stem:
                continue
            steps = STEPS["causal" if settings else "sentence"]
            with tempfile.TemporaryDirectory() as folder:
                begun, model = training(file, settings, folder)
                begun.step = turn * steps  # every round reads other rows, the same for all kinds
                pace = paces(begun, steps)
            key = f"{model['kind']} {kind}"
            found.setdefault(key, {**{k: model[k] for k in ("name", "precision", "attention")}, "rows_per_second": []})
            found[key]["rows_per_second"].append(round(pace, 1))
            print(turn, key, round(pace, 1), file=sys.stderr)
    return found


def table(found):
    """Print rows a second, the median over the rounds."""
    print("| backbone | prompt | rows/s | precision |\n|---|---|---|---|")
    for key, one in found.items():
        kind, prompt = key.split()
        middle = statistics.median(one["rows_per_second"])
        print(f"| {one['name']} ({kind}) | {prompt} | {middle:.0f} | {one['precision']} |")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--table"]:
        table(json.loads(Path(sys.argv[2]).read_text()))
    else:
        json.dump(measure(*sys.argv[1:]), sys.stdout, indent=1)
