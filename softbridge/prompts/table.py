"""The kinds of prompt, one line each."""

from __future__ import annotations

from softbridge.prompts.adept import Adept
from softbridge.prompts.base import PromptKind
from softbridge.prompts.decomposed import Decomposed
from softbridge.prompts.dept import Dept
from softbridge.prompts.late import Late
from softbridge.prompts.low_rank import LowRank
from softbridge.prompts.p_tuning import PTuning
from softbridge.prompts.p_tuning_v2 import PTuningV2
from softbridge.prompts.prefix import Prefix
from softbridge.prompts.residual import Residual
from softbridge.prompts.soft import Soft
from softbridge.prompts.superposition import Superposition

PROMPTS: dict[str, type[PromptKind]] = {
    "soft": Soft,
    "prefix": Prefix,
    "p_tuning": PTuning,
    "p_tuning_v2": PTuningV2,
    "residual": Residual,
    "low_rank": LowRank,
    "decomposed": Decomposed,
    "superposition": Superposition,
    "dept": Dept,
    "adept": Adept,
    "late": Late,
}
