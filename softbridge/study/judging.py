"""Validation as the engine asks for it: the engine moves prompts, the evaluation scores them, here they meet."""

from __future__ import annotations

from collections.abc import Sequence

from accelerate import Accelerator

from softbridge.backbones.base import Backbone
from softbridge.batch import Rows
from softbridge.engine.loop import Judge
from softbridge.engine.plan import Plan
from softbridge.evaluation.evaluator import evaluate
from softbridge.prompts.bank import Bank


def judge_on(backbone: Backbone, rows: Sequence[Rows], plan: Plan, accelerator: Accelerator) -> Judge:
    """Return the judge that scores a bank's members on validation rows.

    Arguments:
        backbone: the frozen backbone, bound to the task's classes.
        rows: each member's validation rows; a member without any has no scores.
        plan: names the score that the checkpoint is chosen by.
        accelerator: shares the passes among its processes.
    """
    names = sorted({"accuracy", plan.choose_by} - {"loss", "last"})

    def judge(bank: Bank, active: Sequence[int]) -> dict[int, dict[str, float]]:
        sub = Bank({bank.names[i]: bank[i] for i in active})
        return dict(zip(active, evaluate(backbone, sub, [rows[i] for i in active], names, accelerator), strict=True))

    return judge
