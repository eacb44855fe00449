"""What to cite with a recipe's study, and why."""

from __future__ import annotations

from collections.abc import Iterator

from softbridge.assets.table import ASSETS
from softbridge.domains.domain import Domain
from softbridge.domains.terms import BERTOPIC, FIGHTIN_WORDS
from softbridge.recipe import before
from softbridge.recipe.schema import Recipe


def citations(recipe: Recipe) -> dict[str, list[str]]:
    """Return the BibTeX of what a recipe uses, and each entry's reasons.

    Example:
        >>> from softbridge.recipe import read
        >>> [reasons for entry, reasons in citations(read("quickstart")).items() if "vu2022spot" in entry]
        [['the bridge spot']]
    """
    entries: dict[str, list[str]] = {}
    for reason, entry in _cited(recipe):
        reasons = entries.setdefault(entry.strip(), []) if entry.strip() else []
        if reason not in reasons:
            reasons.append(reason)
    return entries


def _cited(recipe: Recipe) -> Iterator[tuple[str, str]]:
    yield f"the prompt {recipe.prompt.name}", recipe.prompt.bibtex
    if recipe.design:
        yield "the design of the prompt's text", FIGHTIN_WORDS
        yield "the design of the prompt's text", BERTOPIC
    yield from before.cited(recipe.pretrain, recipe.tune)
    for arm in recipe.arms.values():
        yield f"the bridge {arm.bridge.name}", arm.bridge.bibtex
    domains = [d for d in (*recipe.sources.values(), *recipe.targets.values()) if isinstance(d, Domain)]
    for name in (recipe.backbone.name, *(domain.data for domain in domains)):
        if isinstance(name, str) and name in ASSETS:
            yield f"the {ASSETS[name].kind} {name}", ASSETS[name].citation
