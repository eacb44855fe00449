"""Open all domains of a recipe, or tell at once what is wrong with their rows, and in which line each domain stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from softbridge import assets
from softbridge.assets.table import entry as asset_of
from softbridge.domains.domain import Domain, OpenDomain
from softbridge.errors import DataError, PromptError
from softbridge.prompts.shelved import Shelved
from softbridge.recipe import Recipe
from softbridge.study.shelved import opened

Described = TypeVar("Described")
Wrong = DataError | PromptError


def resolve(name: str) -> Path | None:
    """Return the folder of a data set that can be had by name, fetching it at its first use; None for other names."""
    entry = asset_of(name)
    return assets.fetch(name) if entry and entry.kind == "data" else None


def open_source(name: str, spec: Domain | Shelved) -> OpenDomain:
    """Open a source's rows, or what its saved prompts say of them."""
    return opened(name, spec) if isinstance(spec, Shelved) else spec.open(name, resolve)


def open_target(name: str, spec: Domain, recipe: Recipe) -> OpenDomain:
    """Open a target's rows, of which there must be as many of each class as arms learn from."""
    domain = spec.open(name, resolve)
    if any(arm.bridge.trains for arm in recipe.arms.values()):
        for shots in recipe.every_shots or (recipe.shots,):
            domain.few(shots, 0, recipe.validation_shots)
    return domain


def open_all(recipe: Recipe) -> tuple[dict[str, OpenDomain], dict[str, OpenDomain]]:
    """Return a recipe's sources and targets, opened.

    Raises:
        DataError: with all domains whose rows are not what the recipe says, and where each of them stands.
    """
    wrong: dict[tuple[str, str], Wrong] = {}
    sources = _opened("sources", recipe.sources, open_source, wrong)
    targets = _opened("targets", recipe.targets, partial(open_target, recipe=recipe), wrong)
    if wrong:
        raise _told(wrong, recipe.places)
    return sources, targets


def _opened(
    section: str,
    domains: Mapping[str, Described],
    opening: Callable[[str, Described], OpenDomain],
    wrong: dict[tuple[str, str], Wrong],
) -> dict[str, OpenDomain]:
    found = {}
    for name, spec in domains.items():
        try:
            found[name] = opening(name, spec)
        except (DataError, PromptError) as error:
            wrong[section, name] = error
    return found


def _told(wrong: Mapping[tuple[str, str], Wrong], places: Mapping[tuple[str, str], str]) -> DataError:
    """Return one error for all: in full where it is one, or else a line each."""
    seen = {
        path: f"{places.get(path, 'the recipe')}  {'.'.join(path)}  " + error.seen.removeprefix(f"domain '{path[1]}': ")
        for path, error in wrong.items()
    }
    if len(wrong) == 1:
        ((path, error),) = wrong.items()
        return DataError(seen[path], error.expected, error.fix)
    lines = "\n".join(f"  {seen[path]}; {error.fix}" for path, error in wrong.items())
    return DataError(
        f"{len(wrong)} domains cannot be opened:\n{lines}",
        "rows that are what the recipe says of them",
        "mend the lines above, or the rows",
    )
