"""Learn one prompt from Python, without a recipe."""

from __future__ import annotations

from dataclasses import replace

from softbridge.backbones.base import Backbone, BackboneSpec
from softbridge.backbones.generation import mute
from softbridge.backbones.places import refuse_beyond
from softbridge.domains.domain import OpenDomain
from softbridge.engine.loop import Member, Training
from softbridge.engine.plan import Plan
from softbridge.errors import DataError
from softbridge.prompts.base import PromptKind, usual_plan
from softbridge.prompts.files import SavedPrompt
from softbridge.prompts.headed import headed
from softbridge.prompts.soft import Soft
from softbridge.seeding import derive, generator
from softbridge.study.cards import make_card
from softbridge.study.judging import judge_on
from softbridge.study.materials import load_backbone, rows_of
from softbridge.study.processes import gather


def learn(
    domain: OpenDomain,
    backbone: str | BackboneSpec | Backbone = "minilm-l6",
    prompt: PromptKind | None = None,
    plan: Plan | None = None,
    seed: int = 0,
    start: SavedPrompt | None = None,
) -> SavedPrompt:
    """Learn a prompt on a domain's labelled rows; the checkpoint is the one that its validation rows choose.

    It is a bank of one: the same loop, seeds and defaults as a recipe's.

    Arguments:
        domain: an opened domain, with labelled train and validation rows.
        backbone: a catalogue name, a folder, a hub id, a spec, or a backbone that was loaded before.
        prompt: the kind of prompt with its settings; a soft prompt of 20 virtual tokens by default.
        plan: how to train; by default what suits the kind.
        seed: draws the prompt's start and the order of the rows.
        start: a prompt to go on from, such as one of a source domain; its shape replaces the kind's.

    Returns:
        The prompt with its card.

    Raises:
        DataError: when the domain has no labelled rows to learn from, or none to choose by.
        BackboneError: when answers are free text, and the backbone writes none; when the model has too few positions.
    """
    kind = prompt or Soft()
    for split in ("train", "validation"):
        if not len(getattr(domain, split)):
            raise DataError(f"the domain '{domain.name}' has no {split} rows", "labelled rows", "give it some")
    loaded = opened(backbone)
    plan = plan or Plan(**usual_plan(kind, loaded.kind))
    if domain.words:
        loaded.bind(domain.words)
    elif not loaded.writes:
        raise mute(loaded.spec.name, loaded.kind)
    refuse_beyond(loaded, start.card.length if start else kind.length)
    train, looked_at = (rows_of(loaded, split) for split in (domain.train, domain.validation))
    space, draw = replace(loaded.space(), labels=domain.words), generator(seed, "module", domain.name)
    given = start.injection if start else None
    module = headed(kind.build(space, draw, given), space, draw, given)
    accelerator = gather(loaded.device.type)
    judge = judge_on(loaded, [looked_at], plan, accelerator)
    member = Member(f"seed{seed}", derive(seed, "order", domain.name), module, train)
    found = Training(loaded, [member], plan, judge, accelerator).run()[0]
    assert found.best is not None
    look = next(seen for seen in found.history if seen["step"] == found.best_step)
    init = f"from a prompt of {', '.join(start.card.data)}" if start else ""
    parents = tuple(start.card.data) if start else ()
    card = make_card(loaded, domain, kind, found.best, plan, seed, found.best_step, look["validation"], init, parents)
    return SavedPrompt(found.best.each(lambda part: part.cpu()), card)


def opened(backbone: str | BackboneSpec | Backbone) -> Backbone:
    """Return the backbone that a name or a spec stands for."""
    if isinstance(backbone, Backbone):
        return backbone
    return load_backbone(BackboneSpec(backbone) if isinstance(backbone, str) else backbone)
