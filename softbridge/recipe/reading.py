"""Read a recipe: YAML to a typed tree, or every problem at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from softbridge.backbones.base import BackboneSpec
from softbridge.bridges.table import BRIDGES
from softbridge.domains.candidates import Design
from softbridge.domains.domain import Domain
from softbridge.engine.plan import Plan
from softbridge.errors import RecipeError
from softbridge.prompts.base import PromptKind, usual_plan
from softbridge.prompts.shelved import Shelved
from softbridge.prompts.table import PROMPTS
from softbridge.recipe import before, checks, pairs, places, rounds
from softbridge.recipe.document import Document, Steps, parse
from softbridge.recipe.fields import built, complete, keys, meant, valid
from softbridge.recipe.schema import Arm, Budget, Recipe, Training
from softbridge.recipe.shelf import find

Kind = TypeVar("Kind")
Section = dict[str, Any]


@dataclass(frozen=True)
class Keys:
    """List the top keys of a recipe; what is inside the sections is checked against the sections' own types."""

    name: str
    backbone: Section
    targets: dict[str, Section]
    arms: dict[str, Section]
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    prompt: Section = field(default_factory=dict)
    domain: Section = field(default_factory=dict)
    sources: dict[str, Section] = field(default_factory=dict)
    shots: int | list[int | None] | None = None
    validation_shots: int | None = None
    training: Section = field(default_factory=dict)
    source_backbone: Section | list[Section] = field(default_factory=dict)
    design: Section | None = None
    pretrain: Section | None = None
    tune: Section | None = None
    other_classes: bool = False


@dataclass(frozen=True)
class TrainingKeys:
    """List the keys of `training`."""

    source: Section = field(default_factory=dict)
    target: Section = field(default_factory=dict)


@dataclass(frozen=True)
class ArmKeys:
    """List the keys of an arm that are not its bridge's."""

    bridge: str
    budget: Budget = "target"
    training: Section = field(default_factory=dict)
    sources: list[str] | None = None
    each: bool = False
    rounds: Section | None = None


