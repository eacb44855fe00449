"""What is done at a loss or gradient that is not finite: the rows are named, and the member stops, or the run."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch

from softbridge.backbones.base import Backbone
from softbridge.engine.plan import Plan
from softbridge.engine.step import Work, row_losses
from softbridge.errors import StudyError
from softbridge.prompts.bank import Bank

SHOWN = 3  # rows that a message names


def culprits(backbone: Backbone, bank: Bank, work: Work, members: Collection[int]) -> list[str]:
    """Name the rows of some members whose loss alone is not finite; the backbone is bound to the rows' classes."""
    found = []
    for place in (i for i in work.counted if work.owner[i] in members):
        owner = torch.tensor([work.owner[place]], device=backbone.device)
        with torch.no_grad():
            loss, term = row_losses(backbone, work, [place], bank(owner), owner)
        if not torch.isfinite(loss + term).all():
            found.append(f"{work.names[place]} {backbone.tokenizer.decode(work.rows.ids[place])[:60]!r}")
    return found


def settle(plan: Plan, member: str, step: int, loss: float, norm: float, rows: Sequence[str]) -> str:
    """Return why a member stops, as its record says it.

    Arguments:
        plan: says whether it stops, or the run ends.
        member: its name.
        step: the step, which does not reach its prompt.
        loss: its loss there.
        norm: its gradient's norm there.
        rows: the names of the rows that brought it about, where one alone does.

    Raises:
        StudyError: where the plan says so.
    """
    seen = f"loss {loss}, gradient norm {norm}" + (f", from the rows {', '.join(rows[:SHOWN])}" if rows else "")
    if plan.nonfinite == "raise":
        raise StudyError(
            f"the member {member} came to {seen} at step {step}",
            "finite losses and gradients",
            "look at the rows, lower learning_rate, or set precision: float32; or write nonfinite: stop",
        )
    return f"at step {step}: {seen}"
