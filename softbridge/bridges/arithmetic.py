"""Task prompt vectors: what training changed on the sources is added to a start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from softbridge.bridges.base import Crossing, Shore
from softbridge.bridges.choosing import told
from softbridge.bridges.sums import combined, difference
from softbridge.errors import BridgeError
from softbridge.injection import Injection


@dataclass(frozen=True)
class Arithmetic:
    """Start from an initial prompt plus scaled task prompt vectors: `P = P_0 + c * sum_s w_s (P_s - P_0s)`.

    P_0s is the start of source s's own training, which all prompts of one seed share.

    *Reference*: Belanec, Ostermann, Srba, Bielikova. Task Prompt Vectors: Effective Initialization through Multi-Task
    Soft Prompt Transfer. ECML-PKDD 2025.

    Arguments:
        scale: c; left out, the one of `scales` with the least validation loss on the target.
        scales: what c is chosen from.
        weights: w by source, for a source to be left out (0) or subtracted (-1); 1 where it is silent.
        onto: `own` adds to the start that the sources had, `new` to another.
        train: whether the prompt is trained on the target afterwards.
    """

    scale: float | None = None
    scales: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    weights: Mapping[str, float] = field(default_factory=dict)
    onto: Literal["own", "new"] = "own"
    train: bool = True

    name: ClassVar[str] = "arithmetic"
    reference: ClassVar[str] = (
        "Belanec, Ostermann, Srba, Bielikova. Task Prompt Vectors: Effective Initialization through Multi-Task Soft "
        "Prompt Transfer. ECML-PKDD 2025."
    )
    bibtex: ClassVar[str] = """@inproceedings{belanec2025taskpromptvectors,
  title = {Task Prompt Vectors: Effective Initialization through Multi-Task Soft Prompt Transfer},
  author = {Belanec, Robert and Ostermann, Simon and Srba, Ivan and Bielikova, Maria},
  booktitle = {Proceedings of ECML-PKDD},
  year = {2025},
  eprint = {2408.01119},
  archivePrefix = {arXiv}
}"""
    models: ClassVar[tuple[int, ...]] = (1,)
    reads_sources: ClassVar[bool] = True
    starts: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.scale is None and not self.scales:
            raise BridgeError("scales is empty", "at least one number to choose from", "write scales: [0.5, 1.0]")

    @property
    def trains(self) -> bool:
        """Return whether the prompt is trained on the target."""
        return self.train

    def embeds_target(self, sources: int) -> bool:
        """Never."""
        return False

    def cross(self, shore: Shore) -> Crossing:
        """Return the start plus the scaled sum."""
        unknown = set(self.weights) - set(shore.sources)
        if unknown:
            raise BridgeError(
                f"weights names {', '.join(sorted(unknown))}", f"sources: {', '.join(shore.sources)}", "mend weights"
            )
        begun = shore.fresh().bake()
        onto = begun if self.onto == "own" else shore.other().bake()
        weights = {name: self.weights.get(name, 1.0) for name in shore.sources}
        total = combined({name: difference(p, begun) for name, p in shore.sources.items()}, weights)
        scales = self.scales if self.scale is None else (self.scale,)
        starts = [added(onto, total, scale) for scale in scales]
        losses = shore.losses(starts) if len(starts) > 1 else [0.0]
        best = min(range(len(starts)), key=lambda i: losses[i])
        seen = dict(zip((f"{scale:g}:" for scale in scales), losses, strict=True))
        why = f", by validation loss ({told(seen)})" if len(starts) > 1 else ""
        parents = tuple(name for name, weight in weights.items() if weight and scales[best])
        return Crossing(starts[best], parents, f"scale {scales[best]:g}{why} of {told(weights)}")


def added(start: Injection, change: Injection, scale: float) -> Injection:
    """Return `start + scale * change`; a part that does not change stays as it is.

    Example:
        >>> import torch
        >>> added(Injection(torch.ones(1, 1, 2)), Injection(torch.full((1, 1, 2), 4.0)), 0.5).tokens.tolist()
        [[[3.0, 3.0]]]
    """
    moved = change.parts
    parts = {part: t + scale * moved[part] if part in moved else t for part, t in start.parts.items()}
    return Injection(**parts, block=start.block)
