"""P-tuning: virtual tokens that a small network makes from free inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import torch

from softbridge.errors import PromptError
from softbridge.injection import Injection, Space
from softbridge.prompts.base import PromptModule
from softbridge.prompts.initialisers import given, rms
from softbridge.prompts.soft import SoftPrompt
from softbridge.seeding import drawing_from


class EncodedPrompt(PromptModule):
    """Hold free inputs and the encoder that turns them into virtual tokens.

    Arguments:
        length: P.
        width: H.
        hidden: the encoder's inner width.
        recurrent: whether an LSTM of two directions reads the inputs first.
        size: the root mean square the virtual tokens start at.
        generator: draws inputs and encoder.
    """

    gain: torch.Tensor

    def __init__(
        self, length: int, width: int, hidden: int, recurrent: bool, size: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.inputs = torch.nn.Parameter(torch.randn(length, width, generator=generator))
        with drawing_from(generator):
            self.lstm = torch.nn.LSTM(width, hidden, num_layers=2, bidirectional=True) if recurrent else None
            first = torch.nn.Linear(2 * hidden if recurrent else width, hidden)
            self.mlp = torch.nn.Sequential(first, torch.nn.ReLU(), torch.nn.Linear(hidden, width))
        with torch.no_grad():
            made = rms(self.encode())
        self.register_buffer("gain", size / made)

    def encode(self) -> torch.Tensor:
        """Return the encoder's output `[P, H]`."""
        return self.mlp(self.inputs if self.lstm is None else self.lstm(self.inputs)[0])

    def forward(self) -> Injection:
        """Return the encoder's output at the embeddings' scale."""
        return Injection((self.gain * self.encode()).unsqueeze(0))


@dataclass(frozen=True)
class PTuning:
    """Learn virtual tokens through an encoder: `P = c MLP(Z)` or `P = c MLP(LSTM(Z))`, Z `[P, H]` free.

    The encoder is thrown away after training. c brings the start to the embeddings' scale (ours; absolute scales do not
    carry between models). A prompt that goes on from `start` is a plain soft prompt.

    *Reference*: Liu, Zheng, Du, Ding, Qian, Yang, Tang. GPT Understands, Too. 2021. arXiv 2103.10385.

    Arguments:
        length: P, the number of virtual tokens, from 1.
        encoder: `mlp`, or `lstm` for a bidirectional LSTM of two layers before it.
        hidden: the encoder's inner width, from 1.
        scale: the root mean square of the start, in units of the word embeddings' own, above 0.

    Example:
        >>> space = Space(torch.randn(50, 8), lambda text: [1, 2], range(50))
        >>> PTuning(length=3, encoder="lstm").build(space, torch.Generator().manual_seed(0)).bake().tokens.shape
        torch.Size([1, 3, 8])
    """

    length: int = 20
    encoder: Literal["mlp", "lstm"] = "mlp"
    hidden: int = 128
    scale: float = 1.0

    name: ClassVar[str] = "p_tuning"
    makes: ClassVar[frozenset[str]] = frozenset({"tokens"})
    plan: ClassVar[Mapping[str, Any]] = MappingProxyType({"learning_rate": 0.001})
    reference: ClassVar[str] = (
        "Liu, Zheng, Du, Ding, Qian, Yang, Tang. GPT Understands, Too. 2021. arXiv 2103.10385 (AI Open 2023)."
    )
    bibtex: ClassVar[str] = """@article{liu2021gpt,
  title = {{GPT} Understands, Too},
  author = {Liu, Xiao and Zheng, Yanan and Du, Zhengxiao and Ding, Ming and Qian, Yujie and Yang, Zhilin and
    Tang, Jie},
  journal = {arXiv:2103.10385},
  year = {2021}
}"""

    def __post_init__(self) -> None:
        if self.length < 1 or self.hidden < 1 or self.scale <= 0:
            raise PromptError(
                f"length {self.length}, hidden {self.hidden}, scale {self.scale}",
                "a length and a hidden width from 1, a scale above 0",
                "mend the one that is out of its range",
            )

    def build(self, space: Space, generator: torch.Generator, start: Injection | None = None) -> PromptModule:
        """Return a new prompt, or a plain one that goes on from `start`."""
        if start is not None:
            return SoftPrompt(given(start, space))
        size = self.scale * float(rms(space.table))
        return EncodedPrompt(self.length, space.width, self.hidden, self.encoder == "lstm", size, generator)
