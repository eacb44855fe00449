"""Optimise an arm on a target in rounds: what is tried, what it came to, what is kept. No test row is read here."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from softbridge.recipe import Arm
from softbridge.recipe.schema import plain
from softbridge.rounds import Found, Outcome, Rounds, State, search
from softbridge.rounds.base import Labelled, Renewed, revived
from softbridge.study.attempts import Attempts
from softbridge.study.holding import holding
from softbridge.study.learning import Lesson
from softbridge.study.rungs import learn_abreast
from softbridge.study.stages import Stage

if TYPE_CHECKING:
    from softbridge.study.study import Study


def optimise(study: Study, target: str, arm: Arm) -> tuple[Lesson, dict[str, Any], dict[str, Any]]:
    """Search in rounds, or take what a run that did found.

    Returns:
        The kept state's lesson, its result, and the search's result.
    """
    attempts, stage = Attempts(study, target, arm), stage_of(study, target, arm)
    with holding(stage, study.materials.accelerator, study.watcher):
        if stage.finished:
            study.watcher.before(stage.name, stage.folder)
            told = stage.result()
        else:
            told = carry_out(attempts, stage, rounds_of(arm))
    lesson = attempts.lesson(revived(told["kept"]["state"]))
    return lesson, learn_abreast(study.materials, [lesson], study.watcher)[0], told


def stage_of(study: Study, target: str, arm: Arm) -> Stage:
    """Return the stage of a search: decided by the arm, the sources that may be mixed, and how it is searched."""
    facts = {
        "start": study.adaptation(target, arm).stage.digest,
        "sources": [study.extraction(name).digest for name in study.reads(target, arm)],
        "rounds": rounds_of(arm).resolved(),
    }
    return study.stage(f"rounds-{target}-{arm.bridge.name}", facts)


def rounds_of(arm: Arm) -> Rounds:
    """Return how an arm is searched."""
    assert arm.rounds is not None
    return arm.rounds


def carry_out(attempts: Attempts, stage: Stage, rounds: Rounds) -> dict[str, Any]:
    """Search, and finish the stage."""
    study = attempts.study

    def attempt(states: Sequence[State], share: float) -> list[Outcome]:
        return attempt_all(attempts, states, share)

    found = search(rounds, attempts.known, attempt, attempts.cost)
    told = described(found, rounds, attempts)
    if study.materials.accelerator.is_main_process:
        stage.finish(told)
    study.materials.accelerator.wait_for_everyone()
    tried, kept = len(found.log) - 1, sum(one.kept for one in found.log) - 1
    study.watcher.say(f"{stage.name}: {tried} proposals, {kept} kept, {found.rows:,} row-passes; {found.stopped}")
    return told


def attempt_all(attempts: Attempts, states: Sequence[State], share: float) -> list[Outcome]:
    """Train states for a share of their steps, those of one shape and length as one bank."""
    groups: dict[str, list[int]] = {}
    for i, state in enumerate(states):
        plan = attempts.plan(state, share).facts() | {"learning_rate": None}
        groups.setdefault(json.dumps([state.added, plan]), []).append(i)
    found: dict[int, Outcome] = {}
    for places in groups.values():
        lessons = [attempts.lesson(states[i], share) for i in places]
        results = learn_abreast(attempts.materials, lessons, attempts.study.watcher)
        for i, lesson, result in zip(places, lessons, results, strict=True):
            rows = result["rows_seen"] + attempts.beside(states[i])
            scores = tuple(score(member, lesson) for member in result["members"])
            notes = "; ".join(dict.fromkeys(member["note"] for member in result["members"] if member["note"]))
            found[i] = Outcome(states[i], share, scores, rows, result["seconds"], notes)
    return [found[i] for i in range(len(states))]


def score(member: dict[str, Any], lesson: Lesson) -> float:
    """Return a member's validation score at its best step; more is better."""
    assert lesson.plan is not None
    look = next(look for look in member["history"] if look["step"] == member["best_step"])
    value, by = look["validation"], lesson.plan.choose_by
    return -value["loss"] if by == "loss" else value[by]


def described(found: Found, rounds: Rounds, attempts: Attempts) -> dict[str, Any]:
    """Return a search as plain JSON: every proposal, its outcome and its cost."""
    by = attempts.first.choose_by
    sign = -1 if by == "loss" else 1
    log = [
        {
            "round": tried.round,
            "rung": tried.rung,
            "change": tried.words,
            "share": tried.outcome.share,
            "validation": [sign * value for value in tried.outcome.scores],
            "rows": tried.outcome.rows,
            "seconds": round(tried.outcome.seconds, 3),
            "kept": tried.kept,
            **({"verdict": finite(asdict(tried.verdict))} if tried.verdict else {}),
            "note": tried.outcome.note,
            "state": plain(tried.outcome.state),
        }
        for tried in found.log
    ]
    kept = attempts.lesson(found.kept.state).stage.digest
    return {
        "kind": "rounds",
        "rounds": rounds.resolved(),
        "metric": by,
        "stopped": found.stopped,
        "rows": found.rows,
        "seconds": sum(tried.outcome.seconds for tried in found.log),
        "kept": {"state": plain(found.kept.state), "stage": kept},
        "log": log,
    }


def finite(values: dict[str, Any]) -> dict[str, Any]:
    """Return values with None for numbers that are not finite, which JSON does not have."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def planned(study: Study, target: str, arm: Arm) -> tuple[Stage, int, str]:
    """Return a search's stage, the most row-passes that it may still cost beside the arm's own, and this in words."""
    attempts, rounds, stage = Attempts(study, target, arm), rounds_of(arm), stage_of(study, target, arm)
    if stage.finished:
        told = stage.result()
        return stage, 0, f"{told['rows']:,} row-passes; {told['stopped']}"
    rows = most(attempts, rounds) - attempts.cost(State())
    return stage, rows, f"by {rounds.policy.name}, at most so many rows, beside the arm's own"


def most(attempts: Attempts, rounds: Rounds) -> int:
    """Return the most row-passes that a search may cost, its first training included, before it has begun."""
    moves, budget = rounds.moves, rounds.budget
    if budget.rounds is None:
        return budget.rows or 0
    dearest = State(
        steps=getattr(moves.get("longer"), "most", 1.0),
        renewed=Renewed(0.5, State()) if "renew" in moves else None,
        pseudo=Labelled(0.5, getattr(moves["pseudo"], "pool", 0), State()) if "pseudo" in moves else None,
    )
    round = sum(count * attempts.cost(dearest, share) for count, share in rounds.policy.rungs)
    bound = attempts.cost(State()) + budget.rounds * round
    return bound if budget.rows is None else min(bound, budget.rows)
