"""The one place that touches a target's test rows: once for each arm, after all training and choosing."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from softbridge.domains.domain import OpenDomain
from softbridge.evaluation.answers import exact_match
from softbridge.evaluation.evaluator import evaluate
from softbridge.evaluation.metrics import METRICS
from softbridge.evaluation.passes import pass_positions
from softbridge.prompts import files
from softbridge.prompts.bank import Bank
from softbridge.prompts.held import HeldPrompt
from softbridge.study.holding import holding
from softbridge.study.learning import Lesson, prompt_folder
from softbridge.study.materials import Materials
from softbridge.study.provenance import peak_memory_mb, provenance
from softbridge.study.stages import Stage
from softbridge.study.watching import Watcher


def touch_test(
    materials: Materials, stage: Stage, lesson: Lesson, adapted: dict[str, Any], watcher: Watcher
) -> dict[str, Any]:
    """Score every member's best and last prompt on the test rows; the two are one where validation chose the last.

    Returns:
        The stage's result: for each member `best` and `last`, each with its step, test and validation scores.
    """
    with holding(stage, materials.accelerator, watcher):
        return stage.result() if stage.finished else score(materials, stage, lesson, adapted, watcher)


def score(
    materials: Materials, stage: Stage, lesson: Lesson, adapted: dict[str, Any], watcher: Watcher
) -> dict[str, Any]:
    """Score every member's prompts on the test rows, and finish the stage."""
    started = time.perf_counter()
    materials.bind(lesson.domain)
    rows = materials.test(lesson.domain)
    wanted = [
        (member["seed"], which, member[f"{which}_step"])
        for member in adapted["members"]
        for which in ("best", "last")
        if which == "best" or member["best_step"] != member["last_step"]
    ]
    folders = {f"{s}-{w}": prompt_folder(lesson.stage, s, w) for s, w, _ in wanted}
    held = {name: HeldPrompt(files.load(folder).injection) for name, folder in folders.items() if folder.exists()}
    bank = Bank(held).to(materials.backbone.device) if held else None
    scored = evaluate(materials.backbone, bank, [rows] * len(wanted), tuple(METRICS), materials.accelerator)
    if lesson.domain.answer:
        scored = [found | match for found, match in zip(scored, write(materials, lesson.domain, bank), strict=True)]
    judged = {(s, w): found for (s, w, _), found in zip(wanted, scored, strict=True)}
    members = [facts(member, judged) for member in adapted["members"]]
    seconds = time.perf_counter() - started
    result: dict[str, Any] = {
        "members": members,
        "rows": len(rows),
        "seconds": seconds,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "peak_memory_mb": peak_memory_mb(),
        "nondeterministic": sorted(materials.unpromised),
        "provenance": provenance(materials.backbone.device, materials.accelerator.num_processes),
    }
    if materials.accelerator.is_main_process:
        stage.finish(result)
    watcher.say(f"{stage.name}: {seconds:.1f} s, {len(wanted) * len(rows) / seconds:.0f} rows/s")
    return result


def write(materials: Materials, domain: OpenDomain, bank: Bank | None) -> list[dict[str, float]]:
    """Have every prompt of a bank, or none, answer the test rows, and return the share that is right."""
    assert domain.answer is not None
    prompts = [None] if bank is None else bank.bake()
    rows, wanted, backbone = materials.test(domain), domain.test["answer"][:], materials.backbone
    settings = (domain.answer, pass_positions(backbone.device), materials.accelerator)
    return [{"exact_match": exact_match(backbone, prompt, rows, wanted, *settings)} for prompt in prompts]


def facts(member: dict[str, Any], judged: dict[tuple[int, str], dict[str, float]]) -> dict[str, Any]:
    """Return a member's best and last checkpoint, each with its step, test and validation scores."""
    seed, seen = member["seed"], {look["step"]: look["validation"] for look in member["history"]}
    entry: dict[str, Any] = {"seed": seed}
    for which in ("best", "last"):
        step = member[f"{which}_step"]
        test = judged.get((seed, which), judged[seed, "best"])
        entry[which] = {"step": step, "test": test, "validation": seen[step]}
    return entry
