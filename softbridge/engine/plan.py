"""How a bank is trained: the recipe's `training` keys."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from softbridge.errors import SoftbridgeError


@dataclass(frozen=True)
class Plan:
    """Say how long, how fast and by what rule prompts are trained.

    Arguments:
        steps: optimiser steps, from 0.
        batch: rows a member sees in one step, from 1.
        learning_rate: the peak, above 0.
        optimiser: `adamw` or `adafactor` (no parameter scaling, no relative step, as prompt tuning uses it).
        weight_decay: from 0.
        schedule: what follows the warm-up: `linear` to 0, `cosine` to 0, or `constant`.
        warmup: share of the steps, 0..1.
        clip: the largest gradient norm of one member, or null.
        accumulation: passes that one step's rows are spread over, from 1; more passes need less memory.
        evaluate_every: steps between looks at validation; null looks four times.
        patience: looks without a better validation score after which a member stops; null never stops.
        choose_by: what validation chooses the checkpoint by; a loss is to be small, the others large. `last` keeps the
            last step's and asks nothing of validation, which may then have no rows.
        nonfinite: what is done at a loss or gradient that is not finite: `stop` ends that member before the step, which
            keeps its best prompt, and trains the others on; `raise` ends the run.

    Example:
        >>> Plan(steps=100).looks()
        [0, 25, 50, 75, 100]
    """

    steps: int = 500
    batch: int = 32
    learning_rate: float = 0.01
    optimiser: Literal["adamw", "adafactor"] = "adamw"
    weight_decay: float = 0.0
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: float = 0.1
    clip: float | None = 1.0
    accumulation: int = 1
    evaluate_every: int | None = None
    patience: int | None = None
    choose_by: Literal["loss", "accuracy", "macro_f1", "matthews", "last"] = "loss"
    nonfinite: Literal["stop", "raise"] = "stop"

    def __post_init__(self) -> None:
        least = {"steps": 0, "batch": 1, "accumulation": 1, "evaluate_every": 1, "patience": 1, "weight_decay": 0}
        for name, low in least.items():
            value = getattr(self, name)
            if value is not None and value < low:
                raise SoftbridgeError(f"{name} is {value}", f"a number from {low}", f"raise {name}")
        for name, right, range_ in (
            ("learning_rate", self.learning_rate > 0, "a number above 0"),
            ("warmup", 0 <= self.warmup <= 1, "a share from 0 to 1"),
            ("clip", self.clip is None or self.clip > 0, "a number above 0, or null"),
        ):
            if not right:
                raise SoftbridgeError(f"{name} is {getattr(self, name)}", range_, f"write {range_}")
        if self.choose_by == "last" and self.patience is not None:
            raise SoftbridgeError(
                f"patience is {self.patience}, and choose_by is last",
                "patience with a score of validation to wait for",
                "write patience: null, or choose by loss",
            )

    def facts(self) -> dict[str, Any]:
        """Return what decides a finished training's numbers: all but what is done in case of trouble."""
        return {name: value for name, value in asdict(self).items() if name != "nonfinite"}

    @property
    def warmup_steps(self) -> int:
        """Return the steps over which the learning rate rises."""
        return round(self.warmup * self.steps)

    def looks(self) -> list[int]:
        """Return the steps after which validation is looked at; the start and the end are always among them."""
        every = self.evaluate_every or max(1, self.steps // 4)
        return sorted({*range(0, self.steps + 1, every), self.steps})
