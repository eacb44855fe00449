"""A result as it is kept: what was run, on what, with what outcome, in plain JSON types."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

from softbridge.errors import StudyError

SCHEMA = 1
KINDS = {"int": int, "str": str, "dict[str, Any]": dict, "list[str]": list, "list[dict[str, Any]]": list}


@dataclass(frozen=True)
class Record:
    """Hold the result of one arm on one target.

    The nested parts are JSON objects, so that a record outlives the classes of the version that wrote it.

    Arguments:
        study: the recipe's name.
        status: `"done"` or `"failed"`.
        created: when the result was made, ISO 8601 with the time zone.
        recipe: the resolved recipe.
        recipe_digest: sha256 of the resolved recipe.
        target: the target domain.
        arm: the arm's name.
        bridge: `name`, `reference`, `bibtex`; and `family`, the recipe's arm, where each of its sources went alone.
        sources: the source domains whose prompts the bridge read.
        backbone: `name`, `hub_id`, `revision`, `kind`, `parameters`, `precision`, `attention`.
        prompt: `kind`, `length`, `parameters` that one member trains on the target.
        budget: `source_steps`, `target_steps`, `batch`, `rows_seen`.
        chosen_by: the `split` and the `metric` that chose the best checkpoint.
        data: under `source`, each domain by name, and under `target`: `fingerprint`, `sizes`, `notes`.
        losses: one object a stage and domain: `stage`, `name`, `term`, `domain`, `M` (of L_pre its N), `normalise`,
            `steps`, `first`, `last`, `values` by epoch, `share` of the stage's whole loss; `labelled` rows and the
            `perplexity` of held-out text before and after, where there are such.
        members: one object a seed: `seed`, `best`, `last`, `history`, `prompt`, `stopped`.
        cost: `seconds`, `rows_per_second`, `peak_memory_mb`; and `stages`, what each took that the result rests on.
        provenance: versions, commit, platform, device, threads, `nondeterministic` operations.
        schema: the version of this layout.
    """

    study: str
    status: str
    created: str
    recipe: dict[str, Any]
    recipe_digest: str
    target: str
    arm: str
    bridge: dict[str, Any]
    sources: list[str]
    backbone: dict[str, Any]
    prompt: dict[str, Any]
    budget: dict[str, Any]
    chosen_by: dict[str, Any]
    data: dict[str, Any]
    losses: list[dict[str, Any]]
    members: list[dict[str, Any]]
    cost: dict[str, Any]
    provenance: dict[str, Any]
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Return the record as JSON text; a number that is not finite becomes `null`."""
        return json.dumps(finite(vars(self)), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @property
    def digest(self) -> str:
        """Return the sha256 of all but the time of writing: the same result has the same digest."""
        facts = {key: value for key, value in vars(self).items() if key != "created"}
        return hashlib.sha256(json.dumps(finite(facts), sort_keys=True).encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str, where: str) -> Record:
        """Return the record that a JSON text holds.

        Arguments:
            text: what `to_json` made.
            where: the file's name, for the messages.

        Raises:
            StudyError: when the text is cut off, is no record, or was written by a newer softbridge.
        """
        try:
            facts = json.loads(text)
        except json.JSONDecodeError as error:
            raise broken(where, f"is not complete JSON ({error})") from None
        if not isinstance(facts, dict) or not isinstance(facts.get("schema"), int):
            raise broken(where, "has no field 'schema'")
        if facts["schema"] > SCHEMA:
            raise StudyError(
                f"{where} has the schema {facts['schema']}",
                f"schema {SCHEMA} or older, which this softbridge reads",
                "install the softbridge that wrote it, or a newer one",
            )
        check(facts, where)
        return cls(**facts)


def check(facts: dict[str, Any], where: str) -> None:
    """Check that all of a record's fields are there, with the right JSON type, and no others."""
    kinds = {field.name: KINDS[str(field.type)] for field in dataclasses.fields(Record)}
    if lost := [name for name in kinds if name not in facts]:
        raise broken(where, f"lacks the field '{lost[0]}'")
    if strange := [name for name in facts if name not in kinds]:
        raise broken(where, f"has a field '{strange[0]}' that records do not have")
    if wrong := [name for name, kind in kinds.items() if not isinstance(facts[name], kind)]:
        raise broken(where, f"holds something else than {kinds[wrong[0]].__name__} in the field '{wrong[0]}'")
    for member in facts["members"]:
        if lost := [name for name in ("seed", "best", "last") if name not in member]:
            raise broken(where, f"has a member without '{lost[0]}'")


def broken(where: str, what: str) -> StudyError:
    """Return the error of a file that is no record."""
    return StudyError(
        f"{where} {what}",
        "a whole record as softbridge wrote it",
        "move the file away and run the study again: finished stages are reused",
    )


def finite(value: Any) -> Any:
    """Return the value with each number that is not finite, at any depth, as None.

    Example:
        >>> finite({"loss": [0.5, float("nan")]})
        {'loss': [0.5, None]}
    """
    if isinstance(value, dict):
        return {str(key): finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
