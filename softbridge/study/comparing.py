"""Compare saved prompts with each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from softbridge.catalogue import look_up
from softbridge.errors import PromptError
from softbridge.prompts import files
from softbridge.prompts.card import Card
from softbridge.prompts.files import SavedPrompt
from softbridge.similarity.geometry import SIMILARITIES


def likeness(prompts: Sequence[SavedPrompt], by: str) -> np.ndarray:
    """Return how alike prompts are, `[N, N]`.

    Arguments:
        prompts: N saved prompts of one backbone.
        by: a name of `SIMILARITIES`.

    Raises:
        PromptError: when they belong to different backbones.
    """
    measure = look_up(SIMILARITIES, by, "similarity")
    backbones = sorted({prompt.card.backbone for prompt in prompts})
    if len(backbones) > 1:
        raise PromptError(
            f"the prompts are of the backbones {' and '.join(backbones)}",
            "prompts of one backbone: numbers of different embedding spaces cannot be compared",
            "compare those of each backbone apart",
        )
    vectors = [prompt.injection.vectors()[0] for prompt in prompts]
    return np.array([[float(measure(a, b)) for b in vectors] for a in vectors])


def different_starts(cards: Sequence[Card]) -> str | None:
    """Return a warning where prompts did not start alike, for then their likeness measures the starts."""
    starts = {(card.prompt, card.init, card.seed, card.length) for card in cards}
    if len(starts) <= 1:
        return None
    return (
        f"warning: these {len(cards)} prompts began in {len(starts)} different ways (kind, init, seed, length); "
        "prompts are most alike where they share a start, whatever they learned. Compare prompts of one seed."
    )


def load_all(folders: Sequence[Path], least: int) -> list[SavedPrompt]:
    """Load prompts.

    Raises:
        PromptError: when there are fewer than `least`, or one cannot be read.
    """
    if len(folders) < least:
        raise PromptError(
            f"{len(folders)} prompts are given", f"at least {least}", "give more folders of saved prompts"
        )
    return [files.load(folder) for folder in folders]


def labels(prompts: Sequence[SavedPrompt]) -> list[str]:
    """Return a short name of each: its data and seed, with a number where two are the same."""
    names = [f"{'+'.join(prompt.card.data)} seed {prompt.card.seed}" for prompt in prompts]
    return [name if names.count(name) == 1 else f"{name} ({names[:i].count(name) + 1})" for i, name in enumerate(names)]
