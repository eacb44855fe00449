"""Write what one cell (a target and an arm) came to as a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        sources: the results of the source stages that the arm read, by source, one a model.
        searched: the result of the rounds in which the lesson was found, where it was.
        prepared: the results of the stages before these.
    """

    target: str
    arm: Arm
    plan: Plan
    lesson: Lesson
    stage: Stage
    adapted: dict[str, Any]
    tested: dict[str, Any]
    sources: Mapping[str, Sequence[dict[str, Any]]]
    searched: dict[str, Any] | None = None
    prepared: Sequence[dict[str, Any]] = ()

    @property
    def spent(self) -> dict[str, Any]:
        """Return what holds the seconds and rows on the target: the rounds' result, or the lesson's."""
        return (
            {**self.adapted, "rows_seen": self.searched["rows"], "seconds": self.searched["seconds"]}
            if self.searched
            else self.adapted
        )

    @property
    def before(self) -> list[dict[str, Any]]:
        """Return the results of the stages before the target, in their order; the last may be the bridge's own."""
        return [*self.prepared, *self.extracted, *([self.adapted["joint"]] if "joint" in self.adapted else [])]

    @property
    def extracted(self) -> list[dict[str, Any]]:
        """Return the results of all source stages that the arm read."""
        return [result for results in self.sources.values() for result in results]


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
        backbone=backbone_facts(materials, cell),
        prompt={
            "kind": recipe.prompt.name,
            "length": recipe.prompt.length,
            "parameters": cell.adapted["parameters"],
            **({"texts": {str(seed): text for seed, text in materials.texts.items()}} if materials.texts else {}),
        },
        budget=budget(materials, cell),
        chosen_by=chosen_by(cell.plan),
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


def chosen_by(plan: Plan) -> dict[str, str]:
    """Return the split and the metric that chose the checkpoint."""
    if plan.choose_by == "last":
        return {"split": "the plan's", "metric": "last step"}
    return {"split": "validation", "metric": plan.choose_by}


def backbone_facts(materials: Materials, cell: Cell) -> dict[str, Any]:
    """Return what a record says of the backbone: one that was trained has its own name, and by which stages."""
    trained = [f"{result['kind']} ({result['how']})" for result in cell.prepared if result["trains"] == "backbone"]
    described = materials.backbone.describe()
    return {**described, "name": materials.recipe.backbone.name, "trained": trained} if trained else described


def budget(materials: Materials, cell: Cell) -> dict[str, Any]:
    """Return the steps that the arm's prompts were given, on sources and target; and what was tried in rounds."""
    steps = sum(materials.spent(name)[0] * len(results) for name, results in cell.sources.items())
    together = cell.adapted["joint"]["members"][0]["last_step"] if "joint" in cell.adapted else 0
    earlier = [(result["kind"], result["members"][0]["last_step"]) for result in cell.prepared]
    return {
        **{f"{kind}_steps": taken for kind, taken in earlier},
        "source_steps": steps + together,
        "target_steps": cell.plan.steps if cell.arm.bridge.trains else 0,
        "batch": cell.plan.batch,
        "rows_seen": cell.spent["rows_seen"] + sum(result["rows_seen"] for result in cell.before),
        **({"rounds": {k: v for k, v in cell.searched.items() if k != "files"}} if cell.searched else {}),
    }


def data_facts(domain: OpenDomain, adapted: dict[str, Any] | None) -> dict[str, Any]:
    """Return a domain's fingerprint, sizes and notes; with the labelled rows that a member learned from."""
    facts: dict[str, Any] = {"fingerprint": domain.fingerprint, "sizes": domain.sizes(), "notes": list(domain.notes)}
    if adapted:
        facts["sizes"]["labelled"] = adapted["members"][0]["rows"]
    return facts


def loss_facts(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the loss of one stage: what N or M counted, and its mean over the members; and the bridge's term.

    The loss is the whole that was trained; the term is its part. Where every member stopped before its second look,
    there is nothing to tell.
    """
    if all(len(member["history"]) < 2 for member in result["members"]):
        return []
    told, name = result["members"][0].get("term"), result.get("objective", "cross_entropy")
    whole = loss_line(result, name + (f" + {told}" if told else ""), "train_loss")
    if not told:
        return [whole]
    part = loss_line(result, told, "term")
    return [whole, {**part, "share": part["last"] / whole["last"] if whole["last"] else 0.0}]


def loss_line(result: dict[str, Any], term: str, key: str) -> dict[str, Any]:
    """Return one loss of a stage, as the history has it under a key; `share` is its part of the stage's whole loss."""
    looks = [member["history"][1:] for member in result["members"] if len(member["history"]) > 1]
    longest = max(looks, key=len)
    values = [
        [look["epoch"], sum(there) / len(there)]
        for i, look in enumerate(longest)
        if (there := [history[i][key] for history in looks if len(history) > i])
    ]
    return {
        "stage": result["kind"],
        "name": result.get("loss", "L_fine"),
        "term": term,
        "domain": result["domain"],
        "M": result["members"][0]["rows"],
        "normalise": result.get("normalise", "all"),
        **({"labelled": result["labelled"]} if "labelled" in result else {}),
        "steps": max(member["last_step"] for member in result["members"]),
        "first": sum(history[0][key] for history in looks) / len(looks),
        "last": sum(history[-1][key] for history in looks) / len(looks),
        "values": values,
        "share": 1.0,
        **perplexity(result),
    }


def perplexity(result: dict[str, Any]) -> dict[str, list[float]]:
    """Return the perplexity of held-out text before training and at the best step, mean over members; if any."""
    looks = [
        [{look["step"]: look["validation"] for look in member["history"]}[step] for step in (0, member["best_step"])]
        for member in result["members"]
    ]
    if "perplexity" not in looks[0][0]:
        return {}
    return {"perplexity": [sum(pair[i]["perplexity"] for pair in looks) / len(looks) for i in (0, 1)]}


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
    stages = (*cell.extracted, cell.adapted, cell.tested)
    return sorted({operation for stage in stages for operation in stage.get("nondeterministic", [])})


def cost(cell: Cell) -> dict[str, Any]:
    """Return the seconds of training on the target, its speed, the largest memory, and what each stage took."""
    seconds, rows = cell.spent["seconds"], cell.spent["rows_seen"]
    tested = {"kind": "evaluate", "domain": cell.target, "seconds": cell.tested["seconds"]}
    stages = [stage_facts(result) for result in (*cell.before, cell.adapted) if result["rows_seen"]]
    return {
        "seconds": round(seconds, 3),
        "rows_per_second": round(rows / seconds, 2) if rows else 0.0,
        "peak_memory_mb": cell.tested["peak_memory_mb"],
        "stages": [*stages, {**tested, "rows": cell.tested["rows"] * len(cell.tested["members"]), "steps": 0}],
    }


def stage_facts(result: dict[str, Any]) -> dict[str, Any]:
    """Return what a stage took: seconds of training, rows read and steps taken, of all its members."""
    return {
        "kind": result["kind"],
        "domain": result["domain"],
        "seconds": result["seconds"],
        "rows": result["rows_seen"],
        "steps": max(member["last_step"] for member in result["members"]),
    }
