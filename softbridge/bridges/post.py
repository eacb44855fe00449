"""POST: what the prompt changes in the source model's answers, it is to change in the target model's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from softbridge.bridges.base import Crossing, Shore
from softbridge.bridges.choosing import paired_source, pairing
from softbridge.errors import BridgeError


@dataclass(frozen=True)
class Post:
    """Learn the target's prompt from the source's by matching the shifts of the answers on public texts.

    `a T^2 KL(d_s || d_t) + (1 - a) T^2 KL(o_s || o_t)`: o are a model's class scores with its prompt, d the same less
    those without, all divided by T before the softmax. No labels are read, neither the target's nor the public texts';
    the last step is taken. The paper makes the source model from the target's by distillation first; here it is the
    recipe's.

    *Reference*: Wang, Xu, Boenisch, Backes, Choquette-Choo, Dziedzic. Efficient and Privacy-Preserving Soft Prompt
    Transfer for LLMs. ICML 2025.

    Arguments:
        source: the source domain whose prompt is carried; left out, the target's own data on the other model, or the
            only one.
        public: the source domain whose texts are public; left out, the first that is not the target's own data.
        weight: a, 0 to 1.
        temperature: T, above 0.
        texts: how many public texts, from 1.
        steps: steps of Adam on 8 texts each.
        rate: its learning rate.
        train: whether the prompt is trained on the target afterwards.
    """

    source: str | None = None
    public: str | None = None
    weight: float = 0.5
    temperature: float = 2.0
    texts: int = 512
    steps: int = 200
    rate: float = 1e-2
    train: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1 or self.temperature <= 0 or min(self.texts, self.steps) < 1:
            seen = f"weight {self.weight}, temperature {self.temperature}, texts {self.texts}, steps {self.steps}"
            raise BridgeError(seen, "weight 0 to 1, temperature above 0, texts and steps from 1", "change it")

    name: ClassVar[str] = "post"
    reference: ClassVar[str] = (
        "Wang, Xu, Boenisch, Backes, Choquette-Choo, Dziedzic. Efficient and Privacy-Preserving Soft Prompt Transfer "
        "for LLMs. ICML 2025."
    )
    bibtex: ClassVar[str] = """@inproceedings{wang2025post,
  title = {Efficient and Privacy-Preserving Soft Prompt Transfer for {LLMs}},
  author = {Wang, Xun and Xu, Jing and Boenisch, Franziska and Backes, Michael and Choquette-Choo, Christopher A. and
    Dziedzic, Adam},
  booktitle = {Proceedings of ICML},
  year = {2025}
}"""
    averages: ClassVar[bool] = True
    models: ClassVar[tuple[int, ...]] = (2,)
    reads_sources: ClassVar[bool] = True
    starts: ClassVar[bool] = True
    reads_rows: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = True
    classes_only: ClassVar[bool] = True

    @property
    def trains(self) -> bool:
        """Return whether the prompt is trained on the target."""
        return self.train

    def embeds_target(self, sources: int) -> bool:
        """Never."""
        return False

    def cross(self, shore: Shore) -> Crossing:
        """Return the prompt whose shifts match the source's."""
        pairing(shore)
        source = paired_source(shore, self.source)
        public = self.public or next((name for name in shore.sources if name != shore.own), source)
        module = shore.fresh()
        matching = Matching(public, self.texts, self.weight, self.temperature, self.steps, self.rate)
        first, last = shore.match(module, shore.sources[source], matching)
        note = f"from {source}, shifts matched on texts of {public}: {first:.3f} to {last:.3f}"
        return Crossing(module.bake(), (source,), note)


@dataclass(frozen=True)
class Matching:
    """Say how shifts are matched: the fields of `Post`."""

    public: str
    texts: int
    weight: float
    temperature: float
    steps: int
    rate: float
