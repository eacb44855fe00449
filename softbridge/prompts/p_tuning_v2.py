"""P-tuning v2: prompts in every layer, and a linear head instead of label words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Literal

import torch

from softbridge.injection import Injection, Space
from softbridge.prompts.prefix import Prefix, PrefixPrompt


@dataclass(frozen=True)
class PTuningV2:
    """Learn keys and values in every layer and a linear head: `p(y | x) = softmax(W h + b)`, h the pooled text.

    The prompt is a prefix without an MLP; the head is trained beside it, on backbones that read one
    (`encoder_classifier`, `decoder_classifier`).

    *Reference*: Liu, Ji, Fu, Tam, Du, Yang, Tang. P-Tuning v2: Prompt Tuning Can Be Comparable to Fine-tuning
    Universally Across Scales and Tasks. ACL 2022.

    Arguments:
        length: P, the number of virtual tokens, from 1.
        init: as for `prefix`.
        text: the text for `init: text`.

    Example:
        >>> words = lambda ids: (torch.randn(2, 1, len(ids), 4), torch.randn(2, 1, len(ids), 4))
        >>> space = Space(torch.randn(50, 8), lambda text: [1, 2], range(50), layers=2, groups=1, depth=4, cache=words)
        >>> PTuningV2(length=3).build(space, torch.Generator().manual_seed(0)).bake().values.shape
        torch.Size([1, 2, 1, 3, 4])
    """

    length: int = 10
    init: Literal["text", "random", "zero"] = "random"
    text: str | None = None

    name: ClassVar[str] = "p_tuning_v2"
    makes: ClassVar[frozenset[str]] = frozenset({"keys", "values", "head", "head_bias"})
    plan: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    reference: ClassVar[str] = (
        "Liu, Ji, Fu, Tam, Du, Yang, Tang. P-Tuning v2: Prompt Tuning Can Be Comparable to Fine-tuning Universally "
        "Across Scales and Tasks. ACL 2022."
    )
    bibtex: ClassVar[str] = """@inproceedings{liu2022ptuning,
  title = {{P-Tuning} v2: Prompt Tuning Can Be Comparable to Fine-tuning Universally Across Scales and Tasks},
  author = {Liu, Xiao and Ji, Kaixuan and Fu, Yicheng and Tam, Weng Lam and Du, Zhengxiao and Yang, Zhilin and
    Tang, Jie},
  booktitle = {Proceedings of ACL},
  year = {2022}
}"""

    def __post_init__(self) -> None:
        self.prefix()

    def prefix(self) -> Prefix:
        """Return the prefix that this is."""
        return Prefix(self.length, init=self.init, text=self.text)

    def build(self, space: Space, generator: torch.Generator, start: Injection | None = None) -> PrefixPrompt:
        """Return a new prompt, or one that goes on from `start`; the head stands beside it."""
        return self.prefix().build(space, generator, start)
