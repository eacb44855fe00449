"""The sections `pretrain` and `tune`: what is trained before prompts are extracted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from softbridge.domains.domain import Domain
from softbridge.engine.objectives import Objective
from softbridge.engine.plan import Plan
from softbridge.errors import SoftbridgeError
from softbridge.losses.semisupervised import Normalise

Form = Literal["self-supervised", "semi-supervised"]
Section = dict[str, Any]

# The learning rate where a recipe is silent and a backbone trains, whose weights bear less than a prompt's.
RATES: Mapping[str, float] = {"full": 5e-5, "lora": 5e-4, "scratch": 1e-3}


@dataclass(frozen=True)
class Pretrain:
    """Say how the prompt, or the backbone, is trained on text before any source is learned: `L_pre = 1/N sum_n L_n`.

    Arguments:
        form: `self-supervised` asks for what stands in the text itself; `semi-supervised` for the labels of those rows
            that have one, the others count 0.
        objective: what a text is asked for; None takes what suits the backbone.
        texts: names of the recipe's domains whose train and unlabelled rows are read; None for all, or for none where
            there is a `domain`.
        domain: texts of its own.
        normalise: semi-supervised, whether N counts `all` rows or the `labelled` ones.
        labelled: semi-supervised, labelled rows per class, of domains that are no target; a target has the recipe's
            `shots`. None for all.
        held_out: self-supervised, how many texts are held out of each domain to measure the loss on, from 1.
        trains: `prompt` or `backbone`.
        scratch: what a new backbone's configuration has otherwise than the old one's, whose weights are not used then;
            None goes on from the weights.
        plan: how it trains.
    """

    form: Form = "self-supervised"
    objective: Objective | None = None
    texts: tuple[str, ...] | None = None
    domain: Domain | None = None
    normalise: Normalise = "all"
    labelled: int | None = None
    held_out: int = 64
    trains: Literal["prompt", "backbone"] = "prompt"
    scratch: Mapping[str, Any] | None = None
    plan: Plan = field(default_factory=Plan)

    @property
    def labels(self) -> bool:
        """Return whether labels are read."""
        return self.form == "semi-supervised"

    @property
    def formula(self) -> str:
        """Return the name of the loss formulation in `losses.formulas`."""
        return f"L_pre/{self.form}" + ("/labelled" if self.labels and self.normalise == "labelled" else "")

    def facts(self) -> dict[str, Any]:
        """Return what decides the numbers, beside the domains and the objective."""
        own = {"normalise": self.normalise, "labelled": self.labelled} if self.labels else {"held_out": self.held_out}
        scratch = {"scratch": dict(self.scratch)} if self.scratch is not None else {}
        return {"form": self.form, "trains": self.trains, **own, **scratch, "plan": self.plan.facts()}

    def resolved(self, domain: Any) -> Section:
        """Return the section as plain JSON, which reads back as the same; `domain` is the own domain's."""
        facts = {key: value for key, value in self.facts().items() if key != "plan"}
        texts = {} if self.texts is None else {"texts": list(self.texts)}
        objective = {"objective": self.objective.name, **vars(self.objective)} if self.objective else {}
        return {**facts, **objective, **texts, **({"domain": domain} if domain else {}), "training": asdict(self.plan)}


@dataclass(frozen=True)
class PretrainKeys:
    """List the keys of `pretrain` that are not its objective's."""

    form: Form = "self-supervised"
    objective: str | None = None
    texts: list[str] | None = None
    domain: Section = field(default_factory=dict)
    normalise: Normalise = "all"
    labelled: int | None = None
    held_out: int = 64
    trains: Literal["prompt", "backbone"] = "prompt"
    scratch: Section | None = None
    training: Section = field(default_factory=dict)


@dataclass(frozen=True)
class Tune:
    """Say how the backbone is tuned on labelled rows of the sources before prompts are extracted.

    Arguments:
        how: `full` trains all weights, `lora` low-rank additions (Hu et al. 2022, through PEFT), then merged.
        sources: the sources whose rows are read, together; None for all.
        rank: R of the additions, from 1.
        alpha: the additions are scaled by alpha / rank, from 1.
        plan: how it trains.
    """

    how: Literal["full", "lora"] = "full"
    sources: tuple[str, ...] | None = None
    rank: int = 8
    alpha: int = 16
    plan: Plan = field(default_factory=Plan)

    def __post_init__(self) -> None:
        for name in ("rank", "alpha"):
            if getattr(self, name) < 1:
                raise SoftbridgeError(f"{name} is {getattr(self, name)}", "a whole number from 1", f"raise {name}")

    def facts(self) -> dict[str, Any]:
        """Return what decides the numbers, beside the domains."""
        lora = {"rank": self.rank, "alpha": self.alpha} if self.how == "lora" else {}
        return {"how": self.how, **lora, "plan": self.plan.facts()}

    def resolved(self) -> Section:
        """Return the section as plain JSON, which reads back as the same."""
        sources = {} if self.sources is None else {"sources": list(self.sources)}
        return {"how": self.how, "rank": self.rank, "alpha": self.alpha, **sources, "training": asdict(self.plan)}


@dataclass(frozen=True)
class TuneKeys:
    """List the keys of `tune`."""

    how: Literal["full", "lora"] = "full"
    sources: list[str] | None = None
    rank: int = 8
    alpha: int = 16
    training: Section = field(default_factory=dict)
