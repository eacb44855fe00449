"""Write what one cell (a target and an arm) came to as a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from softbridge.domains.domain import OpenDomain
from softbridge.engine.plan import Plan
from softbridge.recipe import Arm
from softbridge.records import store
from softbridge.records.record import Record
from softbridge.study.learning import Lesson, prompt_folder
from softbridge.study.materials import Materials
from softbridge.study.stages import Stage


@dataclass(frozen=True)
class Cell:
    """Hold one cell of a study.

    Arguments:
        target: the target domain's name.
        arm: the arm.
        plan: the arm's plan with its budget.
        lesson: what was learned on the target.
        stage: the stage that touched the test rows; its digest names the record.
        adapted: the lesson's result.
        tested: the test's result.
        sources: the results of the source stages that the arm read.
    """

    target: str
    arm: Arm
    plan: Plan
    lesson: Lesson
    stage: Stage
    adapted: dict[str, Any]
    tested: dict[str, Any]
    sources: Mapping[str, dict[str, Any]]

    @property
    def before(self) -> list[dict[str, Any]]:
        """Return the results of the stages before the target: the sources', and one of the bridge's own."""
        return [*self.sources.values(), *([self.adapted["joint"]] if "joint" in self.adapted else [])]


def record(materials: Materials, cell: Cell, out: Path) -> Record:
    """Return the cell's record, and append it to the study's where it is new."""
    recipe, bridge = materials.recipe, cell.arm.bridge
    made = Record(
        study=recipe.name,
        status="done",
        created=cell.tested["created"],
        recipe=recipe.resolved(),
        recipe_digest=recipe.digest,
        target=cell.target,
        arm=cell.arm.name,
        bridge={"name": bridge.name, "reference": bridge.reference, "bibtex": bridge.bibtex}
        | ({"family": cell.arm.family} if cell.arm.family else {}),
        sources=list(cell.sources),
        backbone=materials.backbone.describe(),
        prompt={
            "kind": recipe.prompt.name,
            "length": recipe.prompt.length,
            "parameters": cell.adapted["parameters"],
            **({"texts": {str(seed): text for seed, text in materials.texts.items()}} if materials.texts else {}),
        },
        budget=budget(materials, cell),
        chosen_by={"split": "validation", "metric": cell.plan.choose_by},
        data={
            "source": {name: data_facts(materials.sources[name], None) for name in cell.sources},
            "target": data_facts(materials.targets[cell.target], cell.adapted),
        },
        losses=[line for result in (*cell.before, cell.adapted) if result["rows_seen"] for line in loss_facts(result)],
        members=[member_facts(cell, i, out) for i in range(len(cell.adapted["members"]))],
        cost=cost(cell),
        provenance={**cell.tested["provenance"], "nondeterministic": nondeterministic(cell)},
    )
    if materials.accelerator.is_main_process:
        store.append(out / "records", made)
    return made


def budget(materials: Materials, cell: Cell) -> dict[str, int]:
    """Return the steps that the arm's prompts were given, on sources and target."""
    steps = sum(materials.spent(name)[0] for name in cell.sources)
    together = cell.adapted["joint"]["members"][0]["last_step"] if "joint" in cell.adapted else 0
    return {
        "source_steps": steps + together,
        "target_steps": cell.plan.steps if cell.arm.bridge.trains else 0,
        "batch": cell.plan.batch,
        "rows_seen": cell.adapted["rows_seen"] + sum(result["rows_seen"] for result in cell.before),
    }


def data_facts(domain: OpenDomain, adapted: dict[str, Any] | None) -> dict[str, Any]:
    """Return a domain's fingerprint, sizes and notes; with the labelled rows that a member learned from."""
    facts: dict[str, Any] = {"fingerprint": domain.fingerprint, "sizes": domain.sizes(), "notes": list(domain.notes)}
    if adapted:
        facts["sizes"]["labelled"] = adapted["members"][0]["rows"]
    return facts


def loss_facts(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return L_fine of one stage: what M counted, and the first and last mean over the members; and the bridge's term.

    L_fine is the whole loss that was trained; the term is its part. Where every member stopped before its second look,
    there is nothing to tell.
    """
    if all(len(member["history"]) < 2 for member in result["members"]):
        return []
    told = result["members"][0].get("term")
    return [loss_line(result, "cross_entropy" + (f" + {told}" if told else ""), "train_loss")] + (
        [loss_line(result, told, "term")] if told else []
    )


def loss_line(result: dict[str, Any], term: str, key: str) -> dict[str, Any]:
    """Return one loss of a stage, as the history has it under a key."""
    looks = [member["history"] for member in result["members"]]
    first = [history[1][key] for history in looks if len(history) > 1]
    last = [history[-1][key] for history in looks if len(history) > 1]
    return {
        "stage": result["kind"],
        "name": "L_fine",
        "term": term,
        "domain": result["domain"],
        "M": result["members"][0]["rows"],
        "steps": max(member["last_step"] for member in result["members"]),
        "first": sum(first) / len(first),
        "last": sum(last) / len(last),
    }


def member_facts(cell: Cell, index: int, out: Path) -> dict[str, Any]:
    """Return one seed's scores, history and prompt."""
    member, tested = cell.adapted["members"][index], cell.tested["members"][index]
    folder = prompt_folder(cell.lesson.stage, member["seed"], "best")
    return {
        "seed": member["seed"],
        "best": tested["best"],
        "last": tested["last"],
        "history": member["history"],
        "prompt": str(folder.relative_to(out)) if folder.exists() else None,
        "stopped": member["stopped"],
        "note": member["note"],
    }


def nondeterministic(cell: Cell) -> list[str]:
    """Return the operations, in any stage that the cell rests on, that could not promise the same numbers each time."""
    stages = (*cell.sources.values(), cell.adapted, cell.tested)
    return sorted({operation for stage in stages for operation in stage.get("nondeterministic", [])})


def cost(cell: Cell) -> dict[str, float]:
    """Return the seconds of training on the target, its speed, and the largest memory of the process."""
    seconds, rows = cell.adapted["seconds"], cell.adapted["rows_seen"]
    return {
        "seconds": round(seconds, 3),
        "rows_per_second": round(rows / seconds, 2) if rows else 0.0,
        "peak_memory_mb": cell.tested["peak_memory_mb"],
    }
