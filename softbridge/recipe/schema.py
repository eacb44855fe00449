"""The typed tree of a recipe: what a study is, with every default filled in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML

from softbridge import whole
from softbridge.backbones.base import BackboneSpec
from softbridge.bridges.base import Bridge
from softbridge.domains.candidates import Design
from softbridge.domains.domain import Domain
from softbridge.engine.plan import Plan
from softbridge.prompts.base import PromptKind
from softbridge.prompts.shelved import Shelved
from softbridge.recipe.preparing import Pretrain, Tune
from softbridge.rounds import Rounds

Budget = Literal["target", "combined"]


@dataclass(frozen=True)
class Training:
    """Say how prompts are trained on the sources and on the targets.

    Arguments:
        source: the plan on each source domain.
        target: the plan on each target domain; an arm may override it.
    """

    source: Plan
    target: Plan


@dataclass(frozen=True)
class Arm:
    """Name one way to the target that the study compares.

    Arguments:
        name: what the reports call it.
        bridge: how source prompts become the target's.
        plan: how the prompt is trained on the target.
        budget: `target` trains for the target's steps; `combined` for the source's and the target's together,
            so that a prompt without a source may spend what the others spent on theirs.
        sources: the source domains it may use; None for all of them.
        each: whether each of these sources goes to the target alone, as an arm of its own.
        family: of an arm of one source that was made so, the arm that it is one of.
        rounds: how it is optimised further on the target; None leaves it as it is.
    """

    name: str
    bridge: Bridge
    plan: Plan
    budget: Budget = "target"
    sources: tuple[str, ...] | None = None
    each: bool = False
    family: str | None = None
    rounds: Rounds | None = None

    def apart(self, sources: Iterable[str]) -> list[Arm]:
        """Return an arm a source where each goes alone, or else this arm.

        Arguments:
            sources: the recipe's sources, of which the arm may name some.
        """
        if not self.each:
            return [self]
        return [self.alone(name) for name in self.sources or sources]

    def alone(self, source: str) -> Arm:
        """Return the arm of one source; where the bridge can name its source it does, as a recipe that names it."""
        bridge: Any = self.bridge
        if hasattr(bridge, "source"):
            bridge = replace(bridge, source=source)
        return Arm(
            f"{self.name} from {source}",
            bridge,
            self.plan,
            self.budget,
            (source,),
            family=self.name,
            rounds=self.rounds,
        )


@dataclass(frozen=True)
class Recipe:
    """Describe a study, from the backbone to the arms.

    Arguments:
        name: what the study is called.
        seeds: one member of the bank each.
        backbone: the frozen model.
        source_backbone: the frozen model of the sources, where that is another one; the first, where there are several.
        prompt: the kind of prompt, with its settings.
        sources: the source domains by name; a source may be prompts that were saved before.
        targets: the target domains by name.
        shots: labelled training rows per class on a target; None for all. The first of them, where there are several.
        validation_shots: labelled validation rows per class on a target; None for all.
        training: the plans.
        arms: the ways to the target by name.
        every_shots: the values of `shots` that the study is run with, where there are several.
        design: how the text is found that prompts start from, where `prompt` has `init: design`.
        pretrain: what is trained on text before any source is learned, where something is.
        tune: how the backbone is tuned on the sources before prompts are extracted, where it is.
        other_classes: whether targets may have classes that the sources do not, as from one task to another.
        places: the file and line of each domain, as `my.yaml:9`, for messages.
        more_source_backbones: the other models that every source is learned on too, for bridges that read several.
    """

    name: str
    seeds: tuple[int, ...]
    backbone: BackboneSpec
    prompt: PromptKind
    sources: Mapping[str, Domain | Shelved]
    targets: Mapping[str, Domain]
    shots: int | None
    validation_shots: int | None
    training: Training
    arms: Mapping[str, Arm]
    source_backbone: BackboneSpec | None = None
    every_shots: tuple[int | None, ...] = ()
    design: Design | None = None
    pretrain: Pretrain | None = None
    tune: Tune | None = None
    other_classes: bool = False
    places: Mapping[tuple[str, str], str] = field(default_factory=dict, compare=False, repr=False)
    more_source_backbones: tuple[BackboneSpec, ...] = ()

    @property
    def source_backbones(self) -> tuple[BackboneSpec, ...]:
        """Return all models that sources are learned on, where those are others than the targets'."""
        return (self.source_backbone, *self.more_source_backbones) if self.source_backbone else ()

    def by_shots(self) -> list[Recipe]:
        """Return the recipes of one value of `shots` each: what they leave behind is what each alone would leave."""
        return [replace(self, shots=shots, every_shots=()) for shots in self.every_shots] or [self]

    def resolved(self) -> dict[str, Any]:
        """Return the recipe as plain JSON, with every default written out; read back, it is the same recipe."""
        return {
            "name": self.name,
            "seeds": list(self.seeds),
            "backbone": plain(self.backbone),
            **_abroad(self.source_backbones),
            "prompt": {"kind": self.prompt.name, **plain(self.prompt)},
            **({"design": plain(self.design)} if self.design else {}),
            **({"pretrain": self.pretrain.resolved(_domain(self.pretrain.domain))} if self.pretrain else {}),
            **({"tune": self.tune.resolved()} if self.tune else {}),
            **({"other_classes": True} if self.other_classes else {}),
            "sources": {name: _domain(domain) for name, domain in self.sources.items()},
            "targets": {name: _domain(domain) for name, domain in self.targets.items()},
            "shots": list(self.every_shots) or self.shots,
            "validation_shots": self.validation_shots,
            "training": {"source": plain(self.training.source), "target": plain(self.training.target)},
            "arms": {name: _arm(arm) for name, arm in self.arms.items()},
        }

    def to_yaml(self) -> str:
        """Return the resolved recipe as YAML, which reads back as the same recipe."""
        text = StringIO()
        YAML().dump(self.resolved(), text)
        return text.getvalue()

    def write(self, file: Path) -> None:
        """Write the resolved recipe as YAML; nobody ever reads half of it."""
        whole.write(file, self.to_yaml())

    @property
    def digest(self) -> str:
        """Return the sha256 of the resolved recipe as canonical JSON."""
        text = json.dumps(self.resolved(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def plain(value: Any) -> Any:
    """Return a dataclass, or what one of its fields holds, as plain JSON.

    Example:
        >>> plain(Plan(steps=10))["steps"], plain((1, "a", None))
        (10, [1, 'a', None])
    """
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if hasattr(value, "__dataclass_fields__"):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    return f"<{type(value).__name__} in memory>"


def _abroad(models: tuple[BackboneSpec, ...]) -> dict[str, Any]:
    """Return the key `source_backbone`: a model, a list of several, or no key at all."""
    return {"source_backbone": plain(models if len(models) > 1 else models[0])} if models else {}


def _domain(domain: Domain | Shelved | None) -> Any:
    told = plain(domain)
    if isinstance(domain, Domain) and domain.answer is None:  # a recipe without free answers is what it always was
        return {key: value for key, value in told.items() if key not in ("answer", "match", "max_new_tokens")}
    return told


def _arm(arm: Arm) -> dict[str, Any]:
    sources = None if arm.sources is None else list(arm.sources)
    own = {"bridge": arm.bridge.name, "budget": arm.budget, "sources": sources, "training": plain(arm.plan)}
    rounds = {"rounds": arm.rounds.resolved()} if arm.rounds else {}
    return own | ({"each": True} if arm.each else {}) | rounds | plain(arm.bridge)
