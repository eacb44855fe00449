"""The kinds of backbone, one line each; which model is of which kind, and what none of them can be asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from softbridge.backbones.base import Backbone
from softbridge.backbones.causal import CausalBackbone
from softbridge.backbones.decoder_classifier import DecoderClassifierBackbone
from softbridge.backbones.encoder_classifier import EncoderClassifierBackbone
from softbridge.backbones.masked import MaskedBackbone
from softbridge.backbones.sentence import SentenceBackbone
from softbridge.backbones.seq2seq import Seq2SeqBackbone

BACKBONES: dict[str, type[Backbone]] = {
    "sentence": SentenceBackbone,
    "causal": CausalBackbone,
    "masked": MaskedBackbone,
    "seq2seq": Seq2SeqBackbone,
    "encoder_classifier": EncoderClassifierBackbone,
    "decoder_classifier": DecoderClassifierBackbone,
}

# What a model whose files speak for a kind can also be run as. A bare "…Model" may be an encoder or a decoder.
ALSO: Mapping[str, Collection[str]] = MappingProxyType(
    {
        "causal": ("decoder_classifier",),
        "masked": ("sentence", "encoder_classifier"),
        "seq2seq": (),
        "sentence": ("masked", "encoder_classifier", "causal", "decoder_classifier"),
    }
)

# The parts of an injection, and `block`, in words: what a prompt makes, and why a backbone cannot take it.
NO_KEYS = ("keys and values", "its attention layers are handed none from outside")
NO_OFFSET = ("an offset to the text's embeddings", "it does not add to the text's embeddings")
NO_NETWORK = ("a network over the text's embeddings", "it does not add to the text's embeddings")
NO_HEAD = ("a linear head", "it reads its classes from words")
REASONS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "tokens": ("virtual tokens", "its input has no place for them"),
        "block": ("virtual tokens that enter above the input", "its join is at the input only"),
        "keys": NO_KEYS,
        "values": NO_KEYS,
        "offset": NO_OFFSET,
        **dict.fromkeys(("down", "down_bias", "up", "up_bias"), NO_NETWORK),
        **dict.fromkeys(("head", "head_bias"), NO_HEAD),
    }
)


def kind_of(config: Mapping[str, Any]) -> str:
    """Return the kind that a model's own configuration speaks for; a classifier is never guessed.

    Arguments:
        config: what its `config.json` holds.

    Raises:
        ValueError: when it speaks for none.

    Example:
        >>> kind_of({"architectures": ["RobertaForMaskedLM"]}), kind_of({"architectures": ["BertModel"]})
        ('masked', 'sentence')
    """
    names = config.get("architectures") or [""]
    encoder = any(name.endswith("EncoderModel") for name in names)
    if config.get("is_encoder_decoder") and not encoder:
        return "seq2seq"
    if any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in names):
        return "causal"
    if any(name.endswith("ForMaskedLM") for name in names):
        return "masked"
    if names[0].endswith("Model") and not config.get("is_decoder"):
        return "sentence"
    raise ValueError(f"its architecture is {names}, which tells none of the kinds {', '.join(ALSO)}")


def unfit(kind: str, told: str) -> str | None:
    """Return why a model cannot be run as a kind, given the kind that its files speak for; None where it can.

    Example:
        >>> unfit("encoder_classifier", "masked"), unfit("masked", "seq2seq")
        (None, 'its files speak for seq2seq, which cannot be run as masked')
    """
    fits = kind == told or kind in ALSO[told]
    return None if fits else f"its files speak for {told}, which cannot be run as {kind}"


def refusal(kind: str, makes: Collection[str]) -> tuple[str, str] | None:
    """Return why a kind of backbone cannot take what a prompt makes, and what to do; None where it can.

    Arguments:
        kind: the kind of backbone.
        makes: parts of an injection, and `block` where tokens enter above the input.

    Example:
        >>> refusal("causal", {"tokens"})
        >>> refusal("causal", {"tokens", "head"})[0]
        'makes a linear head, which a causal backbone cannot take: it reads its classes from words'
    """
    lacking = sorted(set(makes) - BACKBONES[kind].takes)
    if not lacking:
        return None
    reasons = dict(REASONS[part] for part in lacking)
    article = "an" if kind[0] in "aeiou" else "a"
    seen = f"makes {' and '.join(reasons)}, which {article} {kind} backbone cannot take: " + "; ".join(
        dict.fromkeys(reasons.values())
    )
    able = [name for name, cls in BACKBONES.items() if set(makes) <= cls.takes]
    return seen, f"choose another prompt, or a backbone that can take it: {', '.join(able) or 'there is none'}"
