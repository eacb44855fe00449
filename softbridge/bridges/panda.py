"""PANDA: the source prompt starts the student and stays as its teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from softbridge.backbones.base import Backbone
from softbridge.batch import Batch
from softbridge.bridges.base import Crossing, Shore
from softbridge.bridges.choosing import near_source
from softbridge.errors import BridgeError
from softbridge.injection import Injection, shared
from softbridge.losses.distillation import divergence, squared


@dataclass(frozen=True)
class Teacher:
    """Hold a teacher prompt; the term is what `form` says."""

    prompt: Injection
    form: Literal["paper", "code"]
    strength: float

    @property
    def formula(self) -> str:
        """Return the term for records."""
        if self.form == "code":
            return f"kd_logits_mse (code form): {self.strength:g} MSE(scores) / B"
        return f"kd_logits_kl (paper form): {self.strength:g} lambda KL(p_s || p), lambda = mean cos(h_s, h)"

    def __call__(self, backbone: Backbone, rows: Batch, prompt: Injection, scores: torch.Tensor) -> torch.Tensor:
        """Return `[B]`; the teacher sees the same rows."""
        teacher = shared(self.prompt, rows.input_ids)
        with torch.no_grad():
            told = backbone.score(rows, teacher)
        if self.form == "code":
            return self.strength * squared(told, scores) / len(rows)
        with torch.no_grad():
            theirs, ours = backbone.vectors(rows, teacher), backbone.vectors(rows, prompt)
            near = torch.nn.functional.cosine_similarity(theirs, ours, dim=-1).mean()
        return self.strength * near * divergence(told, scores)


@dataclass(frozen=True)
class Panda:
    """Start from one source prompt, and distil from it: `L = L_fine + beta lambda KL(p_s || p_t)`.

    lambda says how well the source suits the target: the cosine of the states that the classes are read from under
    source and target prompt, averaged over the step's rows. The released code adds `beta MSE(scores) / B` with a
    constant weight instead, averaged over the batch once more: `form: code`.

    *Reference*: Zhong, Ding, Liu, Du, Tao. PANDA: Prompt Transfer Meets Knowledge Distillation for Efficient Model
    Adaptation. IEEE TKDE 2024.

    Arguments:
        source: the source domain; left out, the only one, or else the most similar one.
        similarity: how task embeddings are compared, where the source is to be chosen.
        form: `paper` or `code`.
        strength: beta, from 0; 0 is `spot`.
    """

    source: str | None = None
    similarity: Literal["cosine_of_means", "per_token_cosine"] = "per_token_cosine"
    form: Literal["paper", "code"] = "paper"
    strength: float = 1.0

    name: ClassVar[str] = "panda"
    reference: ClassVar[str] = (
        "Zhong, Ding, Liu, Du, Tao. PANDA: Prompt Transfer Meets Knowledge Distillation for Efficient Model "
        "Adaptation. IEEE TKDE 2024."
    )
    bibtex: ClassVar[str] = """@article{zhong2024panda,
  title = {{PANDA}: Prompt Transfer Meets Knowledge Distillation for Efficient Model Adaptation},
  author = {Zhong, Qihuang and Ding, Liang and Liu, Juhua and Du, Bo and Tao, Dacheng},
  journal = {IEEE Transactions on Knowledge and Data Engineering},
  year = {2024},
  eprint = {2208.10160},
  archivePrefix = {arXiv}
}"""
    trains: ClassVar[bool] = True
    models: ClassVar[tuple[int, ...]] = (1,)
    reads_sources: ClassVar[bool] = True
    starts: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = False
    classes_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.strength < 0:
            raise BridgeError(f"strength is {self.strength}", "a number from 0", "write strength: 1.0")

    def embeds_target(self, sources: int) -> bool:
        """Where the source is to be chosen among several."""
        return self.source is None and sources > 1

    def cross(self, shore: Shore) -> Crossing:
        """Return the source prompt and its teaching."""
        source, note = near_source(shore, self.source, self.similarity)
        prompt = shore.sources[source]
        return Crossing(prompt.each(torch.clone), (source,), note, Teacher(prompt, self.form, self.strength))
