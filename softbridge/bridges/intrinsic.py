"""Intrinsic prompt tuning: move only inside the subspace that many prompts share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from softbridge.bridges.base import Crossing, Shore
from softbridge.bridges.mixtures import only_tokens
from softbridge.errors import BridgeError
from softbridge.injection import Injection
from softbridge.prompts.base import PromptModule


class SubspacePrompt(PromptModule):
    """Hold the coordinates of a prompt in a frozen subspace.

    Arguments:
        centre: `[P, H]`.
        basis: `[R, P, H]`.
    """

    centre: torch.Tensor
    basis: torch.Tensor

    def __init__(self, centre: torch.Tensor, basis: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("centre", centre.float().clone())
        self.register_buffer("basis", basis.float().clone())
        self.place = torch.nn.Parameter(torch.zeros(len(basis)))

    def forward(self) -> Injection:
        """Return the prompt at its place."""
        return Injection((self.centre + torch.einsum("r,rph->ph", self.place, self.basis)).unsqueeze(0))


@dataclass(frozen=True)
class Intrinsic:
    """Learn only the coordinates z in a subspace of the source prompts: `P = mean + sum_r z_r u_r`, from z = 0.

    u are the principal directions of the sources' prompts at all their looks at validation, each as long as the
    prompts' deviation along it. (The paper learns a nonlinear decoder from a hundred tasks' prompts; with few sources a
    linear one is what the data determine.)

    *Reference*: Qin, Wang, Su, Lin, Ding, Yi, Chen, Liu, Li, Hou, Li, Sun, Zhou. Exploring Universal Intrinsic Task
    Subspace via Prompt Tuning. 2021. arXiv 2110.07867.

    Arguments:
        dimensions: R at most, from 1.
    """

    dimensions: int = 5

    name: ClassVar[str] = "intrinsic"
    reference: ClassVar[str] = (
        "Qin, Wang, Su, Lin, Ding, Yi, Chen, Liu, Li, Hou, Li, Sun, Zhou. Exploring Universal Intrinsic Task Subspace "
        "via Prompt Tuning. 2021. arXiv 2110.07867."
    )
    bibtex: ClassVar[str] = """@misc{qin2021intrinsic,
  title = {Exploring Universal Intrinsic Task Subspace via Prompt Tuning},
  author = {Qin, Yujia and Wang, Xiaozhi and Su, Yusheng and Lin, Yankai and Ding, Ning and Yi, Jing and Chen, Weize and
    Liu, Zhiyuan and Li, Juanzi and Hou, Lei and Li, Peng and Sun, Maosong and Zhou, Jie},
  year = {2021},
  eprint = {2110.07867},
  archivePrefix = {arXiv}
}"""
    trains: ClassVar[bool] = True
    models: ClassVar[tuple[int, ...]] = (1,)
    reads_sources: ClassVar[bool] = True
    reads_rows: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.dimensions < 1:
            raise BridgeError(f"dimensions is {self.dimensions}", "a number from 1", "write dimensions: 5")

    def embeds_target(self, sources: int) -> bool:
        """Never."""
        return False

    def cross(self, shore: Shore) -> Crossing:
        """Return the module at the prompts' mean."""
        named = {f"{name} {i}": prompt for name in shore.sources for i, prompt in enumerate(shore.snapshots(name))}
        prompts = only_tokens(named)
        centre, basis = subspace(prompts, self.dimensions)
        note = f"{len(basis)} dimensions of {len(prompts)} prompts"
        return Crossing(SubspacePrompt(centre, basis), tuple(shore.sources), note)


def subspace(prompts: torch.Tensor, dimensions: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean of prompts and their principal directions, as long as the deviation along them.

    Arguments:
        prompts: `[N, P, H]`.
        dimensions: R at most; directions without deviation are left out.

    Returns:
        `[P, H]` and `[R', P, H]`, R' from 1.

    Example:
        >>> centre, basis = subspace(torch.tensor([[[0.0, 0.0]], [[2.0, 0.0]]]), 5)
        >>> centre.tolist(), basis.abs().tolist()
        ([[1.0, 0.0]], [[[1.0, 0.0]]])
    """
    centre = prompts.mean(0)
    left = (prompts - centre).flatten(1).double()
    _, sizes, directions = torch.linalg.svd(left, full_matrices=False)
    kept = max(1, min(dimensions, int((sizes > 1e-6 * sizes[0]).sum())))
    scaled = directions[:kept] * (sizes[:kept] / len(prompts) ** 0.5).unsqueeze(1)
    return centre, scaled.float().view(kept, *prompts.shape[1:])
