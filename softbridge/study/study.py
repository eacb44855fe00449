"""Conduct a study: sources first, then every arm on every target, each stage once."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from softbridge.bridges.base import Crossing
from softbridge.domains.domain import OpenDomain
from softbridge.engine.plan import Plan
from softbridge.errors import BackboneError, StudyError
from softbridge.injection import Injection
from softbridge.prompts.base import PromptModule
from softbridge.prompts.headed import headed
from softbridge.recipe import Arm, Recipe
from softbridge.recipe.schema import plain
from softbridge.records.record import Record
from softbridge.seeding import generator
from softbridge.study import designing, processes, rounds
from softbridge.study.abreast import adapt_abreast, extract_abreast
from softbridge.study.determinism import deterministic
from softbridge.study.holding import free_first
from softbridge.study.learning import Lesson, learn
from softbridge.study.materials import Materials, domain_facts
from softbridge.study.parts import Part
from softbridge.study.preparing import Preparing
from softbridge.study.recording import Cell, record
from softbridge.study.shelved import ShelvedDomain, stage_of
from softbridge.study.shores import Shores
from softbridge.study.stages import Stage
from softbridge.study.testing import touch_test
from softbridge.study.tracking import tracking
from softbridge.study.watching import Watcher


@dataclass(frozen=True)
class StudyResult:
    """Hold what a study came to.

    Arguments:
        folder: the study's folder.
        records: one for each target and arm.
    """

    folder: Path
    records: list[Record]


class Study:
    """Know a recipe's stages, and run them.

    Arguments:
        recipe: the recipe.
        out: the study's folder.
        console: where progress is shown; None shows nothing.
        watcher: shows it instead, and knows which stages a run has told of.
    """

    def __init__(
        self, recipe: Recipe, out: Path, console: Console | None = None, watcher: Watcher | None = None
    ) -> None:
        self.recipe, self.out, self.watcher = recipe, out, watcher or Watcher(console)
        self.accelerator = processes.gather(recipe.backbone.device)
        self.materials = Materials(recipe, self.accelerator)
        self.common = self.materials.facts()
        self.preparing = Preparing(self, self.drawn)
        self.designing = self.design_stage() if recipe.design else None
        if self.designing:
            self.common = {**self.common, "design": self.designing.digest}
        self.preparing.pretrain()
        # Sources of another model are a study of their own in the same folder: the same recipe, on that model.
        there = [
            replace(recipe, backbone=model, source_backbone=None, more_source_backbones=())
            for model in recipe.source_backbones
        ]
        self.homes = tuple(Study(one, out, watcher=self.watcher) for one in there) or (self,)
        self.home = self.homes[0]
        for arm in recipe.arms.values() if there else ():
            if hasattr(arm.bridge, "fit"):  # before anything trains
                widths = [one.materials.backbone.table.shape[1] for one in (self.home, self)]
                arm.bridge.fit(*widths, recipe.prompt.length)

    def stage(self, name: str, facts: dict[str, Any]) -> Stage:
        """Return a stage of this study."""
        return Stage(self.out / "stages", name, {"common": self.common, **facts})

    def design_stage(self) -> Stage:
        """Return the stage that finds the text each seed starts from."""
        recipe, held = self.recipe, self.materials
        self.background = designing.opened_background(recipe.design) if recipe.design else None
        facts = {
            "design": plain(recipe.design),
            "domains": [domain_facts(domain) for domain in (*held.sources.values(), *held.targets.values())],
            "background": self.background.fingerprint if self.background else None,
            "shots": recipe.validation_shots,
        }
        return self.stage("design", facts)

    def design(self) -> None:
        """Find the text that each seed starts from, where the recipe asks for it."""
        self.preparing.shape()
        if self.designing and not self.materials.texts:
            found = designing.carry_out(self.materials, self.designing, self.background, self.watcher)
            self.materials.texts = {int(seed): text for seed, text in found["texts"].items()}

    def extraction(self, source: str) -> Stage:
        """Return the stage of one source on this study's own model."""
        domain, plan = self.materials.sources[source], self.recipe.training.source
        if isinstance(domain, ShelvedDomain):
            return stage_of(self.out / "stages", source, domain.shelf)
        return self.stage(f"extract-{source}", {"domain": domain_facts(domain), "plan": plan.facts()})

    def source_lesson(self, source: str) -> Lesson | None:
        """Return the lesson in which a fresh prompt a seed learns one source; None where its prompts are there."""
        domain, plan = self.materials.sources[source], self.recipe.training.source
        if isinstance(domain, ShelvedDomain):
            return None
        return Lesson(self.extraction(source), "extract", domain, self.recipe.seeds, lambda: self.begin(domain), plan)

    def extract(self, source: str) -> dict[str, Any]:
        """Train a source's lesson, and return the stage's result; saved prompts are there."""
        self.prepared()
        lesson = self.source_lesson(source)
        return learn(self.materials, lesson, self.watcher) if lesson else self.extraction(source).result()

    def begin(self, domain: OpenDomain) -> list[Crossing]:
        """Return a fresh prompt a seed."""
        return [Crossing(self.fresh(domain, seed)) for seed in self.recipe.seeds]

    def fresh(self, domain: OpenDomain, seed: int) -> PromptModule:
        """Return a new prompt: the same for one seed in every arm and domain."""
        return self.drawn(domain, self.materials.starts.get(seed, seed), self.preparing.start(domain, seed))

    def drawn(self, domain: OpenDomain, seed: int, start: Injection | None = None) -> PromptModule:
        """Return the prompt that a seed begins with, or one that begins as `start` is."""
        self.design()
        space, draw = self.materials.space(domain), generator(seed, "init")
        return headed(self.materials.kind(seed).build(space, draw, start), space, draw, start)

    def budget(self, target: str, arm: Arm) -> Plan:
        """Return an arm's plan; the combined budget adds the rows that the sources were trained with."""
        if arm.budget == "target":
            return arm.plan
        rows = len(self.homes) * sum(math.prod(self.materials.spent(source)) for source in self.used(target, arm))
        extra = math.ceil(rows / arm.plan.batch)
        return replace(arm.plan, steps=arm.plan.steps + extra)

    def used(self, target: str, arm: Arm) -> list[str]:
        """Return the sources an arm may read, or that its combined budget counts; never the target's own data."""
        named = getattr(arm.bridge, "source", None)
        if named:
            return [named]
        own, sources = self.materials.targets[target].fingerprint, self.materials.sources
        if self.home is not self:  # on another model, the target's own data are what is carried
            return list(arm.sources or self.recipe.sources)
        return [name for name in arm.sources or self.recipe.sources if sources[name].fingerprint != own]

    def adaptation(self, target: str, arm: Arm) -> Lesson:
        """Return the lesson of one arm on one target."""
        recipe, domain, bridge = self.recipe, self.materials.targets[target], arm.bridge
        plan = self.budget(target, arm) if bridge.trains else None
        facts = {
            "domain": domain_facts(domain),
            "bridge": {"name": bridge.name, **plain(bridge)},
            "plan": plan.facts() if plan else None,
            "shots": [recipe.shots, recipe.validation_shots],
            "inputs": self.inputs(target, arm),
            **({"beside": self.beside(arm)} if getattr(bridge, "shared", False) else {}),
        }
        stage = self.stage(f"adapt-{target}-{bridge.name}", facts)
        shots, looks = recipe.shots, recipe.validation_shots
        return Lesson(stage, "adapt", domain, self.seeds(arm), lambda: self.cross(target, arm), plan, shots, looks)

    def inputs(self, target: str, arm: Arm) -> list[str]:
        """Return the digests of the source stages that an arm reads."""
        read = self.used(target, arm) if arm.bridge.reads_sources else []
        return [home.extraction(source).digest for home in self.origins(arm) for source in read]

    def origins(self, arm: Arm) -> tuple[Study, ...]:
        """Return the studies of the models that an arm carries from: the first, or all where its bridge reads all."""
        return self.homes if getattr(arm.bridge, "every_model", False) else self.homes[:1]

    def beside(self, arm: Arm) -> list[Any]:
        """Return what of all targets decides what they learn together."""
        return [[domain_facts(domain), self.inputs(name, arm)] for name, domain in self.materials.targets.items()]

    def evaluation(self, target: str, arm: Arm, adapted: str) -> Stage:
        """Return the stage that scores on one target's test rows what the stage of a digest came to."""
        answer = self.materials.targets[target].answer
        told = {"answer": plain(answer)} if answer else {}
        return self.stage(f"evaluate-{target}-{arm.bridge.name}", {"adapt": adapted, **told})

    def cross(self, target: str, arm: Arm) -> list[Crossing]:
        """Return where each seed's prompt stands on the target before training."""
        shores = Shores(self, target, arm)
        return [arm.bridge.cross(shores.shore(seed)) for seed in self.seeds(arm)]

    def seeds(self, arm: Arm) -> tuple[int, ...]:
        """Return an arm's members; without a prompt nothing differs between seeds, and one stands for all."""
        return self.recipe.seeds[:1] if arm.bridge.name == "none" else self.recipe.seeds

    def cells(self) -> Iterator[tuple[str, Arm]]:
        """Yield every target with every arm, an arm of each source alone with the sources that are not the target."""
        for target in self.recipe.targets:
            for arm in self.recipe.arms.values():
                for part in arm.apart(self.recipe.sources):
                    if not (part.family and self.at_home(target, part)):
                        yield target, part

    def at_home(self, target: str, arm: Arm) -> bool:
        """Say whether an arm of one source carries a target's own data to itself, on the same model."""
        own, sources = self.materials.targets[target].fingerprint, self.materials.sources
        named = getattr(arm.bridge, "source", None)
        read = (named,) if named else arm.sources or ()
        return self.home is self and bool(read) and all(sources[name].fingerprint == own for name in read)

    def run(self, part: Part | None = None, abreast: bool = False) -> StudyResult:
        """Run what is not finished, of all or of one part, and return the records."""
        started = time.perf_counter()
        self.say_notes()
        self.prepared()
        extracted = self.extract_all(part, abreast)
        chosen = [(target, arm) for target, arm in self.cells() if part is None or part.holds(target, arm.name)]
        if abreast:
            adapt_abreast(self, chosen)
        places = free_first(range(len(chosen)), lambda i: self.adaptation(*chosen[i]).stage, self.accelerator)
        records = [made for _, made in sorted((i, self.carry(*chosen[i], extracted)) for i in places)]
        self.stay_frozen()
        self.watcher.say(f"all stages: {time.perf_counter() - started:.1f} s")
        return StudyResult(self.out, records)

    def extract_all(self, part: Part | None, abreast: bool) -> dict[str, list[dict[str, Any]]]:
        """Train what some arm reads, and return the results of the source stages by source, one a model."""
        extracted: dict[str, list[dict[str, Any]]] = {}
        for place, home in enumerate(self.homes):
            on = f" on {home.recipe.backbone.name}" if len(self.homes) > 1 else ""
            sources = [name for name in self.needed(place) if part is None or part.reads(name)]
            if abreast:
                extract_abreast(home, sources)
            for name in free_first(sources, home.extraction, self.accelerator):
                extracted.setdefault(name, []).append(home.extract(name) | ({"domain": name + on} if on else {}))
        return extracted

    def say_notes(self) -> None:
        """Say once what was noticed when the domains were opened: texts in two splits, and what was done about them."""
        domains = [*self.materials.sources.values(), *self.materials.targets.values()]
        for line in dict.fromkeys(f"{domain.name}: {note}" for domain in domains for note in domain.notes):
            self.watcher.say(line)

    def carry(self, target: str, arm: Arm, extracted: Mapping[str, Sequence[dict[str, Any]]]) -> Record:
        """Carry one arm to one target, score it on the test rows, and return its record.

        Arguments:
            target: the target.
            arm: the arm.
            extracted: the results of the source stages by source, one a model.
        """
        if self.at_home(target, arm):
            self.watcher.say(f"{target} / {arm.name}: its source is the target's own data; this is no transfer")
        lesson, adapted, searched = self.reach(target, arm)
        stage = self.evaluation(target, arm, lesson.stage.digest)
        tested = touch_test(self.materials, stage, lesson, adapted, self.watcher)
        names = [name for name in self.reads(target, arm) if name in extracted and arm.bridge.reads_sources]
        read = {name: extracted[name][: len(self.origins(arm))] for name in names}
        given = lesson.plan or self.budget(target, arm)
        before = [result for result in self.prepared() if result["trains"] != "prompt" or arm.bridge.name != "none"]
        cell = Cell(target, arm, given, lesson, stage, adapted, tested, read, searched, before)
        return record(self.materials, cell, self.out)

    def stay_frozen(self) -> None:
        """Check that training left the backbone as it was."""
        if not all(study.materials.still_frozen() for study in (self, *self.homes)):
            raise BackboneError(
                "the backbone's weights are not what they were before training",
                "a frozen backbone",
                "this is a defect of softbridge: please report it with the recipe",
            )

    def reach(self, target: str, arm: Arm) -> tuple[Lesson, dict[str, Any], dict[str, Any] | None]:
        """Train an arm on a target, in rounds where it says so: the lesson that is kept, its result, the search's."""
        if arm.rounds:
            return rounds.optimise(self, target, arm)
        lesson = self.adaptation(target, arm)
        return lesson, learn(self.materials, lesson, self.watcher), None

    def prepared(self) -> list[dict[str, Any]]:
        """Carry out what stands before the sources, and return what came of it."""
        return self.preparing.carry_out(any(arm.bridge.name != "none" for _, arm in self.cells()))

    def needed(self, place: int = 0) -> list[str]:
        """Return the sources that some arm reads from the source model at a place."""
        cells = [(target, arm) for target, arm in self.cells() if arm.bridge.reads_sources]
        readers = [(target, arm) for target, arm in cells if place < len(self.origins(arm))]
        return [name for name in self.recipe.sources if any(name in self.reads(*reader) for reader in readers)]

    def reads(self, target: str, arm: Arm) -> list[str]:
        """Return the sources that an arm may read on its way: those it uses, and those that rounds may mix."""
        if arm.rounds is None or "mixture" not in arm.rounds.moves:
            return self.used(target, arm)
        return self.used(target, replace(arm, bridge=replace(arm.bridge, source=None)))  # type: ignore[call-arg, type-var]


