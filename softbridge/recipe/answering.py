"""What cannot be where a domain's answers are free text, found before anything loads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from softbridge.domains.domain import Domain
from softbridge.engine.plan import Plan
from softbridge.recipe.document import Document, Steps
from softbridge.recipe.pairs import at

BY = ("loss", "last")  # what validation can choose by where there are no classes
_BARE = Domain("")


def check(parts: Mapping[str, Any], document: Document) -> None:
    """Note what asks for classes that a domain with free answers does not have."""
    free = {
        section: [n for n, domain in parts[section].items() if answered(domain)] for section in ("sources", "targets")
    }
    _unread(parts, document)
    every = [*free["sources"], *free["targets"]]
    if not every:
        return
    classed = [name for name, domain in parts["targets"].items() if domain and not answered(domain)]
    if free["targets"] and classed:
        seen = (
            f"has classes, and the target {free['targets'][0]} is answered with free text: their scores differ in kind"
        )
        document.note(("targets", classed[0]), seen, "put the two in recipes of their own")
    _bridges(parts, every, document)
    _plans(parts, free, document)
    if getattr(parts["prompt"], "init", "") in ("labels", "design"):
        seen = f"is {parts['prompt'].init}, which reads label words, and {every[0]} has none"
        document.note(("prompt", "init"), seen, "write init: vocabulary, or init: text")
    if parts["tune"]:
        document.note(("tune",), f"learns labels, and {every[0]} is answered with free text", "remove tune")
    if parts["pretrain"] and parts["pretrain"].labels:
        seen = f"is semi-supervised, which learns labels, and {every[0]} is answered with free text"
        document.note(("pretrain", "form"), seen, "write form: self-supervised")


def answered(domain: Any) -> bool:
    """Say whether a domain's answers are free text."""
    return isinstance(domain, Domain) and domain.answer is not None


def _unread(parts: Mapping[str, Any], document: Document) -> None:
    """Note how answers are to be judged where there are none, and what is said of classes where answers are free."""
    domains = {(section, name): domain for section in ("sources", "targets") for name, domain in parts[section].items()}
    for key in ("match", "max_new_tokens", "label", "classes"):
        free = key in ("match", "max_new_tokens")
        # A domain that is wrong elsewhere may read what is shared.
        read = {at(path, key, document) for path, domain in domains.items() if not domain or answered(domain) == free}
        for path, domain in domains.items():
            stands = at(path, key, document)
            sound = document.sound(stands) and document.sound(at(path, "answer", document))
            if not isinstance(domain, Domain) or stands in read or not sound:
                continue
            if getattr(domain, key) in (getattr(_BARE, key), None):
                continue
            if free:
                document.note(stands, "is read of free answers, and these are classes", f"add answer, or remove {key}")
            else:
                document.note(stands, "is read of classes, and the answers are free text", f"remove {key}")


def _bridges(parts: Mapping[str, Any], every: list[str], document: Document) -> None:
    """Note bridges that read the classes' probabilities, or mix a prompt for each text, and rounds that label rows."""
    for arm in filter(None, parts["arms"].values()):
        path = ("arms", arm.name)
        if getattr(arm.bridge, "classes_only", False) and document.sound((*path, "bridge")):
            works = f"is {arm.bridge.name}, which works on the scores of classes or mixes a prompt for each text"
            seen = f"{works}, and {every[0]} is answered with free text"
            document.note((*path, "bridge"), seen, "choose spot, arithmetic or scratch, or remove the arm")
        if arm.rounds and "pseudo" in arm.rounds.moves:
            seen = f"has pseudo, which labels rows, and {every[0]} is answered with free text"
            document.note((*path, "rounds", "moves"), seen, "remove pseudo")


def _plans(parts: Mapping[str, Any], free: Mapping[str, list[str]], document: Document) -> None:
    """Note plans that choose by a score of classes."""
    training, plans = parts["training"], list[tuple[Steps, Plan]]()
    if training and free["sources"]:
        plans.append((("training", "source"), training.source))
    if training and free["targets"]:
        plans.append((("training", "target"), training.target))
        own = ((("arms", arm.name, "training"), arm.plan) for arm in parts["arms"].values() if arm)
        plans += [(path, plan) for path, plan in own if (*path, "choose_by") in document.places]
    for path, plan in plans:
        if plan.choose_by not in BY:
            seen = f"is {plan.choose_by}, and free text has no classes"
            document.note((*path, "choose_by"), seen, f"write choose_by: {' or '.join(BY)}")
