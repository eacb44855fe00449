"""Look into a saved prompt: how far it moved from where it started, and what each of its positions is worth."""

from __future__ import annotations

from pathlib import Path

import torch

from softbridge.backbones.base import Backbone
from softbridge.batch import Rows
from softbridge.domains.sketches import sketch
from softbridge.errors import PromptError
from softbridge.evaluation.evaluator import probabilities, scores
from softbridge.injection import PARTS, Injection
from softbridge.prompts.bank import Bank
from softbridge.prompts.card import Card
from softbridge.prompts.held import HeldPrompt
from softbridge.prompts.series import load_series
from softbridge.recipe.drafting import Wording, described
from softbridge.study.opening import resolve


def start_of(folder: Path) -> Injection | None:
    """Return the prompt as it was before the first step, where the run kept it beside the prompt's folder."""
    member = folder.resolve().name.rpartition("-")[0]
    kept = folder.resolve().parent / f"{member}-looks.safetensors"
    return load_series(kept)[0] if kept.is_file() else None


def moved(prompt: Injection, start: Injection) -> list[tuple[float, float]]:
    """Return for each position how far it went, and the cosine to where it started.

    Arguments:
        prompt: a baked prompt of one row.
        start: another of the same shape.

    Raises:
        PromptError: when the shapes differ.

    Example:
        >>> moved(Injection(torch.tensor([[[3.0, 4.0]]])), Injection(torch.tensor([[[3.0, 0.0]]])))
        [(4.0, 0.6000000238418579)]
    """
    now, then = prompt.vectors()[0], start.vectors()[0]
    if now.shape != then.shape:
        raise PromptError(
            f"the prompt has the shape {list(now.shape)}, and its start {list(then.shape)}",
            "two prompts of one kind and length",
            "leave --start out, or name the prompt that this one started from",
        )
    far, close = (now - then).norm(dim=1), torch.cosine_similarity(now, then, dim=1)
    return list(zip(far.tolist(), close.tolist(), strict=True))


def without(prompt: Injection, position: int) -> Injection:
    """Return a prompt without one of its positions; what does not stand at a position stays.

    Example:
        >>> without(Injection(torch.arange(3.0).view(1, 3, 1)), 1).tokens.flatten().tolist()
        [0.0, 2.0]
    """
    kept = torch.tensor([i for i in range(prompt.length) if i != position])
    axes = {name: shape.split().index("P") + 1 for name, shape in PARTS.items() if "P" in shape.split()}
    parts = {n: p.index_select(axes[n], kept) if n in axes else p for n, p in prompt.parts.items()}
    return Injection(**parts, block=prompt.block)


def importance(prompt: Injection, backbone: Backbone, rows: Rows) -> tuple[float, list[float]]:
    """Return the loss with the whole prompt, and by how much it rises without each position: `L(P minus p_j) - L(P)`.

    Positions that say the same twice each look worthless, and a position below zero does harm.

    Arguments:
        prompt: a baked prompt of one row, with two positions or more.
        backbone: the frozen backbone, bound to the task's classes.
        rows: labelled rows; not test rows, where anything is to be chosen by it.
    """
    if prompt.length < 2:
        raise PromptError("the prompt has one position", "two or more, for one to be left out", "leave --data out")
    whole = Bank({"whole": HeldPrompt(prompt)}).to(backbone.device)
    left = {str(j): HeldPrompt(without(prompt, j)) for j in range(prompt.length)}
    fewer = Bank(left).to(backbone.device)
    chances = probabilities(backbone, whole, [rows]) + probabilities(backbone, fewer, [rows] * len(left))
    base, *others = (scores(some, rows.labels, [])["loss"] for some in chances)
    return base, [other - base for other in others]


def rows_for(card: Card, backbone: Backbone, data: str, text: str, label: str, most: int) -> Rows:
    """Return validation rows of data as a prompt's card puts them: its template, classes and label words.

    Arguments:
        card: the prompt's card.
        backbone: the backbone; it is bound to the card's classes.
        data: a file, or data of the catalogue.
        text: the column of texts.
        label: the column of labels.
        most: rows a class at most.

    Raises:
        PromptError: when the data's classes are not the card's.
    """
    found = sketch(data, text, label, resolve)
    if set(found.counts) != set(card.verbalizer):
        raise PromptError(
            f"{data} has the classes {', '.join(found.counts)}, and the prompt knows {', '.join(card.verbalizer)}",
            "the same classes",
            "name another column with --label, or other data",
        )
    domain = described(found, Wording(card.template, card.verbalizer)).open(Path(data).stem, resolve)
    labels = domain.validation["label"][:]
    each = min(most, *(labels.count(index) for index in range(len(domain.classes))))
    some = domain.few(0, 0, each)[1]
    backbone.bind(domain.words)
    return Rows(backbone.tokenise(some["text"][:]), some["label"][:])