def read(path_or_name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe and check it; nothing is loaded.

    Arguments:
        path_or_name: a YAML file, or the name of a packaged recipe.
        overrides: `dotted.path=value` texts that replace values.

    Returns:
        The recipe, with every default filled in and files beside it as absolute paths.

    Raises:
        SoftbridgeError: when there is no such recipe.
        RecipeError: with every problem that the recipe has.

    Example:
        >>> read("quickstart", ["shots=16"]).shots
        16
    """
    file = find(path_or_name)
    try:
        document = parse(file.read_text(encoding="utf-8"), str(file))
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        raise RecipeError([f"{file}:{line}  recipe  is not UTF-8; save the file as UTF-8"]) from None
    for override in overrides:
        document.set(override)
    return typed(document, file.parent)


def resume(resolved: Mapping[str, Any], where: str) -> Recipe:
    """Return the recipe that a record keeps.

    Arguments:
        resolved: what `Recipe.resolved` returned, also in an older version: what it lacks takes its default.
        where: what the messages call it.

    Raises:
        RecipeError: when this version cannot run it.

    Example:
        >>> recipe = read("quickstart")
        >>> resume(recipe.resolved(), "a record") == recipe
        True
    """
    return typed(parse(json.dumps(resolved, ensure_ascii=False), where), Path())  # JSON is YAML


def typed(document: Document, folder: Path) -> Recipe:
    """Return the recipe that a document holds.

    Arguments:
        document: the values, with their lines.
        folder: where relative paths start.

    Raises:
        RecipeError: with every problem of the document.
    """
    given = valid(Keys, document.values, (), document)
    complete(Keys, given, (), document)
    top = Keys(**{"name": "", "backbone": {}, "targets": {}, "arms": {}, **given})
    sections = _Sections(document, folder, valid(Domain, top.domain, ("domain",), document))
    prompt = sections.prompt(top.prompt)
    backbone, abroad = sections.backbone(top.backbone, "backbone"), sections.abroad(top.source_backbone)
    kind = (backbone.kind or pairs.told(backbone)) if backbone else None
    usual = usual_plan(prompt, kind) if prompt else {}
    training, arms = sections.rounds(top.training, top.arms, usual)
    several = tuple(top.shots) if isinstance(top.shots, list) else ()
    if top.shots == []:
        document.note(("shots",), "is empty", "write how many rows per class; or null for all rows")
    parts: dict[str, Any] = {
        "name": top.name,
        "seeds": tuple(top.seeds),
        "backbone": backbone,
        "source_backbone": abroad[0] if abroad else None,
        "more_source_backbones": abroad[1:],
        "prompt": prompt,
        "sources": sections.sources(top.sources),
        "targets": sections.domains("targets", top.targets),
        "shots": top.shots if not isinstance(top.shots, list) else several[0] if several else None,
        "every_shots": several,
        "validation_shots": top.validation_shots,
        "training": training,
        "arms": arms,
        "design": sections.design(top.design, prompt),
        "pretrain": before.pretrain(sections, top.pretrain, usual),
        "tune": before.tune(sections, top.tune),
        "other_classes": top.other_classes,
        "places": {
            (section, name): document.place((section, name))[0]
            for section, domains in (("sources", top.sources), ("targets", top.targets))
            for name in domains
        },
    }
    checks.check(parts, document)
    document.stop()
    return Recipe(**parts)


@dataclass(frozen=True)
class _Sections:
    """Turn a document's sections into their types; what is wrong is noted in the document, and becomes None."""

    document: Document
    folder: Path
    shared: Section

    def backbone(self, values: Section, *path: str | int) -> BackboneSpec | None:
        given = valid(BackboneSpec, values, path, self.document)
        if "name" in given:
            given["name"] = places.model(given["name"], self.folder, (*path, "name"), self.document)
        return built(BackboneSpec, given, path, self.document)

    def abroad(self, values: Section | list[Section]) -> tuple[BackboneSpec | None, ...]:
        """Return the models of the sources, where those are others than the targets'."""
        if isinstance(values, list):
            return tuple(self.backbone(one, "source_backbone", i) for i, one in enumerate(values))
        return (self.backbone(values, "source_backbone"),) if values else ()

    def prompt(self, values: Section) -> PromptKind | None:
        kind = self.choice(PROMPTS, values.get("kind", "soft"), "prompt", ("prompt", "kind"))
        own = {key: value for key, value in values.items() if key != "kind"}
        return self.made(kind, own, ("prompt",), ["kind"]) if kind else None

    def design(self, values: Section | None, prompt: PromptKind | None) -> Design | None:
        """Return how the first text is found, where the prompt starts from a designed one."""
        starts = getattr(prompt, "init", "") == "design"
        if values is not None and prompt and not starts:
            self.document.note(("design",), "finds a text that no prompt starts from", "write prompt: {init: design}")
        given = valid(Design, values or {}, ("design",), self.document)
        if given.get("background"):
            stands = ("design", "background")
            given["background"] = places.data(given["background"], self.folder, stands, self.document)
        made = built(Design, given, ("design",), self.document)
        return made if starts else None

    def domains(self, section: str, values: dict[str, Section]) -> dict[str, Domain | None]:
        return {name: self.domain((section, name), own) for name, own in values.items()}

    def sources(self, values: dict[str, Section]) -> dict[str, Domain | Shelved | None]:
        """Return the sources: domains, and saved prompts, which take nothing of what domains share."""
        return {
            name: self.shelved(("sources", name), own) if "prompts" in own else self.domain(("sources", name), own)
            for name, own in values.items()
        }

    def shelved(self, path: tuple[str, str], values: Section) -> Shelved | None:
        given = valid(Shelved, values, path, self.document)
        if "prompts" in given:
            given["prompts"] = places.prompts(given["prompts"], self.folder, (*path, "prompts"), self.document)
        return built(Shelved, given, path, self.document)

    def domain(self, path: tuple[str, str], values: Section) -> Domain | None:
        given = self.shared | valid(Domain, values, path, self.document)
        if "data" in given:
            stands = pairs.at(path, "data", self.document)
            given["data"] = places.data(given["data"], self.folder, stands, self.document)
        made = built(Domain, given, path, self.document)
        if made is None and path[0] != "pretrain":  # what else is wrong with it is told as well
            checks.check_domain(path, Domain(**{"data": "", **given}), self.document)
        return made

    def rounds(
        self, training: Section, arms: dict[str, Section], usual: Section
    ) -> tuple[Training | None, dict[str, Arm | None]]:
        sides = valid(TrainingKeys, training, ("training",), self.document)
        given = {
            side: usual | valid(Plan, sides.get(side, {}), ("training", side), self.document)
            for side in keys(TrainingKeys)
        }
        source, target = (built(Plan, given[side], ("training", side), self.document) for side in given)
        ways = {name: self.arm(name, values, given["target"]) for name, values in arms.items()}
        return Training(source, target) if source and target else None, ways

    def arm(self, name: str, values: Section, target: Section) -> Arm | None:
        path = ("arms", name)
        mine = {key: value for key, value in values.items() if key in keys(ArmKeys)}
        arm = valid(ArmKeys, mine, path, self.document)
        complete(ArmKeys, arm, path, self.document)
        cls = self.choice(BRIDGES, arm["bridge"], "bridge", (*path, "bridge")) if "bridge" in arm else None
        rest = {key: value for key, value in values.items() if key not in mine}
        bridge = self.made(cls, rest, path, keys(ArmKeys)) if cls else None
        plan = self.plan(arm.get("training", {}), target, (*path, "training"))
        sources, searched = arm.get("sources"), arm.get("rounds")
        found = rounds.read(searched, (*path, "rounds"), self.document) if searched is not None else None
        if bridge is None or plan is None or not self.document.sound(path):
            return None
        own = None if sources is None else tuple(sources)
        return Arm(name, bridge, plan, arm.get("budget", "target"), own, arm.get("each", False), rounds=found)

    def plan(self, values: Section, target: Section, path: Steps) -> Plan | None:
        own = valid(Plan, values, path, self.document)
        settled = self.document.sound(("training", "target"))  # what is wrong there is told there
        made = built(Plan, (target if settled else {}) | own, path, self.document)
        return made if settled else None

    def made(self, cls: type[Kind], values: Section, path: Steps, others: Sequence[str]) -> Kind | None:
        return built(cls, valid(cls, values, path, self.document, others), path, self.document)

    def choice(self, table: Mapping[str, Kind], name: Any, what: str, path: Steps) -> Kind | None:
        if isinstance(name, str) and name in table:
            return table[name]
        self.document.note(path, f"there is no {what} '{name}'", meant(str(name), list(table)))
        return None
