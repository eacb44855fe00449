"""The stages in which the backbone trains, before any prompt: pretraining on text, and tuning on the sources' labels.

One backbone comes of them for all seeds; the study goes on with it, frozen, from the stage's folder `model/`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from softbridge import whole
from softbridge.backbones.base import Backbone
from softbridge.domains.domain import OpenDomain
from softbridge.engine.loop import Member, Training
from softbridge.engine.plan import Plan
from softbridge.errors import StudyError
from softbridge.injection import Injection
from softbridge.prompts.base import PromptModule
from softbridge.prompts.headed import headed
from softbridge.recipe.preparing import Pretrain, Tune
from softbridge.seeding import derive, drawing_from, generator
from softbridge.study.holding import holding
from softbridge.study.judging import judge_on
from softbridge.study.materials import Materials, domain_facts, load_backbone
from softbridge.study.pretraining import report
from softbridge.study.shores import united
from softbridge.study.stages import Stage
from softbridge.study.texts import Task, facts_of, reading, task
from softbridge.study.watching import Watcher

BEST = "best.safetensors"  # the weights that the held-out rows chose, while the stage is at work


class Weights(PromptModule):
    """Hold the weights of a backbone that train, so that a bank of one trains them; nothing is injected.

    Arguments:
        weights: the parameters by name; the model holds them too.

    Example:
        >>> layer = torch.nn.Linear(2, 2)
        >>> [name for name, _ in Weights(dict(layer.named_parameters())).named_parameters()], Weights({})().parts
        (['weight', 'bias'], {})
    """

    def __init__(self, weights: Mapping[str, torch.nn.Parameter]) -> None:
        super().__init__()
        for name, parameter in weights.items():
            self.register_parameter(name.replace(".", "/"), parameter)

    def forward(self) -> Injection:
        """Return an injection of nothing."""
        return Injection()


@dataclass
class Tuning(Training):
    """Train a backbone, and keep the weights that the held-out rows chose beside the checkpoint."""

    def keep(self) -> None:
        """Write the best weights before the checkpoint, which then never knows of a best that is not there."""
        if self.folder and self.accelerator.is_main_process and self.standings[0].best_step == self.step:
            state = {name: value.detach().cpu().contiguous() for name, value in self.bank[0].state_dict().items()}
            whole.write(self.folder / BEST, save(state))
        super().keep()


@dataclass(frozen=True)
class Shaping:
    """Say how a backbone is trained.

    Arguments:
        kind: `pretrain` or `tune`.
        stage: its folder.
        plan: how it trains.
        teach: what a backbone is taught.
        how: `full`, `lora` or `scratch`.
        lora: rank and alpha of low-rank additions.
        scratch: what a new backbone's configuration has otherwise.
    """

    kind: str
    stage: Stage
    plan: Plan
    teach: Callable[[Backbone], Task]
    how: str = "full"
    lora: tuple[int, int] = (8, 16)
    scratch: Mapping[str, Any] | None = None


def pretraining(materials: Materials, settings: Pretrain, stage: Callable[[str, dict[str, Any]], Stage]) -> Shaping:
    """Return how the backbone is pretrained on text."""
    read, scratch = reading(materials, settings), settings.scratch
    made = stage("pretrain", facts_of(materials, read))
    seeds = materials.recipe.seeds[:1]
    how = "full" if scratch is None else "scratch"
    teach = partial(task, materials, read, seeds=seeds)
    return Shaping("pretrain", made, settings.plan, teach, how, scratch=scratch)


def tuning(materials: Materials, settings: Tune, stage: Callable[[str, dict[str, Any]], Stage]) -> Shaping:
    """Return how the backbone is tuned on the sources.

    Raises:
        StudyError: when a target's own rows would be read.
    """
    names = sorted(settings.sources or materials.recipe.sources)
    domains = [materials.sources[name] for name in names]
    for target, domain in materials.targets.items():
        if domain.fingerprint in {source.fingerprint for source in domains}:
            raise StudyError(f"tune reads all labels of the target {target}", "sources that are no target", "name them")
    facts = {**settings.facts(), "domains": [domain_facts(domain) for domain in domains]}
    made = stage(f"tune-{'+'.join(names)}", facts)
    teach = partial(labelled, materials, united(domains), settings.plan)
    return Shaping("tune", made, settings.plan, teach, settings.how, (settings.rank, settings.alpha))


def labelled(materials: Materials, domain: OpenDomain, plan: Plan, backbone: Backbone) -> Task:
    """Return the labelled rows of the sources as what a backbone is taught."""
    backbone.bind(domain.words)
    rows, looked = materials.few(domain, materials.recipe.seeds[0], None, None)
    judge = judge_on(backbone, [looked], plan, materials.accelerator)
    return Task(domain.name, domain, [rows], judge, None, {"loss": "L_fine"})


def shape(materials: Materials, shaping: Shaping, watcher: Watcher) -> dict[str, Any]:
    """Train the backbone, or take that of a run that did, and go on with it; return the stage's result."""
    stage = shaping.stage
    with holding(stage, materials.accelerator, watcher):
        result = stage.result() if stage.finished else train(materials, shaping, watcher)
    now = materials.backbone.spec
    materials.take(replace(now, name=str((stage.folder / "model").absolute()), revision=None, hub=False))
    return result


