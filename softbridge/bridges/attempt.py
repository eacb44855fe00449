"""ATTEMPT: each text chooses its own mixture of frozen source prompts and the target's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from softbridge.bridges.base import Crossing, Pupil, Shore
from softbridge.bridges.mixtures import NETWORK, MixedPrompt, only_tokens
from softbridge.errors import BridgeError
from softbridge.injection import Injection
from softbridge.prompts.base import PromptModule
from softbridge.prompts.headed import HeadedPrompt, with_head


@dataclass(frozen=True)
class Attempt:
    """Add to the target's prompt an attention-weighted sum: `P(x) = P_t + sum_{j=1}^{S+1} a_j(x) P_j`.

    `a = softmax_j(max_tokens(P_j) . LN(W_up silu(W_down x^)) / T)`, x^ the maximum over the text's embeddings, over the
    S frozen sources and the target itself. The published code takes that maximum over padding too, so that a row's
    weights depend on its batch; here padding is masked.

    *Reference*: Asai, Salehi, Peters, Hajishirzi. ATTEMPT: Parameter-Efficient Multi-task Tuning via Attentional
    Mixtures of Soft Prompts. EMNLP 2022.

    Arguments:
        rank: the width of the query's network, from 1.
        temperature: T, above 0; left out, the paper's `e H`.
        pace: the network's share of the learning rate, above 0.
        shared: whether all targets of the study have one network, the paper's multi-task form: it is learned on all
            targets' rows first, beside a prompt for each, with the target's plan and as many steps for each of them;
            on each target it then stays as it is, and the target's prompt is trained on.
    """

    rank: int = 100
    temperature: float | None = None
    pace: float = 1.0
    shared: bool = False

    name: ClassVar[str] = "attempt"
    reference: ClassVar[str] = (
        "Asai, Salehi, Peters, Hajishirzi. ATTEMPT: Parameter-Efficient Multi-task Tuning via Attentional Mixtures of "
        "Soft Prompts. EMNLP 2022."
    )
    bibtex: ClassVar[str] = """@inproceedings{asai2022attempt,
  title = {{ATTEMPT}: Parameter-Efficient Multi-task Tuning via Attentional Mixtures of Soft Prompts},
  author = {Asai, Akari and Salehi, Mohammadreza and Peters, Matthew E. and Hajishirzi, Hannaneh},
  booktitle = {Proceedings of EMNLP},
  year = {2022},
  eprint = {2205.11961},
  archivePrefix = {arXiv}
}"""
    trains: ClassVar[bool] = True
    models: ClassVar[tuple[int, ...]] = (1,)
    reads_sources: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = True
    classes_only: ClassVar[bool] = True
    sampling: ClassVar[bool] = False
    cap: ClassVar[int] = 1

    def __post_init__(self) -> None:
        require_mixing(self.rank, self.temperature, self.pace)

    def embeds_target(self, sources: int) -> bool:
        """Never."""
        return False

    def mixed(self, begun: Injection, sources: Mapping[str, Injection], generator: torch.Generator) -> MixedPrompt:
        """Return the module over the sources and a fresh prompt."""
        assert begun.tokens is not None
        heat = self.temperature or math.e * begun.tokens.shape[-1]
        return MixedPrompt(only_tokens(sources), begun.tokens[0], self.rank, heat, generator, self.pace)

    def gather(
        self, begun: Injection, known: Mapping[str, Mapping[str, Injection]], generator: torch.Generator
    ) -> dict[str, Pupil]:
        """Return each target's module over its sources and a prompt of its own; the network is one.

        Raises:
            BridgeError: when the targets read different numbers of sources.
        """
        if len({len(sources) for sources in known.values()}) > 1:
            told = ", ".join(f"{name} {len(sources)}" for name, sources in known.items())
            raise BridgeError(
                f"the targets read different numbers of sources: {told}",
                "as many for each, where they share a network",
                "leave out `shared`, or name the arm's sources so that each target reads as many",
            )
        made = [self.mixed(begun, sources, generator) for sources in known.values()]
        for module in made:
            for name in NETWORK:
                setattr(module, name, getattr(made[0], name))
        return {name: Pupil(with_head(module, begun)) for name, module in zip(known, made, strict=True)}

    def cross(self, shore: Shore) -> Crossing:
        """Return the module over the sources and a fresh prompt, or what became of it beside the other targets."""
        told = f"attention over {', '.join(shore.sources)} and the target"
        if not self.shared:
            return Crossing(
                self.mixed(shore.fresh().bake(), shore.sources, shore.generator), tuple(shore.sources), told
            )
        joined = shore.abreast(self)
        (prompt,) = joined.prompts.values()
        note = f"{told}, its network learned on all targets: {joined.note}"
        return Crossing(held(prompt), tuple(shore.sources), note, joint=joined.result)


def held(prompt: PromptModule) -> PromptModule:
    """Return the prompt, whose network stays as it is from here on."""
    inner = prompt.prompt if isinstance(prompt, HeadedPrompt) else prompt
    assert isinstance(inner, MixedPrompt)
    inner.hold()
    return prompt


def require_mixing(rank: int, temperature: float | None, pace: float) -> None:
    """Raise BridgeError where the settings of an attention over prompts do not do."""
    if rank < 1 or (temperature is not None and temperature <= 0) or pace <= 0:
        raise BridgeError(
            f"rank {rank}, temperature {temperature}, pace {pace}",
            "a rank from 1, a temperature and a pace above 0",
            "write rank: 100, and leave the others out",
        )
