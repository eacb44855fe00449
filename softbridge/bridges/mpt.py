"""MPT: one prompt learned from all sources at once, which every task multiplies by a small matrix of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from softbridge.backbones.base import Backbone
from softbridge.batch import Batch
from softbridge.bridges.base import Crossing, Joined, Pupil, Shore
from softbridge.errors import BridgeError
from softbridge.injection import Injection, shared
from softbridge.losses.distillation import divergence, relative
from softbridge.prompts.base import PromptModule
from softbridge.prompts.decomposed import PACE, DecomposedPrompt, averaged, sharing
from softbridge.prompts.headed import HeadedPrompt, with_head


@dataclass(frozen=True)
class Schooling:
    """Pull a task's product to what the model says and thinks with the prompt that was learned on the task alone."""

    teacher: Injection
    strength: float
    hidden: bool

    @property
    def formula(self) -> str:
        """Return the term for records."""
        states = " + ||h_k - h||^2 / ||h_k||^2" if self.hidden else ""
        return f"kd_logits_kl{' + kd_hidden' if self.hidden else ''}: {self.strength:g} (KL(p_k || p){states})"

    def __call__(self, backbone: Backbone, rows: Batch, prompt: Injection, scores: torch.Tensor) -> torch.Tensor:
        """Return `[B]`; the teacher sees the same rows."""
        teacher = shared(self.teacher, rows.input_ids)
        with torch.no_grad():
            told = backbone.score(rows, teacher)
        added = divergence(told, scores)
        if self.hidden:
            with torch.no_grad():
                theirs = backbone.vectors(rows, teacher)
            added = added + relative(theirs, backbone.vectors(rows, prompt))
        return self.strength * added


@dataclass(frozen=True)
class Mpt:
    """Distil all sources into one shared prompt, `P_k = P* o (u_k v_k^T)`, and go on from it: `P_t = P* o (u v^T)`.

    On the sources, with the sources' plan and one batch for all of them:
    `L = L_fine + lambda (KL(p_k || p) + ||h_k - h||^2 / ||h_k||^2)`, p_k and h_k the classes' probabilities and the
    states that they are read from with the prompt learned on source k alone, p and h those with P_k. On the target u
    and v start at the sources' mean, and L_fine is all. u and v begin at 1, so that P_k begins at P*. (The paper adds
    the plain squared error, whose size is that of the model's states; ours is relative to the teacher's, which is the
    same for sentence encoders, whose states have length 1.)

    *Reference*: Wang, Panda, Karlinsky, Feris, Sun, Kim. Multitask Prompt Tuning Enables Parameter-Efficient Transfer
    Learning. ICLR 2023.

    Arguments:
        strength: lambda, from 0; 0 is no distillation.
        hidden: whether states are distilled beside probabilities.
        sampling: whether each step draws how many sources it reads, from two to all, and which, by size; else it reads
            all.
        cap: the most rows that a source counts for, from 1.
        pace: the share of the learning rate that u and v have, above 0; the paper's 0.4 and 0.3.
        noise: the deviation of what u and v begin with beside 1, from 0.
    """

    strength: float = 0.9
    hidden: bool = True
    sampling: bool = True
    cap: int = 2**18
    pace: float = PACE
    noise: float = 0.0

    name: ClassVar[str] = "mpt"
    reference: ClassVar[str] = (
        "Wang, Panda, Karlinsky, Feris, Sun, Kim. Multitask Prompt Tuning Enables Parameter-Efficient Transfer "
        "Learning. ICLR 2023."
    )
    bibtex: ClassVar[str] = """@inproceedings{wang2023multitask,
  title = {Multitask Prompt Tuning Enables Parameter-Efficient Transfer Learning},
  author = {Wang, Zhen and Panda, Rameswar and Karlinsky, Leonid and Feris, Rogerio and Sun, Huan and Kim, Yoon},
  booktitle = {ICLR},
  year = {2023}
}"""
    trains: ClassVar[bool] = True
    models: ClassVar[tuple[int, ...]] = (1,)
    reads_sources: ClassVar[bool] = True
    reads_rows: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = True
    classes_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for key, wrong, range_, usual in (
            ("strength", self.strength < 0, "from 0", 0.9),
            ("noise", self.noise < 0, "from 0", 0.0),
            ("cap", self.cap < 1, "from 1", 2**18),
            ("pace", self.pace <= 0, "above 0", 1.3333),
        ):
            if wrong:
                raise BridgeError(f"{key} is {getattr(self, key)}", f"a number {range_}", f"write {key}: {usual}")

    def embeds_target(self, sources: int) -> bool:
        """Never."""
        return False

    def gather(
        self, begun: Injection, known: Mapping[str, Mapping[str, Injection]], generator: torch.Generator
    ) -> dict[str, Pupil]:
        """Return each source's product of one shared prompt, with its teacher; a head begins alike for all."""
        assert begun.tokens is not None
        made = sharing(begun.tokens[0], len(known), self.noise, self.pace, generator)
        return {
            name: Pupil(
                with_head(prompt, begun), Schooling(there[name], self.strength, self.hidden) if self.strength else None
            )
            for prompt, (name, there) in zip(made, known.items(), strict=True)
        }

    def cross(self, shore: Shore) -> Crossing:
        """Return the product of the shared prompt with the sources' mean factors, and their mean head."""
        joined = shore.together(self)
        note = f"P* of {', '.join(joined.prompts)}; {joined.note}"
        return Crossing(mean_of(joined), tuple(joined.prompts), note, joint=joined.result)


def mean_of(joined: Joined) -> PromptModule:
    """Return a prompt of its own with the shared prompt, the factors' means, and the heads' where there are heads."""
    bare = [prompt.prompt if isinstance(prompt, HeadedPrompt) else prompt for prompt in joined.prompts.values()]
    made = averaged([prompt for prompt in bare if isinstance(prompt, DecomposedPrompt)])
    heads = [prompt for prompt in joined.prompts.values() if isinstance(prompt, HeadedPrompt)]
    if not heads:
        return made
    weight, bias = (torch.stack([getattr(head, part).data for head in heads]).mean(0) for part in ("weight", "bias"))
    return HeadedPrompt(made, weight, bias)
