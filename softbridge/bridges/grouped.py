"""DTVG: the target's task vector moves with those of the sources that agree with it, grouped anew at each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from softbridge.bridges.base import Crossing, Shore
from softbridge.bridges.choosing import told
from softbridge.bridges.mixtures import only_tokens
from softbridge.injection import Injection
from softbridge.prompts.base import PromptModule


class GroupedPrompt(PromptModule):
    """Hold the target's task vector, the frozen ones of the sources, and a factor for each.

    Arguments:
        begun: `[P, H]` the start that all task vectors count from.
        target: `[P, H]` the target's task vector.
        sources: `[S, P, H]` the sources' task vectors.
    """

    begun: torch.Tensor
    sources: torch.Tensor

    def __init__(self, begun: torch.Tensor, target: torch.Tensor, sources: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("begun", begun.float().clone())
        self.register_buffer("sources", sources.float().clone())
        self.target = torch.nn.Parameter(target.float().clone())
        self.factors = torch.nn.Parameter(torch.full((len(sources),), 1 / (len(sources) + 1)))

    def forward(self) -> Injection:
        """Return start, target vector and the group's sum; the group is chosen for the target vector as it is now."""
        chosen = torch.zeros(len(self.sources), device=self.target.device)
        chosen[group(self.target.detach(), self.sources)] = 1.0
        total = torch.einsum("s,sph->ph", self.factors * chosen, self.sources)
        return Injection((self.begun + self.target + total).unsqueeze(0))


@dataclass(frozen=True)
class Grouped:
    """Train on a mixture of task vectors: `P = P_0 + t_t + sum_{s in G} a_s t_s`, G chosen anew at every step.

    `sim(u, v) = <sum_i u_i, sum_j v_j> / P^2`. G grows from nothing by the source most similar to the target, as long
    as that is above 0 and it agrees with (has a similarity above 0 to) every source in G: the paper's target similarity
    and knowledge consistency, as we read them. The target's vector begins as that of a training on the target alone.

    *Reference*: Zhang, Zhang, Nie, Wang. Dynamic Task Vector Grouping for Efficient Multi-Task Prompt Tuning. Findings
    of ACL 2025.
    """

    name: ClassVar[str] = "grouped"
    reference: ClassVar[str] = (
        "Zhang, Zhang, Nie, Wang. Dynamic Task Vector Grouping for Efficient Multi-Task Prompt Tuning. Findings of ACL "
        "2025."
    )
    bibtex: ClassVar[str] = """@inproceedings{zhang2025dtvg,
  title = {Dynamic Task Vector Grouping for Efficient Multi-Task Prompt Tuning},
  author = {Zhang, Peiyi and Zhang, Richong and Nie, Zhijie and Wang, Ziqiao},
  booktitle = {Findings of ACL},
  year = {2025},
  eprint = {2503.18063},
  archivePrefix = {arXiv}
}"""
    trains: ClassVar[bool] = True
    models: ClassVar[tuple[int, ...]] = (1,)
    reads_sources: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = True

    def embeds_target(self, sources: int) -> bool:
        """Always: the target's own task vector is asked for."""
        return True

    def cross(self, shore: Shore) -> Crossing:
        """Return the module at the target's own vector."""
        begun = only_tokens({"start": shore.fresh().bake()})[0]
        sources = only_tokens(shore.sources) - begun
        target = only_tokens({"target": shore.embed_target()})[0] - begun
        names = list(shore.sources)
        close = {name: float(likeness(target, v)) for name, v in zip(names, sources, strict=True)}
        first = [names[i] for i in group(target, sources)]
        note = f"the group begins as {', '.join(first) or 'nobody'}; {told(close)}"
        return Crossing(GroupedPrompt(begun, target, sources), tuple(names), note)


def likeness(u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Return `<sum_i u_i, sum_j v_j> / P^2` of two task vectors `[P, H]`.

    Example:
        >>> likeness(torch.ones(2, 3), torch.ones(2, 3)).item()
        3.0
    """
    return (u.sum(0) * v.sum(0)).sum() / len(u) ** 2


def group(target: torch.Tensor, sources: torch.Tensor) -> list[int]:
    """Return the indices of the sources in the target's group, the most similar first.

    Example:
        >>> group(torch.ones(1, 2), torch.tensor([[[1.0, 0.0]], [[-1.0, -1.0]], [[3.0, 3.0]], [[-1.0, 3.0]]]))
        [2, 3]
    """
    close = [float(likeness(target, source)) for source in sources]
    chosen: list[int] = []
    for i in sorted(range(len(close)), key=lambda i: -close[i]):
        if close[i] > 0 and all(likeness(sources[i], sources[j]) > 0 for j in chosen):
            chosen.append(i)
    return chosen
