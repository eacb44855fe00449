"""What validation chose for one member so far, and whether the member still trains."""

from __future__ import annotations

import math
from dataclasses import dataclass

from softbridge.engine.plan import Plan
from softbridge.injection import Injection


@dataclass
class Standing:
    """Keep a member's best checkpoint and its patience.

    Arguments:
        plan: names the score and the patience.
        best: the best prompt so far, baked.
        best_step: the step they were taken at.
        best_score: validation's scores there.
        idle: looks since.
        stopped: why and when the member stopped, or None.
    """

    plan: Plan
    best: Injection | None = None
    best_step: int = -1
    best_score: dict[str, float] | None = None
    idle: int = 0
    stopped: str | None = None

    def look(self, step: int, prompt: Injection, score: dict[str, float]) -> None:
        """Take note of validation's scores after a step; equal scores are settled by the smaller loss."""
        if self.best_score is None or self.plan.choose_by == "last" or self.rank(score) > self.rank(self.best_score):
            self.best, self.best_step, self.best_score, self.idle = prompt, step, score, 0
            return
        self.idle += 1
        if self.plan.patience is not None and self.idle >= self.plan.patience:
            self.stopped = f"at step {step}: {self.idle} looks without a better validation {self.plan.choose_by}"

    def rank(self, score: dict[str, float]) -> tuple[float, float]:
        """Return what is compared; larger is better, and nothing is worse than a score that is not finite."""
        first = -score["loss"] if self.plan.choose_by == "loss" else score[self.plan.choose_by]
        return (first, -score["loss"]) if math.isfinite(score["loss"]) else (-math.inf, -math.inf)
