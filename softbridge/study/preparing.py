"""What a study trains before its sources: the backbone, then the prompts' start. Later stages rest on earlier ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from softbridge.domains.domain import OpenDomain
from softbridge.engine.plan import Plan
from softbridge.injection import Injection
from softbridge.prompts.base import PromptModule
from softbridge.study import tuning
from softbridge.study.pretraining import Pretraining
from softbridge.study.stages import Stage

if TYPE_CHECKING:
    from softbridge.study.study import Study


class Preparing:
    """Know the stages before the sources, and carry them out.

    Arguments:
        study: the study; the digests of these stages enter what all its later stages have in common.
        begun: a seed's prompt on a domain's classes, before it learned anything.
    """

    def __init__(self, study: Study, begun: Callable[[OpenDomain, int], PromptModule]) -> None:
        self.study, self.begun = study, begun
        self.shapings: list[tuning.Shaping] = []
        self.shaped: list[dict[str, Any]] = []
        self.prompts: Pretraining | None = None
        recipe, materials = study.recipe, study.materials
        if recipe.pretrain and recipe.pretrain.trains == "backbone":
            self.add(tuning.pretraining(materials, recipe.pretrain, self.stage))
        if recipe.tune:
            self.add(tuning.tuning(materials, recipe.tune, self.stage))

    def stage(self, name: str, facts: dict[str, Any]) -> Stage:
        """Return a stage that trains the backbone: it knows no prompt, and of the seeds the first alone."""
        common = {key: value for key, value in self.study.common.items() if key not in ("prompt", "seeds", "starts")}
        return Stage(self.study.out / "stages", name, {"common": common, "seed": self.study.recipe.seeds[0], **facts})

    def add(self, shaping: tuning.Shaping) -> None:
        """Let all later stages rest on one that trains the backbone."""
        self.shapings.append(shaping)
        self.study.common = {**self.study.common, f"{shaping.kind} backbone": shaping.stage.digest}

    def pretrain(self) -> None:
        """Let the sources rest on the stage in which prompts learn from text, where the recipe has one."""
        study, settings = self.study, self.study.recipe.pretrain
        if settings and settings.trains == "prompt":
            self.prompts = Pretraining(study.materials, settings, study.stage, self.begun, study.watcher)
            study.common = {**study.common, "pretrain": self.prompts.stage.digest}

    def shape(self) -> list[dict[str, Any]]:
        """Train the backbone where the recipe asks for it, and go on with it; return what came of it."""
        while len(self.shaped) < len(self.shapings):
            one = self.shapings[len(self.shaped)]
            self.shaped.append(tuning.shape(self.study.materials, one, self.study.watcher))
        return self.shaped

    def carry_out(self, prompts: bool = True) -> list[dict[str, Any]]:
        """Carry out the stages, and return what came of them; a domain is bound after this, not before.

        Arguments:
            prompts: whether there is a prompt, so that its start is wanted.
        """
        found = list(self.shape())
        if prompts:
            self.study.design()
            found += [self.prompts.carry_out()] if self.prompts else []
        return found

    def start(self, domain: OpenDomain, seed: int) -> Injection | None:
        """Return where a seed's prompt starts, where it learned before; a seed of no member learned nothing."""
        known = self.prompts and seed in self.study.recipe.seeds
        return self.prompts.start(domain, seed) if self.prompts and known else None

    def planned(self) -> Iterator[tuple[Stage, Plan, int]]:
        """Yield the stages with their plans and members."""
        for shaping in self.shapings:
            yield shaping.stage, shaping.plan, 1
        if self.prompts:
            yield self.prompts.stage, self.prompts.read.settings.plan, len(self.study.recipe.seeds)
