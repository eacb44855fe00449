"""Combinations that cannot work, found before anything loads."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from softbridge.backbones.base import BackboneSpec
from softbridge.domains.domain import Domain
from softbridge.domains.labels import check_labels
from softbridge.domains.templates import Template
from softbridge.errors import DataError, PromptError
from softbridge.prompts.shelved import Shelved
from softbridge.recipe import answering, before, rounds
from softbridge.recipe.document import Document, Steps
from softbridge.recipe.fields import meant
from softbridge.recipe.pairs import at, check_pairs
from softbridge.recipe.schema import Arm

FREE = ("free text",)  # in the place of classes
FOLDER = re.compile(r"\w[\w .-]*")


def check(parts: Mapping[str, Any], document: Document) -> None:
    """Note what in a recipe's parts cannot work together; a part that is None was noted before."""
    check_numbers(parts, document)
    arms: list[Arm] = [arm for arm in parts["arms"].values() if arm]
    names = list(parts["sources"])
    for arm in arms:
        check_arm(arm, names, document)
    for section in ("sources", "targets"):
        for name, domain in parts[section].items():
            if isinstance(domain, Domain):
                check_domain((section, name), domain, document)
    check_pairs(parts, document)
    before.check(parts, document)
    two = parts["source_backbone"] is not None or not document.sound(("source_backbone",))
    for arm in arms:
        check_models(arm, two, document)
        if arm.bridge.reads_sources and not two:
            check_own(arm, parts["sources"], parts["targets"], document)
        rounds.check(arm, dict(parts), document)
    if document.sound(("source_backbone",)):
        check_several(arms, (parts["source_backbone"], *parts["more_source_backbones"]), document)
    check_shelved(parts, arms, document)
    answering.check(parts, document)
    crossing = any(arm.bridge.reads_sources for arm in arms)
    if crossing and not parts["other_classes"]:
        check_classes(parts["sources"], parts["targets"], document)


def check_numbers(parts: Mapping[str, Any], document: Document) -> None:
    """Note counts that are too small, seeds that stand twice, and sections without an entry."""
    for key in ("seeds", "targets", "arms"):
        if not parts[key] and document.sound((key,)):
            document.note((key,), "is empty", "add at least one")
    if document.sound(("name",)) and not FOLDER.fullmatch(parts["name"]):
        fix = "write a name that can be a folder's: letters, digits, blanks, . _ -"
        document.note(("name",), f"is '{parts['name']}'", fix)
    seeds: Sequence[int] = parts["seeds"]
    for i, seed in enumerate(seeds):
        if seed < 0:
            document.note(("seeds", i), f"is {seed}", "write a whole number from 0")
        elif seed in seeds[:i]:
            document.note(("seeds", i), f"is {seed} a second time", "give every member a seed of its own")
    several: Sequence[int | None] = parts["every_shots"]
    counts: dict[Steps, int | None] = {("shots", i): count for i, count in enumerate(several)}
    counts |= {("validation_shots",): parts["validation_shots"]} | ({} if several else {("shots",): parts["shots"]})
    for path, count in counts.items():
        if count is not None and count < 1:
            document.note(path, f"is {count}", "write how many rows per class, from 1; or null for all rows")
    for i, count in enumerate(several):
        if count in several[:i]:
            document.note(("shots", i), f"is {'null' if count is None else count} a second time", "write it once")


def check_shelved(parts: Mapping[str, Any], arms: Sequence[Arm], document: Document) -> None:
    """Note saved prompts that did not begin as this recipe's do, and bridges that ask for more than saved prompts."""
    shelves = {name: source for name, source in parts["sources"].items() if isinstance(source, Shelved)}
    prompt = parts["prompt"]
    for name, shelf in shelves.items():
        path = ("sources", name, "prompts")
        if not document.sound(path) or prompt is None:
            continue
        try:
            card = shelf.card
        except PromptError as error:
            document.note(path, error.seen, error.fix)
            continue
        here = {"kind": prompt.name, "length": prompt.length, "init": getattr(prompt, "init", card.init)}
        there = {"kind": card.prompt, "length": card.length, "init": card.init}
        if here != there:
            seen = f"holds prompts of {_told(there)}, and the recipe's are {_told(here)}"
            document.note(path, seen, f"write prompt: {{{_told(there)}}}")
    for arm in arms if shelves else ():
        if getattr(arm.bridge, "reads_rows", False) and set(shelves) & set(arm.sources or shelves):
            seen = (
                f"is {arm.bridge.name}, which reads its sources' rows or training, and saved prompts are all there is"
            )
            document.note(("arms", arm.name, "bridge"), seen, "choose another bridge, or give the sources' data")


def _told(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in facts.items())


def check_arm(arm: Arm, sources: Sequence[str], document: Document) -> None:
    """Note sources that an arm names or needs and that are not there, and a budget that nothing is spent of."""
    path = ("arms", arm.name)
    for i, name in enumerate(arm.sources or ()):
        if name not in sources:
            document.note((*path, "sources", i), *_no_source(name, sources))
    if arm.bridge.reads_sources and document.sound(path):
        _check_crossing(arm, [name for name in sources if arm.sources is None or name in arm.sources], document)
    if arm.each and not arm.bridge.reads_sources:
        document.note((*path, "each"), f"is true, but the bridge {arm.bridge.name} reads no source", "remove each")
    if arm.budget == "combined" and not arm.bridge.trains:
        seen = f"is combined, but the bridge {arm.bridge.name} trains nothing"
        document.note((*path, "budget"), seen, "remove budget, or choose a bridge that trains")


