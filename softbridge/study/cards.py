"""Write the card of a prompt, trained here or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from softbridge.backbones.base import Backbone
from softbridge.domains.domain import OpenDomain
from softbridge.engine.plan import Plan
from softbridge.injection import Injection
from softbridge.prompts.base import PromptKind
from softbridge.prompts.card import Card
from softbridge.study.provenance import PACKAGES, provenance

SETTINGS = ("temperature", "pooling", "max_length")  # of the backbone, which decide what a prompt's scores are


def make_card(
    backbone: Backbone,
    domain: OpenDomain,
    kind: PromptKind,
    prompt: Injection,
    plan: Plan | None,
    seed: int,
    steps: int,
    validation: Mapping[str, float],
    init: str = "",
    parents: tuple[str, ...] = (),
    processes: int = 1,
) -> Card:
    """Return the card of one prompt.

    Arguments:
        backbone: what it was trained on.
        domain: what it learned.
        kind: its kind.
        prompt: the baked prompt.
        plan: how it was trained; None where it stayed as it was.
        seed: its seed.
        steps: the step it was taken at.
        validation: its scores on validation rows.
        init: how it began, where that is not the kind's own way.
        parents: the prompts it was made from.
        processes: how many trained it.
    """
    return Card(
        **_place(backbone, prompt, processes),
        init=init or getattr(kind, "init", kind.name),
        seed=seed,
        parents=parents,
        data={domain.name: domain.fingerprint},
        template=domain.template,
        verbalizer=dict(zip(domain.classes, domain.words, strict=True)),
        loss="L_fine (cross_entropy of the answer's tokens)" if domain.answer else "L_fine (cross_entropy)",
        steps=steps,
        optimiser=asdict(plan) if plan else {},
        scores={f"validation_{name}": value for name, value in validation.items()},
        prompt=kind.name,
    )


def foreign_card(backbone: Backbone, prompt: Injection, source: str, words: Mapping[str, str], template: str) -> Card:
    """Return the card of a prompt that was trained elsewhere.

    Arguments:
        backbone: what it is for.
        prompt: the prompt.
        source: where it was taken from.
        words: label words by class name, in class order; none where it only generates.
        template: the template around the text.
    """
    return Card(
        **_place(backbone, prompt, 1),
        init=f"taken from {source}",
        seed=0,
        template=template,
        verbalizer=dict(words),
        prompt="soft" if set(prompt.parts) == {"tokens"} else "prefix",
    )


def _place(backbone: Backbone, prompt: Injection, processes: int) -> dict[str, Any]:
    """Return the fields that say which backbone a prompt is for, and with which versions it was made."""
    facts = provenance(backbone.device, processes)
    return {
        "backbone": backbone.hub_id or backbone.spec.name,
        "revision": backbone.revision or None,
        "kind": backbone.kind,
        "layers": backbone.config.num_hidden_layers,
        "heads": backbone.config.num_attention_heads,
        "tokenizer": backbone.tokenizer_hash,
        "length": prompt.length,
        "width": backbone.table.shape[1],
        "block": prompt.block,
        "versions": {name: facts[name] for name in ("softbridge", *PACKAGES)},
        "settings": {name: getattr(backbone.spec, name) for name in SETTINGS},
    }
