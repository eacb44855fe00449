"""Use a saved prompt: from a folder and texts to labels, or to more text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from softbridge.assets.table import ASSETS
from softbridge.backbones.base import Backbone, BackboneSpec
from softbridge.batch import Rows
from softbridge.domains.templates import Template
from softbridge.errors import PromptError
from softbridge.evaluation.evaluator import probabilities
from softbridge.prompts import files
from softbridge.prompts.bank import Bank
from softbridge.prompts.card import Card
from softbridge.prompts.held import HeldPrompt
from softbridge.study.materials import load_backbone


def predict(folder: Path | str, texts: Sequence[str], backbone: Backbone | None = None) -> list[tuple[str, float]]:
    """Return each text's most likely class and its probability.

    Arguments:
        folder: a saved prompt's folder.
        texts: the texts, as they stand in the data; the card's template is put around them.
        backbone: the backbone that its card names, where it is loaded already.

    Raises:
        PromptError: when the folder holds no prompt that can be used.
    """
    saved = files.load(folder)
    if not saved.card.verbalizer:
        raise PromptError(
            f"the prompt in {folder} knows no classes",
            "a prompt that was learned with labels",
            "use softbridge generate",
        )
    backbone = backbone or load_backbone(spec_of(saved.card))
    backbone.bind(list(saved.card.verbalizer.values()))
    ids = backbone.tokenise(filled(saved.card.template, texts))
    bank = Bank({"it": HeldPrompt(saved.injection)}).to(backbone.device)
    chances = probabilities(backbone, bank, [Rows(ids, [0] * len(ids))])[0]
    classes = list(saved.card.verbalizer)
    return [(classes[int(row.argmax())], float(row.max())) for row in chances]


def generate(
    folder: Path | str, texts: Sequence[str], backbone: Backbone | None = None, batch: int = 16, **settings: Any
) -> list[str]:
    """Return what a language model writes after each text with a saved prompt in it.

    Arguments:
        folder: a saved prompt's folder.
        texts: the texts; the card's template is put around them.
        backbone: the backbone that its card names, where it is loaded already.
        batch: texts a pass, from 1.
        settings: what transformers' `generate` takes: `max_new_tokens`, `do_sample`, `num_beams`, ...

    Raises:
        PromptError: when the folder holds no prompt that can be used.
        BackboneError: when its backbone writes no text.
    """
    saved = files.load(folder)
    backbone = backbone or load_backbone(spec_of(saved.card))
    ids = backbone.tokenise(filled(saved.card.template, texts))
    written: list[list[int]] = []
    for first in range(0, len(ids), batch):
        some = ids[first : first + batch]
        written += backbone.generate(backbone.batch(Rows(some, [0] * len(some))), saved.injection, **settings)
    return backbone.tokenizer.batch_decode(written, skip_special_tokens=True)


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