def check_own(arm: Arm, sources: Mapping[str, Any], targets: Mapping[str, Domain | None], document: Document) -> None:
    """Note an arm that would carry nothing but a target's own data to it.

    An arm that names its source, or takes each, may have targets where that is so, if it has others.
    """
    path, named = ("arms", arm.name), getattr(arm.bridge, "source", None)
    names = [named] if named else list(arm.sources or sources)
    home = [target for target, domain in targets.items() if domain and all(sources.get(n) == domain for n in names)]
    allowed = len(targets) - 1 if named or arm.each else 0
    if names and len(home) > allowed and document.sound(path):
        key = "source" if named else "sources" if arm.sources else "bridge"
        seen = f"reads {', '.join(names)} alone, which is the own data of the target {', '.join(home)}"
        document.note((*path, key), seen, "name another source, or remove the arm")


def check_models(arm: Arm, two: bool, document: Document) -> None:
    """Note a bridge that cannot go from one model to another, or that goes nowhere else."""
    stands, there = ("arms", arm.name, "bridge"), 2 if two else 1
    if there in arm.bridge.models or not document.sound(stands):
        return
    if two:
        seen = f"is {arm.bridge.name}, which stays within one model, and source_backbone is another one"
        document.note(stands, seen, "choose recycle, relative, projector or post, or remove source_backbone")
    else:
        seen = f"is {arm.bridge.name}, which goes from one model to another, and there is one backbone"
        document.note(stands, seen, "add source_backbone: {name: ...}, or choose spot")


def check_several(arms: Sequence[Arm], models: Sequence[BackboneSpec | None], document: Document) -> None:
    """Note source models that stand twice or that no arm reads, and an arm that reads several where there is one."""
    reading = [arm for arm in arms if getattr(arm.bridge, "every_model", False)]
    for i, model in enumerate(models):
        if model and model in models[:i]:
            document.note(("source_backbone", i), f"is {model.name} a second time", "write it once")
    if len(models) == 1:
        for arm in reading:
            fix = "list several: source_backbone: [{name: ...}, {name: ...}]; or remove every_model"
            document.note(("arms", arm.name, "every_model"), "is true, and sources have one model", fix)
    elif not reading:
        fix = "leave one, or add an arm {bridge: relative, every_model: true}"
        document.note(("source_backbone",), f"has {len(models)} models, and no arm reads more than the first", fix)


def check_domain(path: tuple[str, str], domain: Domain, document: Document) -> None:
    """Note a template or labels that would be refused when the domain is opened."""
    _attempt(lambda: Template.parse(domain.template), at(path, "template", document), document)
    if not document.sound(at(path, "answer", document)):
        return  # whether there must be labels is not known
    if domain.answer is not None:
        _attempt(domain.answered, at(path, "answer", document), document)
    elif domain.label is None:
        fix = "name the column that holds the labels"
        document.note(at(path, "label", document), "is null, but prompts are learned and scored with labels", fix)
    else:
        _attempt(lambda: check_labels(domain.labels, domain.classes), at(path, "labels", document), document)


def check_classes(
    sources: Mapping[str, Domain | Shelved | None], targets: Mapping[str, Domain | None], document: Document
) -> None:
    """Note targets whose classes are not the sources', in the same order: a prompt would change its meaning.

    Prompts that were saved before may have other classes: who has them has nothing else to choose from.
    """
    given = {name: tuple(domain.labels) or FREE for name, domain in sources.items() if isinstance(domain, Domain)}
    for name, domain in targets.items():
        classes = (tuple(domain.labels) or FREE) if domain else ()
        other = next((source for source, known in given.items() if known != classes), None)
        stands = at(("targets", name), "labels", document)
        if domain is not None and other is not None and document.sound(stands):
            seen = f"has the classes {', '.join(classes)}, but the source {other} has {', '.join(given[other])}"
            fix = "give both the same class names in the same order, or write other_classes: true for another task"
            document.note(stands, seen, fix)


def _attempt(attempt: Callable[[], object], path: Steps, document: Document) -> None:
    """Note the DataError that an attempt raises, where nothing was noted at the path before."""
    try:
        if document.sound(path):
            attempt()
    except DataError as error:
        document.note(path, error.seen, error.fix)


def _check_crossing(arm: Arm, names: Sequence[str], document: Document) -> None:
    """Note a bridge whose source is not there, or not settled."""
    path, named = ("arms", arm.name), getattr(arm.bridge, "source", None)
    if not names:
        seen = f"is {arm.bridge.name}, which needs a source, and there is none"
        document.note((*path, "bridge"), seen, "add a domain under sources, or remove the arm")
    elif named is not None and named not in names:
        document.note((*path, "source"), *_no_source(named, names))
    elif named is not None and arm.each:
        document.note((*path, "each"), f"is true, and source names {named} alone", "remove one of the two")
    elif not arm.each and _undecided(arm, names):
        seen = f"is missing, and there are several sources: {', '.join(names)}"
        document.note((*path, "source"), seen, f"add source: {names[0]}")


def _undecided(arm: Arm, names: Sequence[str]) -> bool:
    """Say whether the bridge goes from one source, none is named, and it would not choose by itself."""
    unnamed = getattr(arm.bridge, "source", "") is None and not getattr(arm.bridge, "averages", False)
    return unnamed and len(names) > 1 and not arm.bridge.embeds_target(len(names))


def _no_source(name: str, names: Sequence[str]) -> tuple[str, str]:
    return f"there is no source '{name}'", meant(name, names) if names else "add it under sources"
