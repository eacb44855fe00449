"""Use a saved prompt: from a folder and texts to labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from softbridge.assets.table import ASSETS
from softbridge.backbones.base import BackboneSpec
from softbridge.batch import Rows
from softbridge.domains.templates import Template
from softbridge.errors import PromptError
from softbridge.evaluation.evaluator import probabilities
from softbridge.prompts import files
from softbridge.prompts.bank import Bank
from softbridge.prompts.card import Card
from softbridge.prompts.held import HeldPrompt
from softbridge.study.materials import load_backbone


def predict(folder: Path, texts: Sequence[str]) -> list[tuple[str, float]]:
    """Return each text's most likely class and its probability.

    Arguments:
        folder: a saved prompt's folder.
        texts: the texts, as they stand in the data; the card's template is put around them.

    Raises:
        PromptError: when the folder holds no prompt that can be used.
    """
    saved = files.load(folder)
    backbone = load_backbone(spec_of(saved.card))
    backbone.bind(list(saved.card.verbalizer.values()))
    ids = backbone.tokenise(filled(saved.card.template, texts))
    bank = Bank({"it": HeldPrompt(saved.injection)}).to(backbone.device)
    chances = probabilities(backbone, bank, [Rows(ids, [0] * len(ids))])[0]
    classes = list(saved.card.verbalizer)
    return [(classes[int(row.argmax())], float(row.max())) for row in chances]


def filled(template: str, texts: Sequence[str]) -> list[str]:
    """Return the template around each text.

    Raises:
        PromptError: when the template has several slots, so that one text a row does not fill it.

    Example:
        >>> filled("Review: {text}", ["fine"])
        ['Review: fine']
    """
    parsed = Template.parse(template)
    if len(parsed.slots) > 1:
        raise PromptError(
            f"the prompt's template {template!r} has the slots {', '.join(parsed.slots)}",
            "a template with one slot, for one text a row",
            "fill the template yourself, or train with a template of one slot",
        )
    return parsed.fill({parsed.slots[0]: list(texts)})


def spec_of(card: Card) -> BackboneSpec:
    """Return the spec of the backbone that a card names; a catalogue model goes by its catalogue name."""
    known = {entry.hub_id: name for name, entry in ASSETS.items() if entry.kind == "model"}
    name = known.get(card.backbone, card.backbone)
    return BackboneSpec(**{"name": name, "kind": card.kind or None, **card.settings})
