"""The source prompt on the target, unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from softbridge.bridges.base import Crossing, Shore
from softbridge.bridges.choosing import only_source


@dataclass(frozen=True)
class Reuse:
    """Drop the source prompt into the target unchanged: zero-shot transfer across tasks.

    *Reference*: Su et al. On Transferability of Prompt Tuning for Natural Language Processing. NAACL 2022.

    Arguments:
        source: the source domain; may be left out where there is only one.
    """

    source: str | None = None

    name: ClassVar[str] = "reuse"
    reference: ClassVar[str] = (
        "Su et al. On Transferability of Prompt Tuning for Natural Language Processing. NAACL 2022."
    )
    bibtex: ClassVar[str] = """@inproceedings{su2022transferability,
  title = {On Transferability of Prompt Tuning for Natural Language Processing},
  author = {Su, Yusheng and Wang, Xiaozhi and Qin, Yujia and Chan, Chi-Min and Lin, Yankai and Wang, Huadong and
    Wen, Kaiyue and Liu, Zhiyuan and Li, Peng and Li, Juanzi and Hou, Lei and Sun, Maosong and Zhou, Jie},
  booktitle = {Proceedings of NAACL},
  year = {2022}
}"""
    trains: ClassVar[bool] = False
    models: ClassVar[tuple[int, ...]] = (1,)
    reads_sources: ClassVar[bool] = True
    tokens_only: ClassVar[bool] = False

    def embeds_target(self, sources: int) -> bool:
        """Never."""
        return False

    def cross(self, shore: Shore) -> Crossing:
        """Return the source prompt."""
        source = only_source(self.source, shore.sources)
        return Crossing(shore.sources[source].each(torch.clone), (source,), f"the prompt of {source}, unchanged")
