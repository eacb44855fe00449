"""The prompt's length."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from softbridge.errors import RoundsError
from softbridge.rounds.base import Known, Proposal, State


@dataclass(frozen=True)
class Length:
    """Train a longer prompt: fresh virtual tokens behind those that crossed, `P_0 <- [P_0; Q]`.

    *Reference*: Razdaibiedina, Mao, Hou, Khabsa, Lewis, Almahairi. Progressive Prompts. ICLR 2023, which puts new
    tokens beside those of earlier tasks; here all of them train.

    Arguments:
        add: how many tokens more, one proposal each, from 1.
        most: the most tokens more than the arm's own prompt has.

    Example:
        >>> [one.state.added for one in Length(add=(5, 10)).propose(State(added=5), State(), Known())]
        [10, 15]
    """

    add: tuple[int, ...] = (5,)
    most: int = 20

    name: ClassVar[str] = "length"
    changes: ClassVar[str] = "start"
    reference: ClassVar[str] = (
        "Razdaibiedina, Mao, Hou, Khabsa, Lewis, Almahairi. Progressive Prompts: Continual Learning for Language "
        "Models. ICLR 2023."
    )
    bibtex: ClassVar[str] = """@inproceedings{razdaibiedina2023progressive,
  title = {Progressive Prompts: Continual Learning for Language Models},
  author = {Razdaibiedina, Anastasia and Mao, Yuning and Hou, Rui and Khabsa, Madian and Lewis, Mike and
    Almahairi, Amjad},
  booktitle = {Proceedings of ICLR},
  year = {2023}
}"""

    def __post_init__(self) -> None:
        if min(self.add, default=0) < 1:
            raise RoundsError(f"add is {min(self.add, default=0)}", "tokens from 1", "write add: [5]")

    def propose(self, state: State, kept: State, known: Known) -> list[Proposal]:
        """Return a proposal a number of tokens, up to the most."""
        return [
            Proposal(replace(state, added=state.added + count), f"{count} tokens more")
            for count in self.add
            if state.added + count <= self.most
        ]
