"""Pairs that cannot be: a backbone of a kind with a prompt, an arm or a template."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from softbridge.assets.table import entry as asset_of
from softbridge.backbones.base import BackboneSpec
from softbridge.backbones.table import BACKBONES, kind_of, refusal, unfit
from softbridge.batch import MASK
from softbridge.domains.domain import Domain
from softbridge.engine.objectives import usual
from softbridge.errors import BackboneError
from softbridge.recipe.document import Document, Steps
from softbridge.recipe.schema import Recipe

Problem = tuple[Steps, str, str]


def told(spec: BackboneSpec) -> str | None:
    """Return the kind that the catalogue or a folder's own files speak for; None where only the hub knows."""
    entry, file = asset_of(spec.name), Path(spec.name) / "config.json"
    if entry is not None:
        return entry.backbone
    try:
        return kind_of(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError):
        return None


def check_pairs(parts: Mapping[str, Any], document: Document) -> None:
    """Note what a recipe's backbone cannot be used with, as far as its kind is known before it is loaded."""
    spec: BackboneSpec | None = parts["backbone"]
    if spec is None:
        return
    known = told(spec)
    reason = unfit(spec.kind, known) if spec.kind and known else None
    if reason:
        document.note(("backbone", "kind"), f"is {spec.kind}, but '{spec.name}' is not: {reason}", f"write {known}")
    kind = spec.kind or known
    for path, seen, fix in impossible(kind, parts) if kind and not reason else ():
        if path[0] not in ("sources", "targets"):
            document.note(path, seen, fix)
        elif document.sound(stands := at((str(path[0]), str(path[1])), str(path[2]), document)):
            document.note(stands, seen, fix)


def impossible(kind: str, parts: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield where a recipe has what a kind of backbone cannot be used with, why, and what to do."""
    prompt = parts["prompt"]
    refused = refusal(kind, prompt.makes) if prompt else None
    if refused:
        yield ("prompt", "kind"), f"is {prompt.name}, which {refused[0]}", refused[1]
    asked = parts["pretrain"].objective if parts["pretrain"] else None
    if asked and kind not in asked.kinds:
        seen = f"is {asked.name}, which {kind} backbones cannot be asked for: it is for {', '.join(asked.kinds)}"
        yield ("pretrain", "objective"), seen, f"write {usual(kind).name}, or remove objective"
    for name, arm in parts["arms"].items():
        bare = arm and not arm.bridge.trains and not arm.bridge.reads_sources
        if bare and "head" in BACKBONES[kind].takes:
            seen = (
                f"is {arm.bridge.name}, but the classes of {kind} backbones are read from a head that must be trained"
            )
            yield ("arms", name, "bridge"), seen, "remove the arm"
        if arm and prompt and arm.bridge.tokens_only and prompt.makes != {"tokens"}:
            seen = (
                f"is {arm.bridge.name}, which works on virtual tokens at the input, and {prompt.name} is not of these"
            )
            yield ("arms", name, "bridge"), seen, "choose another bridge, or write prompt: {kind: soft}"
    for section in ("sources", "targets"):
        for name, domain in parts[section].items():
            if isinstance(domain, Domain) and domain.answer is not None and not BACKBONES[kind].writes:
                able = " or ".join(name for name, cls in BACKBONES.items() if cls.writes)
                seen = f"is '{domain.answer}', a column of free text, and {kind} backbones write none"
                yield (section, name, "answer"), seen, f"choose a {able} backbone, or name classes under labels"
            if isinstance(domain, Domain) and kind != "masked" and MASK in domain.template:
                seen = f"holds {MASK}, and {kind} backbones guess no masked word"
                yield (section, name, "template"), seen, f"remove {MASK}, or choose a masked backbone"


def refuse_impossible(kind: str, recipe: Recipe) -> None:
    """Refuse a recipe whose backbone turned out, once loaded, to be of a kind that it cannot be used with.

    Raises:
        BackboneError: with the first problem.
    """
    for path, seen, fix in impossible(kind, vars(recipe)):
        raise BackboneError(
            f"{'.'.join(map(str, path))} {seen}",
            f"what fits the backbone {recipe.backbone.name}, of the kind {kind}",
            fix,
        )


def at(path: tuple[str, str], key: str, document: Document) -> Steps:
    """Return where a domain's key stands: in the domain itself, or in the shared `domain`."""
    own, shared = (*path, key), ("domain", key)
    return shared if own not in document.places and shared in document.places else own
