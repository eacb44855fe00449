"""The card of a saved prompt: where it comes from and what it was made for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any

from softbridge.errors import PromptError

SCHEMA = 1  # raised when a field changes its meaning or goes; a new optional field leaves it


@dataclass(frozen=True)
class Card:
    """Tell a prompt's lineage: enough to use it again, and to judge it.

    Arguments:
        backbone: the backbone's hub id, or the folder it was loaded from.
        revision: the backbone's revision, where it has one.
        kind: the backbone's kind, a name of `softbridge ls backbones`.
        layers: K, the backbone's number of blocks.
        heads: the backbone's number of attention heads.
        tokenizer: sha256 of the tokenizer.
        length: P, the number of virtual tokens.
        width: H, the width of the backbone's embeddings.
        init: how the prompt started: an initialiser's name, or the bridge's.
        seed: the seed of the member.
        parents: the prompts it was made from, by name.
        data: fingerprints of the domains it learned from, by name.
        template: the template around the text.
        verbalizer: label words or descriptions by class name, in class order.
        loss: the loss it was trained with.
        steps: how many steps it was trained.
        optimiser: the optimiser's name and settings.
        scores: what it scored, by metric.
        versions: the versions of softbridge and the libraries, by name.
        settings: how the backbone was run: temperature, pooling, max_length.
        prompt: the kind of prompt that was trained.
        block: the index of the block that its tokens enter before; 0 is the input.
        schema: the number of this form.

    Example:
        >>> card = Card("org/model", None, "causal", 2, 4, "ab12", 20, 384, "vocabulary", 0, parents=("movies",))
        >>> Card.from_json(card.to_json()) == card
        True
    """

    backbone: str
    revision: str | None
    kind: str
    layers: int
    heads: int
    tokenizer: str
    length: int
    width: int
    init: str
    seed: int
    parents: tuple[str, ...] = ()
    data: Mapping[str, str] = field(default_factory=dict)
    template: str = "{text}"
    verbalizer: Mapping[str, str] = field(default_factory=dict)
    loss: str = ""
    steps: int = 0
    optimiser: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    prompt: str = "soft"
    block: int = 0
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Return the card as JSON text."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Card:
        """Return the card that a JSON text holds.

        Fields this version does not know are left out: a later version may add some without a new schema.

        Raises:
            PromptError: when the text is no card, is of a newer schema, or lacks a field.
        """
        found = _parse(text)
        schema = found.get("schema")
        if not isinstance(schema, int) or schema > SCHEMA:
            raise PromptError(
                f"the card has the schema {schema!r}",
                f"a schema number up to {SCHEMA}, which this softbridge reads",
                "update softbridge: pip install --upgrade softbridge",
            )
        missing = [f.name for f in fields(cls) if f.name not in found and f.default is f.default_factory is MISSING]
        if missing:
            raise PromptError(
                f"the card lacks {', '.join(missing)}",
                "every field that tells what the prompt was made for",
                "save the prompt again, or write the fields into card.json",
            )
        known = {f.name: found[f.name] for f in fields(cls) if f.name in found}
        wrong = [f.name for f in fields(cls) if f.name in known and not _fits(known[f.name], str(f.type))]
        if wrong:
            raise PromptError(
                f"the card's {wrong[0]} is {str(known[wrong[0]])[:60]!r}",
                "the JSON type that softbridge writes, and no number below 0",
                "save the prompt again, or mend the field in card.json",
            )
        return cls(**(known | {"parents": tuple(known.get("parents", ()))}))


def _fits(value: Any, annotation: str) -> bool:
    """Say whether a field's JSON value is of the field's type."""
    if annotation == "int":
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if annotation == "str | None" and value is None:
        return True
    if annotation.startswith("tuple"):
        return isinstance(value, list | tuple) and all(isinstance(part, str) for part in value)
    if annotation == "Mapping[str, str]":
        return isinstance(value, dict) and all(isinstance(part, str) for part in value.values())
    return isinstance(value, dict if annotation.startswith("Mapping") else str)


def _parse(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object that the text holds."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, or brackets without end
        raise PromptError(
            f"the card is not JSON: {error}",
            "the JSON object that softbridge wrote",
            "save the prompt again, or restore card.json",
        ) from None
    if not isinstance(found, dict):
        raise PromptError(
            f"the card is a JSON {type(found).__name__}",
            "a JSON object",
            "save the prompt again, or restore card.json",
        )
    return found
