"""What a text without labels can be asked for: the self-supervised objectives, one line each in the table at the end.

An objective turns a row into what the model reads and what it is asked for, and says what the answer costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch

from softbridge.backbones.base import Backbone
from softbridge.backbones.seq2seq import Seq2SeqBackbone
from softbridge.batch import Rows
from softbridge.domains.corruption import drop_tokens, mask_tokens, take_spans
from softbridge.errors import SoftbridgeError
from softbridge.injection import Injection
from softbridge.losses.selfsupervised import contrast, surprise

Asked = tuple[list[int], list[int]]  # what the model reads, and what it is asked for


class Objective(Protocol):
    """Describe a self-supervised objective: a frozen dataclass whose fields are the recipe's keys.

    `kinds` are the kinds of backbone that can be asked so. `counts` says whether its loss is of tokens, so that a
    perplexity can be told; where it is not, the rows of one member are each other's wrong answers, and go through the
    model in one pass.
    """

    name: ClassVar[str]
    reference: ClassVar[str]
    bibtex: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    counts: ClassVar[bool]

    def ask(self, backbone: Backbone, ids: Sequence[int], draw: torch.Generator) -> Asked:
        """Return what the model reads of a row, and what it is asked for, drawn by the generator."""
        ...

    def losses(self, backbone: Backbone, rows: Rows, prompt: Injection | None) -> torch.Tensor:
        """Return `[B]` the rows' losses L_n."""
        ...


def require_share(name: str, value: float) -> None:
    """Raise where a share is none."""
    if not 0 < value < 1:
        raise SoftbridgeError(f"{name} is {value}", "a share above 0 and below 1", f"write {name}: 0.15")


def of_tokens(backbone: Backbone, rows: Rows, prompt: Injection | None) -> torch.Tensor:
    """Return each row's mean `-log p` over the tokens that it is asked for, `[B]`."""
    return surprise(*backbone.asked(rows, prompt), len(rows))


@dataclass(frozen=True)
class NextToken:
    """Ask for each token after those before it: `L_n = -1/T sum_t log p(x_t | P, x_<t)`.

    *Reference*: Gu, Han, Liu, Huang. PPT: Pre-trained Prompt Tuning for Few-shot Learning. ACL 2022, whose prompts are
    pretrained as here; next tokens are the objective of causal models themselves.
    """

    name: ClassVar[str] = "next_token"
    kinds: ClassVar[tuple[str, ...]] = ("causal",)
    counts: ClassVar[bool] = True
    reference: ClassVar[str] = "Gu, Han, Liu, Huang. PPT: Pre-trained Prompt Tuning for Few-shot Learning. ACL 2022."
    bibtex: ClassVar[str] = """@inproceedings{gu2022ppt,
  title = {{PPT}: Pre-trained Prompt Tuning for Few-shot Learning},
  author = {Gu, Yuxian and Han, Xu and Liu, Zhiyuan and Huang, Minlie},
  booktitle = {Proceedings of ACL},
  year = {2022}
}"""

    def ask(self, backbone: Backbone, ids: Sequence[int], draw: torch.Generator) -> Asked:
        """Return the first token, and all that follow it."""
        return list(ids[:1]), list(ids[1:])

    def losses(self, backbone: Backbone, rows: Rows, prompt: Injection | None) -> torch.Tensor:
        """Return the mean over the text's tokens but the first, which nothing stands before."""
        return of_tokens(backbone, rows, prompt)


@dataclass(frozen=True)
class MaskedTokens:
    """Ask for a share of the tokens, most of them masked: `L_n = -1/|M| sum_{t in M} log p(x_t | P, x without M)`.

    *Reference*: Devlin, Chang, Lee, Toutanova. BERT. NAACL 2019.

    Arguments:
        rate: the share of a text's tokens that is asked for, above 0 and below 1.
    """

    rate: float = 0.15

    name: ClassVar[str] = "masked_tokens"
    kinds: ClassVar[tuple[str, ...]] = ("masked",)
    counts: ClassVar[bool] = True
    reference: ClassVar[str] = (
        "Devlin, Chang, Lee, Toutanova. BERT: Pre-training of Deep Bidirectional Transformers. NAACL 2019."
    )
    bibtex: ClassVar[str] = """@inproceedings{devlin2019bert,
  title = {{BERT}: Pre-training of Deep Bidirectional Transformers for Language Understanding},
  author = {Devlin, Jacob and Chang, Ming-Wei and Lee, Kenton and Toutanova, Kristina},
  booktitle = {Proceedings of NAACL},
  year = {2019}
}"""

    def __post_init__(self) -> None:
        require_share("rate", self.rate)

    def ask(self, backbone: Backbone, ids: Sequence[int], draw: torch.Generator) -> Asked:
        """Return the text with masks, and what stood there."""
        mask, vocabulary = backbone.tokenizer.mask_token_id, len(backbone.table)
        return mask_tokens(ids, draw, mask, vocabulary, backbone.special, self.rate)

    def losses(self, backbone: Backbone, rows: Rows, prompt: Injection | None) -> torch.Tensor:
        """Return the mean over the tokens that were asked for."""
        return of_tokens(backbone, rows, prompt)


