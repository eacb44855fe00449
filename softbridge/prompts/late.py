"""Late prompt tuning: virtual tokens that enter before a later block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import torch

from softbridge.errors import PromptError
from softbridge.injection import Injection, Space
from softbridge.prompts.base import PromptModule
from softbridge.prompts.initialisers import common_ids
from softbridge.shapes import check


class LatePrompt(PromptModule):
    """Hold virtual tokens that enter before a block.

    Arguments:
        tokens: `[P, H]` where they start.
        block: the block's index, from 1.
    """

    def __init__(self, tokens: torch.Tensor, block: int) -> None:
        super().__init__()
        check(tokens, "P H", "the prompt")
        self.block = block
        self.tokens = torch.nn.Parameter(tokens.detach().float().clone())

    def forward(self) -> Injection:
        """Return the virtual tokens."""
        return Injection(self.tokens.unsqueeze(0), block=self.block)


@dataclass(frozen=True)
class Late:
    """Learn P virtual tokens that enter before block k: `h^k <- [P; h^k]`.

    The text's states below k do not depend on the prompt, so they are computed once a row, and a gradient goes no
    deeper than k. The prompt starts at the states that real words have there (ours: absolute scales differ by block).

    *Reference*: Liu, Sun, Huang, Qiu. Late Prompt Tuning: A Late Prompt Could Be Better Than Many Prompts. Findings of
    EMNLP 2022. (Without its prompt generator, which makes a prompt for each text.)

    Arguments:
        length: P, the number of virtual tokens, from 1.
        block: k, from 1 to the last block's index; null takes the middle one.
        text: a text whose states the prompt starts from; common words where there is none.

    Example:
        >>> states = lambda ids, block: torch.randn(len(ids), 8)
        >>> space = Space(torch.randn(50, 8), lambda text: [1, 2], range(50), layers=6, states=states)
        >>> Late(length=3).build(space, torch.Generator().manual_seed(0)).bake().block
        3
    """

    length: int = 20
    block: int | None = None
    text: str | None = None

    name: ClassVar[str] = "late"
    makes: ClassVar[frozenset[str]] = frozenset({"tokens", "block"})
    plan: ClassVar[Mapping[str, Any]] = MappingProxyType({"learning_rate": 0.03})
    reference: ClassVar[str] = (
        "Liu, Sun, Huang, Qiu. Late Prompt Tuning: A Late Prompt Could Be Better Than Many Prompts. "
        "Findings of EMNLP 2022."
    )
    bibtex: ClassVar[str] = """@inproceedings{liu2022late,
  title = {Late Prompt Tuning: A Late Prompt Could Be Better Than Many Prompts},
  author = {Liu, Xiangyang and Sun, Tianxiang and Huang, Xuanjing and Qiu, Xipeng},
  booktitle = {Findings of EMNLP},
  year = {2022}
}"""

    def __post_init__(self) -> None:
        if self.length < 1 or (self.block is not None and self.block < 1):
            raise PromptError(
                f"length {self.length}, block {self.block}",
                "whole numbers from 1; the kind `soft` enters at the input",
                "write length: 20, and leave block out for the middle one",
            )

    def build(self, space: Space, generator: torch.Generator, start: Injection | None = None) -> LatePrompt:
        """Return a new prompt, or one that goes on from `start`."""
        block = self.block or max(1, space.layers // 2)
        if block >= space.layers:
            raise PromptError(
                f"block is {block}, and the backbone has {space.layers} blocks",
                f"a block from 1 to {space.layers - 1}",
                "write a smaller block, or leave it out for the middle one",
            )
        if start is not None:
            return LatePrompt(given_late(start, block, space), block)
        assert space.states is not None
        ids = space.tokenise(self.text) if self.text else common_ids(space, self.length, generator)
        if not ids:
            raise PromptError(f"the text {self.text!r} holds no token", "a text of at least one", "write another text")
        return LatePrompt(space.states([ids[i % len(ids)] for i in range(self.length)], block), block)


def given_late(start: Injection, block: int, space: Space) -> torch.Tensor:
    """Return the tokens `[P, H]` of a given prompt that enters before the same block."""
    if start.tokens is None or start.block != block:
        raise PromptError(
            f"the given prompt has {', '.join(start.parts)} before block {start.block}",
            f"virtual tokens before block {block}",
            "start from a prompt of the same kind and block, or train from scratch",
        )
    check(start.tokens, "B P H", "the given prompt", B=1, H=space.width)
    return start.tokens[0].clone()
