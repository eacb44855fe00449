"""Compare saved prompts with each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from softbridge.catalogue import look_up
from softbridge.errors import PromptError
from softbridge.prompts import files
from softbridge.prompts.card import Card
from softbridge.prompts.files import SavedPrompt
from softbridge.similarity.table import MEASURES


def likeness(prompts: Sequence[SavedPrompt], by: str) -> np.ndarray:
    """Return how alike prompts are, `[N, N]`.

    Arguments:
        prompts: N saved prompts of one backbone.
        by: a name of `MEASURES`.

    Raises:
        PromptError: when they belong to different backbones, or the measure reads what no saved prompt holds.
    """
    measure = look_up(MEASURES, by, "similarity")
    views = VIEWS[measure.reads](prompts)
    return np.array([[float(measure.compare(a, b)) for b in views] for a in views])


def vectors(prompts: Sequence[SavedPrompt]) -> list[Any]:
    """Return each prompt's vectors."""
    one_backbone(prompts)
    return [prompt.injection.vectors()[0] for prompt in prompts]


def neurons(prompts: Sequence[SavedPrompt]) -> list[Any]:
    """Return the neurons that each prompt switches on in its backbone, which is loaded for it."""
    from softbridge.backbones.neurons import neurons as switched  # here, because models take seconds to import
    from softbridge.study.materials import load_backbone
    from softbridge.study.predicting import spec_of

    one_backbone(prompts)
    backbone = load_backbone(spec_of(prompts[0].card))
    words = next((list(prompt.card.verbalizer.values()) for prompt in prompts if prompt.card.verbalizer), [])
    if words:
        backbone.bind(words)
    return [switched(backbone, prompt.injection) for prompt in prompts]


def gradients(prompts: Sequence[SavedPrompt]) -> list[Any]:
    """Refuse: gradients are of labelled rows."""
    raise PromptError(
        "the measure compares gradients of labelled rows, and saved prompts hold no rows",
        "a recipe that names the target's and the sources' rows",
        "softbridge rank TARGET --recipe RECIPE, or choose another measure: `softbridge ls similarities`",
    )


def classes(prompts: Sequence[SavedPrompt]) -> list[Any]:
    """Return the classes that each prompt was trained with."""
    return [list(prompt.card.verbalizer) for prompt in prompts]


VIEWS = {"vectors": vectors, "neurons": neurons, "gradients": gradients, "classes": classes}


def one_backbone(prompts: Sequence[SavedPrompt]) -> None:
    """Refuse prompts of different backbones."""
    backbones = sorted({prompt.card.backbone for prompt in prompts})
    if len(backbones) > 1:
        raise PromptError(
            f"the prompts are of the backbones {' and '.join(backbones)}",
            "prompts of one backbone: numbers of different embedding spaces cannot be compared",
            "compare those of each backbone apart",
        )


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
