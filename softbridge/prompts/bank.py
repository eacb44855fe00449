"""The bank: N prompts trained in one pass; a single prompt is a bank of one.

The members stay a *list* of modules. One stacked parameter would let an optimiser that looks at a whole tensor
(Adafactor's factored moments and its update clipping) mix the members, and a member would no longer be the
prompt it would have become alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from softbridge.errors import PromptError
from softbridge.injection import Injection, stack
from softbridge.prompts.base import PromptModule


class Bank(torch.nn.Module):
    """Hold N prompts of one shape; row i of a batch uses `members[member[i]]`.

    Arguments:
        members: the prompts by name, in order.

    Raises:
        PromptError: when there is none, or two differ in shape or block.

    Example:
        >>> from softbridge.prompts.soft import SoftPrompt
        >>> bank = Bank({"a": SoftPrompt(torch.zeros(2, 4)), "b": SoftPrompt(torch.ones(2, 4))})
        >>> bank(torch.tensor([1, 1, 0])).tokens.sum(dim=(1, 2)).tolist()
        [8.0, 8.0, 0.0]
    """

    def __init__(self, members: Mapping[str, PromptModule]) -> None:
        super().__init__()
        self.names = tuple(members)
        self.members = torch.nn.ModuleList(members.values())
        shapes = {form(member) for member in members.values()}
        if len(shapes) != 1:
            raise PromptError(
                f"the bank's members have {len(shapes)} different shapes: {sorted(shapes)}",
                "at least one member, all with the same parts, length, width and block",
                "train prompts of different shapes in different banks",
            )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> PromptModule:
        member = self.members[index]
        assert isinstance(member, PromptModule)
        return member

    def forward(self, member: torch.Tensor) -> Injection:
        """Return the injection for each row.

        Arguments:
            member: `[B]` the member's index of each row.

        Returns:
            The injection of B rows. Only members that have a row are computed, so others get no gradient.
        """
        present = sorted(set(member.tolist()))
        place = torch.full((len(self),), -1, dtype=torch.long, device=member.device)
        place[present] = torch.arange(len(present), device=member.device)
        parts = [self[index]() for index in present]
        return replace(stack(parts).pick(place[member]), member=place[member])

    def bake(self) -> list[Injection]:
        """Return each member's plain tensors, for one row each."""
        return [self[index].bake() for index in range(len(self))]


def form(member: PromptModule) -> tuple[tuple[tuple[str, tuple[int, ...]], ...], int]:
    """Return what the members of a bank have in common: the parts' shapes, and the block."""
    made = member.bake()
    return tuple((name, tuple(part.shape[1:])) for name, part in made.parts.items()), made.block
