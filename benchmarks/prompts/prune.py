"""Prune the prompts that recipes/prompts/soft.yaml learned, and say what is left of their accuracy.

Run: softbridge run recipes/prompts/soft.yaml --set prompt.length=20 --out runs/prune
     python benchmarks/prompts/prune.py runs/prune > benchmarks/prompts/prune.json
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from softbridge import recipe as recipes
from softbridge.evaluation.evaluator import probabilities, scores
from softbridge.prompts import files
from softbridge.prompts.bank import Bank
from softbridge.prompts.held import HeldPrompt
from softbridge.prompts.pruning import Prune
from softbridge.study.judging import judge_on
from softbridge.study.learning import prompt_folder
from softbridge.study.pruning import Candidate, prune
from softbridge.study.study import Study

WAYS = {
    "nothing": None,
    "half of the tokens": Prune(tokens=0.5, pieces=1, share=1.0),
    "half of the tokens, half of their pieces": Prune(tokens=0.5, pieces=16, share=0.5),
    "three quarters of the tokens, half of their pieces": Prune(tokens=0.25, pieces=16, share=0.5),
}


def tested(study, domain, prompts):
    """Return each prompt's scores on the test rows."""
    rows = study.materials.test(domain)
    bank = Bank({str(i): HeldPrompt(prompt) for i, prompt in enumerate(prompts)})
    found = probabilities(study.materials.backbone, bank, [rows] * len(prompts), study.accelerator)
    return [scores(each, rows.labels, ["accuracy"]) for each in found]


def main(folder):
    """Print what each way of pruning leaves, as JSON."""
    study = Study(recipes.read(folder / "recipe.yaml"), folder)
    recipe, arm = study.recipe, study.recipe.arms["scratch"]
    (target,) = recipe.targets
    domain, stage = study.materials.targets[target], study.adaptation(target, arm).stage
    study.materials.bind(domain)
    sets = [study.materials.few(domain, seed, recipe.shots, recipe.validation_shots) for seed in recipe.seeds]
    judge = judge_on(study.materials.backbone, [looked for _, looked in sets], arm.plan, study.accelerator)
    trained = [files.load(prompt_folder(stage, seed, "best")).injection for seed in recipe.seeds]
    candidates = [
        Candidate(f"seed{seed}", seed, prompt, prompt, rows)
        for seed, prompt, (rows, _) in zip(recipe.seeds, trained, sets, strict=True)
    ]
    plan, found = replace(arm.plan, steps=arm.plan.steps // 2), []
    for name, how in WAYS.items():
        pruned = prune(study.materials.backbone, candidates, how, plan, judge, study.accelerator) if how else []
        prompts = [each.trained.best for each in pruned] or trained
        kept = [int(each.mask.sum()) for each in pruned] or [prompt.tokens.numel() for prompt in trained]
        validation = [each.trained.history for each in pruned]
        found.append(
            {
                "taken away": name,
                "kept": kept,
                "test": tested(study, domain, prompts),
                "best step": [each.trained.best_step for each in pruned],
                "validation": [[look["validation"]["loss"] for look in history] for history in validation],
            }
        )
    print(json.dumps({"seeds": recipe.seeds, "steps again": plan.steps, "ways": found}, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