@dataclass(frozen=True)
class Spans:
    """Ask a decoder for spans that were taken out of a text: `L_n = -1/|S| sum_t log p(s_t | P, x without S, s_<t)`.

    A tokenizer without T5's sentinels has its mask stand for each span, and the answer is the whole text, as for BART.

    *Reference*: Raffel et al. Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer.
    JMLR 2020. Lewis et al. BART. ACL 2020.

    Arguments:
        rate: the share of a text's tokens that is taken, above 0 and below 1.
        span: the mean tokens of a span, from 1.
    """

    rate: float = 0.15
    span: int = 3

    name: ClassVar[str] = "spans"
    kinds: ClassVar[tuple[str, ...]] = ("seq2seq",)
    counts: ClassVar[bool] = True
    reference: ClassVar[str] = (
        "Raffel et al. Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer. JMLR 2020."
    )
    bibtex: ClassVar[str] = """@article{raffel2020exploring,
  title = {Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer},
  author = {Raffel, Colin and Shazeer, Noam and Roberts, Adam and Lee, Katherine and Narang, Sharan and Matena, Michael
    and Zhou, Yanqi and Li, Wei and Liu, Peter J.},
  journal = {Journal of Machine Learning Research},
  year = {2020}
}"""

    def __post_init__(self) -> None:
        require_share("rate", self.rate)
        if self.span < 1:
            raise SoftbridgeError(f"span is {self.span}", "a whole number from 1", "write span: 3")

    def ask(self, backbone: Backbone, ids: Sequence[int], draw: torch.Generator) -> Asked:
        """Return the text with holes, and what the decoder is to say."""
        assert isinstance(backbone, Seq2SeqBackbone)
        return take_spans(ids, draw, backbone.sentinels, backbone.special, self.rate, self.span)

    def losses(self, backbone: Backbone, rows: Rows, prompt: Injection | None) -> torch.Tensor:
        """Return the mean over the answer's tokens."""
        return of_tokens(backbone, rows, prompt)


@dataclass(frozen=True)
class Contrastive:
    """Ask which of a member's rows a text with words left out is: `L_n = -log exp(c_nn/t) / sum_m exp(c_nm/t)`.

    c_nm is the cosine of what classes are read from in one view of row n and another of row m. SimCSE's two views
    differ by dropout, which a frozen model runs without; here each leaves out words of its own. A step's rows go
    through in one pass, whatever `accumulation` says.

    *Reference*: Gao, Yao, Chen. SimCSE: Simple Contrastive Learning of Sentence Embeddings. EMNLP 2021. Wu, Wang, Gu,
    Khabsa, Sun, Ma. CLEAR. arXiv 2012.15466, 2020 (the views).

    Arguments:
        rate: the chance of a word to be left out, above 0 and below 1.
        temperature: t, above 0.
    """

    rate: float = 0.15
    temperature: float = 0.05

    name: ClassVar[str] = "contrastive"
    kinds: ClassVar[tuple[str, ...]] = ("sentence", "encoder_classifier", "decoder_classifier")
    counts: ClassVar[bool] = False
    reference: ClassVar[str] = "Gao, Yao, Chen. SimCSE: Simple Contrastive Learning of Sentence Embeddings. EMNLP 2021."
    bibtex: ClassVar[str] = """@inproceedings{gao2021simcse,
  title = {{SimCSE}: Simple Contrastive Learning of Sentence Embeddings},
  author = {Gao, Tianyu and Yao, Xingcheng and Chen, Danqi},
  booktitle = {Proceedings of EMNLP},
  year = {2021}
}"""

    def __post_init__(self) -> None:
        require_share("rate", self.rate)
        if self.temperature <= 0:
            raise SoftbridgeError(f"temperature is {self.temperature}", "a number above 0", "write temperature: 0.05")

    def ask(self, backbone: Backbone, ids: Sequence[int], draw: torch.Generator) -> Asked:
        """Return two views of the text."""
        first, second = (drop_tokens(ids, draw, backbone.special, self.rate) for _ in range(2))
        return first, second

    def losses(self, backbone: Backbone, rows: Rows, prompt: Injection | None) -> torch.Tensor:
        """Return the losses of rows that are each other's wrong answers."""
        others = backbone.vectors(backbone.batch(Rows(rows.told, rows.labels)), prompt)
        return contrast(backbone.vectors(backbone.batch(rows), prompt), others, self.temperature)


OBJECTIVES: dict[str, type[Objective]] = {
    "next_token": NextToken,
    "masked_tokens": MaskedTokens,
    "spans": Spans,
    "contrastive": Contrastive,
}


def usual(kind: str) -> Objective:
    """Return the objective that a kind of backbone is asked with where a recipe names none.

    Example:
        >>> usual("causal").name, usual("sentence").name
        ('next_token', 'contrastive')
    """
    return next(cls() for cls in OBJECTIVES.values() if kind in cls.kinds)
