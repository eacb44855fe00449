"""An arm's `rounds`: the recipe's keys, read, checked and told in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from softbridge.prompts.base import PromptKind
from softbridge.recipe.document import Document, Steps
from softbridge.recipe.fields import built, complete, keys, meant, shown, valid
from softbridge.recipe.schema import Arm
from softbridge.rounds import Budget, Rounds
from softbridge.rounds.base import Move
from softbridge.rounds.table import MOVES, POLICIES

Section = dict[str, Any]
STARTS = ("scratch", "random", "spot")  # bridges that bring a start and no more, which another may take the place of


@dataclass(frozen=True)
class RoundsKeys:
    """List the keys of an arm's `rounds` that are not its policy's."""

    moves: list[str] | dict[str, Any]
    policy: str = "greedy"
    budget: Section = field(default_factory=dict)
    patience: int | None = None
    level: float = 0.1


def read(values: Section, path: Steps, document: Document) -> Rounds | None:
    """Return what an arm's `rounds` say; what is wrong is noted, and makes it None."""
    mine = {key: value for key, value in values.items() if key in keys(RoundsKeys)}
    given = valid(RoundsKeys, mine, path, document)
    complete(RoundsKeys, given, path, document)
    name = given.get("policy", "greedy")
    if name not in POLICIES:
        document.note((*path, "policy"), f"there is no policy '{name}'", meant(name, list(POLICIES)))
        return None
    cls = POLICIES[name]
    rest = {key: value for key, value in values.items() if key not in mine}
    policy = built(cls, valid(cls, rest, path, document, keys(RoundsKeys)), path, document)
    there = (*path, "budget")
    budget = built(Budget, valid(Budget, given.get("budget", {}), there, document), there, document)
    moves = _moves(given.get("moves", []), (*path, "moves"), document)
    if policy is None or budget is None or not document.sound(path):
        return None
    ends = {key: given[key] for key in given if key in ("patience", "level")}
    return built(Rounds, {**ends, "policy": policy, "moves": moves, "budget": budget}, path, document)


def _moves(given: list[str] | Section, path: Steps, document: Document) -> dict[str, Move]:
    """Return the moves by name; a list of names takes their defaults."""
    wanted: Section = given if isinstance(given, dict) else {name: {} for name in given}
    found: dict[str, Move] = {}
    for place, (name, values) in enumerate(wanted.items()):
        stands = (*path, name) if isinstance(given, dict) else (*path, place)
        if name not in MOVES:
            document.note(stands, f"there is no move '{name}'", meant(name, list(MOVES)))
        elif values is not None and not isinstance(values, dict):
            document.note(stands, f"is {shown(values)}", f"write {name}: {{}}, or its keys")
        else:
            made = built(MOVES[name], valid(MOVES[name], values or {}, stands, document), stands, document)
            found |= {name: made} if made else {}
    return found


def check(arm: Arm, parts: dict[str, Any], document: Document) -> None:
    """Note rounds that could not be played."""
    path = ("arms", arm.name, "rounds")
    if arm.rounds is not None and document.sound(path):
        for below, seen, fix in _impossible(arm, arm.rounds, parts):
            document.note((*path, *below), seen, fix)


def _impossible(arm: Arm, rounds: Rounds, parts: dict[str, Any]) -> Iterator[tuple[Steps, str, str]]:
    bridge, seeds, prompt = arm.bridge, parts["seeds"], parts["prompt"]
    if not bridge.trains or getattr(bridge, "shared", False):
        what = "trains its target's prompt with others" if bridge.trains else "trains nothing on the target"
        yield (), f"stand with the bridge {bridge.name}, which {what}", "remove rounds, or choose another bridge"
    if arm.budget == "combined":
        yield (), "stand with budget: combined", "write the steps of the first training under training instead"
    if arm.plan.choose_by == "last":
        yield (), "ask validation, and the arm's choose_by is last", "write choose_by: loss under training"
    if len(seeds) < 2:
        yield (), f"compare paired seeds, and there is {len(seeds)}", "write at least two seeds, better five"
    package = rounds.policy.needs
    if package and find_spec(package) is None:
        fix = f"pip install 'softbridge[{package}]', or write policy: greedy"
        yield ("policy",), f"is {rounds.policy.name}, and the package {package} is not installed", fix
    yield from _starts(arm, rounds, prompt)
    if "mixture" in rounds.moves and len(arm.sources or parts["sources"]) < 2:
        yield ("moves",), "has mixture, and the arm reads fewer than two sources", "remove mixture, or add a source"
    first = arm.plan.steps * arm.plan.batch * len(seeds)
    if rounds.budget.rows is not None and rounds.budget.rows < first:
        seen = f"is {rounds.budget.rows:,}, and the arm's first training takes {first:,} row-passes"
        yield ("budget", "rows"), seen, f"write {first:,} or more"


def _starts(arm: Arm, rounds: Rounds, prompt: PromptKind | None) -> Iterator[tuple[Steps, str, str]]:
    """Yield moves that start from another prompt where the bridge or the kind of prompt does not let them."""
    for name in (name for name, move in rounds.moves.items() if move.changes == "start"):
        fits = ("spot",) if name == "mixture" else STARTS
        if arm.bridge.name not in fits:
            seen = f"has {name}, and the bridge {arm.bridge.name} brings more than a start"
            yield ("moves",), seen, f"remove {name}, or choose the bridge {' or '.join(fits)}"
        elif prompt and prompt.makes != {"tokens"}:
            seen = f"has {name}, which works on virtual tokens at the input, and {prompt.name} has others"
            yield ("moves",), seen, f"remove {name}, or write prompt: {{kind: soft}}"


def told(rounds: Rounds) -> str:
    """Return rounds in words."""
    ends = [f"{n:,} {what}" for what, n in (("rounds", rounds.budget.rounds), ("row-passes", rounds.budget.rows)) if n]
    patience = f", until {rounds.patience} keep nothing" if rounds.patience else ""
    return (
        f"then in rounds by {rounds.policy.name}, at most {' and '.join(ends) or 'none'}{patience}: "
        f"{', '.join(rounds.moves)}; kept is what gains on validation beyond noise at level {rounds.level:g}"
    )
