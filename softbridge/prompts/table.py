"""The kinds of prompt, one line each."""

from __future__ import annotations

from softbridge.prompts.base import PromptKind
from softbridge.prompts.soft import Soft

PROMPTS: dict[str, type[PromptKind]] = {
    "soft": Soft,
}
