"""Take a prompt that was trained elsewhere, and give it a card."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from softbridge.backbones.base import Backbone, BackboneSpec
from softbridge.errors import PromptError
from softbridge.prompts.files import SavedPrompt
from softbridge.prompts.importing import take, trained_on
from softbridge.study.alone import opened
from softbridge.study.cards import foreign_card

log = logging.getLogger(__name__)


def bring_in(
    path: Path | str,
    backbone: str | BackboneSpec | Backbone,
    words: Mapping[str, str] | None = None,
    template: str = "{text}",
    task: int = 0,
    length: int | None = None,
) -> SavedPrompt:
    """Return a prompt of a PEFT adapter's folder or of a file with one tensor, as one of softbridge's.

    Arguments:
        path: the folder, or the file (`softbridge.prompts.importing.take`).
        backbone: the backbone it was trained on.
        words: label words by class name, in class order; without them it can generate but not predict.
        template: the template around the text.
        task: which task's prompt to take from a multitask adapter, from 0.
        length: how many rows of a file's table to take.

    An adapter that names another model than the backbone is taken with a warning.

    Raises:
        PromptError: when it cannot be read, or is not as wide as the backbone.
    """
    prompt, loaded = take(path, task, length), opened(backbone)
    seen = {name: part.shape[-1] for name, part in prompt.parts.items()}
    heads = loaded.config.num_attention_heads
    expected = {name: loaded.table.shape[1] // (1 if name == "tokens" else heads) for name in seen}
    if prompt.tokens is not None and seen != expected:
        raise PromptError(
            f"{path} holds virtual tokens of the width {seen['tokens']}",
            f"the width of {loaded.spec.name}, {expected['tokens']}",
            "name the backbone that the prompt was trained on",
        )
    said = trained_on(path)
    if said and last(said) not in {
        last(name) for name in (loaded.spec.name, loaded.hub_id)
    }:  # paths differ, as do orgs
        log.warning(
            "%s says that it was trained on %s, and %s is named: on another model than its own a prompt means nothing",
            path,
            said,
            loaded.spec.name,
        )
    return SavedPrompt(prompt, foreign_card(loaded, prompt, Path(path).name, words or {}, template))


def last(name: str) -> str:
    """Return the last part of a model's path or hub id, in small letters.

    Example:
        >>> last("/models/SmolLM2-135M/"), last("HuggingFaceTB/SmolLM2-135M")
        ('smollm2-135m', 'smollm2-135m')
    """
    return name.rstrip("/").rpartition("/")[2].lower()
