"""The kinds of backbone, one line each."""

from __future__ import annotations

from softbridge.backbones.base import Backbone
from softbridge.backbones.causal import CausalBackbone
from softbridge.backbones.sentence import SentenceBackbone

BACKBONES: dict[str, type[Backbone]] = {
    "sentence": SentenceBackbone,
    "causal": CausalBackbone,
}