def run(
    recipe: Recipe,
    out: Path,
    console: Console | None = None,
    track: str | None = None,
    part: Part | None = None,
    abreast: bool = False,
) -> StudyResult:
    """Run a recipe, going on where an earlier run of it stopped.

    Arguments:
        recipe: the recipe.
        out: the study's folder.
        console: where progress is shown; None shows nothing.
        track: a tracker that accelerate knows (`tensorboard`, `wandb`, ...), which is told of every look.
        part: what of the study is to be run; None runs all of it.
        abreast: train sources in one bank where they may share it, and so cells.

    Several runs may share a folder: a stage is carried out by one of them, and the others take its result.

    Raises:
        StudyError: when the processes of a launch do not share the folder.
    """
    accelerator = processes.gather(recipe.backbone.device)
    if accelerator.is_main_process:
        recipe.write(out / "recipe.yaml")
    accelerator.wait_for_everyone()
    if not (out / "recipe.yaml").is_file():
        raise StudyError(
            f"process {accelerator.process_index} does not see the folder {out.absolute()} of the first process",
            "one folder that all processes share",
            "give with --out a folder on a file system that all machines mount",
        )
    with tracking(track, recipe, out) as tell, deterministic() as found:
        records, watcher = [], Watcher(console, tell)
        for place, one in enumerate(recipe.by_shots()):
            if part is None or part.shots == place:
                study = Study(one, out, watcher=watcher)
                for each in (study, *study.homes):
                    each.materials.unpromised = found
                records += study.run(part, abreast).records
        return StudyResult(out, records)
