"""softbridge: learn soft prompts on a source domain, carry them over a bridge, optimise them on the target."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from softbridge.backbones.base import BackboneSpec
    from softbridge.domains.domain import Domain
    from softbridge.engine.plan import Plan
    from softbridge.prompts.files import load
    from softbridge.prompts.soft import Soft
    from softbridge.prompts.table import PROMPTS
    from softbridge.study.alone import learn
    from softbridge.study.materials import load_backbone
    from softbridge.study.predicting import generate, predict

__version__ = "0.1.0"

# What Python users begin with. Each is imported when it is first asked for, so that `softbridge --help` stays quick.
_HOMES = {
    "BackboneSpec": "softbridge.backbones.base",
    "Domain": "softbridge.domains.domain",
    "PROMPTS": "softbridge.prompts.table",
    "Plan": "softbridge.engine.plan",
    "Soft": "softbridge.prompts.soft",
    "generate": "softbridge.study.predicting",
    "learn": "softbridge.study.alone",
    "load": "softbridge.prompts.files",
    "load_backbone": "softbridge.study.materials",
    "predict": "softbridge.study.predicting",
}

__all__ = [
    "PROMPTS",
    "BackboneSpec",
    "Domain",
    "Plan",
    "Soft",
    "generate",
    "learn",
    "load",
    "load_backbone",
    "predict",
]


def __getattr__(name: str) -> Any:
    """Return a name from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module 'softbridge' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