def train(materials: Materials, shaping: Shaping, watcher: Watcher) -> dict[str, Any]:
    """Train the backbone in float32, save it whole, and return the stage's result."""
    began, stage, seed = time.perf_counter(), shaping.stage, materials.recipe.seeds[0]
    with materials.accelerator.local_main_process_first():
        whole_weights = replace(materials.backbone.spec, precision="float32", bits=None, device_map=None)
        backbone = load_backbone(whole_weights, shaping.scratch)
    adapted = loosened(backbone, shaping, generator(seed, "lora"))
    course = shaping.teach(backbone)
    weights = {name: p for name, p in backbone.model.named_parameters() if p.requires_grad}
    member = Member("backbone", derive(seed, "order", course.name), taught(backbone, course, weights), course.rows[0])
    training = Tuning(
        backbone, [member], shaping.plan, course.judge, materials.accelerator, stage.folder, recast=course.recast
    )
    training.tell = partial(watcher.tell, stage.name)
    with watcher.stage(stage.name, shaping.plan.steps) as training.watch:
        trained = training.run()
    result = report(shaping.kind, course, training, [seed], trained) | {"trains": "backbone", "how": shaping.how}
    result["nondeterministic"] = sorted(materials.unpromised)
    if materials.accelerator.is_main_process:
        training.bank[0].load_state_dict(load((stage.folder / BEST).read_bytes()))
        keep(backbone, adapted, stage.folder)
        stage.finish(result)
        (stage.folder / BEST).unlink(missing_ok=True)
    materials.accelerator.wait_for_everyone()
    watcher.say(f"{stage.name}: {time.perf_counter() - began:.1f} s")
    return result


def loosened(backbone: Backbone, shaping: Shaping, draw: torch.Generator) -> Any:
    """Let all weights train, or low-rank additions to them; return PEFT's model of the latter.

    *Reference*: Hu, Shen, Wallis, Allen-Zhu, Li, Wang, Wang, Chen. LoRA. ICLR 2022.
    """
    backbone.moving = True
    if shaping.how != "lora":
        backbone.model.requires_grad_(True)
        return None
    from peft import LoraConfig, get_peft_model
    from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as KNOWN

    where = None if backbone.config.model_type in KNOWN else "all-linear"
    rank, alpha = shaping.lora
    with drawing_from(draw):
        return get_peft_model(backbone.model, LoraConfig(r=rank, lora_alpha=alpha, target_modules=where))


def taught(backbone: Backbone, course: Task, weights: Mapping[str, torch.nn.Parameter]) -> PromptModule:
    """Return the weights as a bank's member, with a linear head beside where the classes are read from one."""
    module = Weights(weights)
    if course.domain is None:
        return module
    space = replace(backbone.space(), labels=course.domain.words)
    return headed(module, space, generator(0, "head"))


def keep(backbone: Backbone, adapted: Any, folder: Path) -> None:
    """Save a backbone as a folder that `from_pretrained` loads; low-rank additions are saved beside, and merged."""
    model = backbone.model
    if adapted is not None:
        adapted.save_pretrained(folder / "adapter")
        model = adapted.merge_and_unload()
    model.save_pretrained(folder / "model")
    backbone.tokenizer.save_pretrained(folder / "model")
