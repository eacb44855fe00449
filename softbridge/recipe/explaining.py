"""What a recipe will do, in words."""

from __future__ import annotations

from softbridge.domains.domain import Domain
from softbridge.engine.plan import Plan
from softbridge.prompts.shelved import Shelved
from softbridge.recipe import before, rounds
from softbridge.recipe.schema import Arm, Recipe, plain


def explain(recipe: Recipe) -> str:
    """Return what a recipe will do, step by step.

    Example:
        >>> from softbridge.recipe import read
        >>> print(explain(read("quickstart")).splitlines()[0])
        quickstart: 1 source, 3 targets, 6 arms, 3 seeds
    """
    counts = {"source": recipe.sources, "target": recipe.targets, "arm": recipe.arms, "seed": recipe.seeds}
    head = ", ".join(f"{len(what)} {word}" + ("" if len(what) == 1 else "s") for word, what in counts.items())
    prompt = plain(recipe.prompt)
    settings = ", ".join(f"{key} {value}" for key, value in prompt.items() if key != "length" and value is not None)
    kind = f"{recipe.backbone.kind} backbone" if recipe.backbone.kind else "backbone"
    by = recipe.training.target.choose_by
    judge = "the last step's prompt is kept" if by == "last" else f"validation chooses the checkpoint by {by}"
    looked = "to look at" if by == "last" else "to choose by"
    lines = [
        f"{recipe.name}: {head}",
        f"{kind} {recipe.backbone.name}, frozen; texts are cut to {recipe.backbone.max_length} tokens",
        f"prompt {recipe.prompt.name} of {recipe.prompt.length} tokens ({settings}); one member per seed: "
        + ", ".join(map(str, recipe.seeds)),
        *before.explained(recipe.pretrain, recipe.tune, _plan),
        *_designed(recipe),
        *_read_sources(recipe),
        *(f"target {name}: {_data(domain)}" for name, domain in recipe.targets.items()),
        f"on each target: {' and, once more, '.join(_rows(one.shots, recipe) for one in recipe.by_shots())} "
        f"to train on, {_rows(recipe.validation_shots, recipe)} {looked}",
        *(f"arm {arm.name}: {_way(arm)}" for arm in recipe.arms.values()),
        f"{judge}; test is touched once",
    ]
    return "\n".join(lines)


def _designed(recipe: Recipe) -> list[str]:
    design = recipe.design
    if design is None:
        return []
    background = f"the background {design.background}" if design.background else "each other"
    return [
        f"design: terms of the domains, held against {background}, become {design.candidates} candidates; "
        f"each seed starts from its best by {design.choose_by}"
    ]


def _read_sources(recipe: Recipe) -> list[str]:
    plan = _plan(recipe.training.source)
    return [
        f"source {name}: saved prompts {source.prompts}; classes {', '.join(source.labels)}"
        if isinstance(source, Shelved)
        else f"source {name}: {_data(source)}; {plan}"
        for name, source in recipe.sources.items()
    ]


def _data(domain: Domain) -> str:
    data = domain.data if isinstance(domain.data, str) else "rows in memory"
    where = "".join(f", where {column} is {value}" for column, value in domain.where.items())
    if domain.answer is not None:
        ends = f"up to {domain.max_new_tokens} tokens, and the {domain.match} must be right"
        return f"{data}{where}; answers are written, {ends}"
    return f"{data}{where}; classes {', '.join(domain.labels)}"


def _rows(shots: int | None, recipe: Recipe) -> str:
    free = any(domain.answer for domain in recipe.targets.values())
    known = "answered rows" if free else "labelled rows"
    return f"all {known}" if shots is None else f"{shots} {known}" + ("" if free else " per class")


def _plan(plan: Plan) -> str:
    return (
        f"{plan.steps} steps of {plan.batch} rows by {plan.optimiser}, "
        f"learning rate {plan.learning_rate:g}, {plan.schedule} schedule"
    )


def _way(arm: Arm) -> str:
    settings = ", ".join(f"{key} {value}" for key, value in plain(arm.bridge).items() if value is not None)
    bridge = (
        f"bridge {arm.bridge.name}" + (f" ({settings})" if settings else "") + ", from each source alone" * arm.each
    )
    if not arm.bridge.trains:
        return f"{bridge}; not trained on the target"
    more = " and as many rows more as the sources were trained with" if arm.budget == "combined" else ""
    searched = f"; {rounds.told(arm.rounds)}" if arm.rounds else ""
    return f"{bridge}; {_plan(arm.plan)}{more}{searched}"
