"""Hand prompts to PEFT models that are alive in this process, and take them from there."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from softbridge.errors import PromptError
from softbridge.injection import Injection
from softbridge.prompts import adapters
from softbridge.prompts.card import Card
from softbridge.prompts.importing import read


def from_peft(model: Any, task: int = 0) -> Injection:
    """Return the prompt of a live PEFT model, to go on with it here.

    Arguments:
        model: a `peft.PeftModel` with one prompt as its active adapter.
        task: which task's prompt to take from a multitask adapter, from 0.

    Returns:
        The injection of one row, in float32, on the CPU.

    Raises:
        PromptError: when the adapter is no prompt.
    """
    from peft import get_peft_model_state_dict

    config = model.peft_config[model.active_adapter].to_dict()
    config["peft_type"] = getattr(config["peft_type"], "value", config["peft_type"])
    held = {name: part.detach().cpu() for name, part in get_peft_model_state_dict(model).items()}
    return read(held, config, task, "the model").each(lambda part: part.float())


def to_peft(model: Any, prompt: Injection, card: Card) -> Any:
    """Return a PEFT model around a transformers model, with a prompt that was trained here, to score and generate.

    PEFT loads a prompt for use alone: it refuses to train one that it loaded.

    Arguments:
        model: the transformers model that the prompt was trained on.
        prompt: the baked prompt of one row.
        card: its card.

    Raises:
        PromptError: when PEFT has no adapter of this prompt.
    """
    from peft import PeftModel

    reason = adapters.refusal(prompt, card)
    if reason is not None:
        raise PromptError(
            f"the prompt cannot be handed to PEFT: {reason}",
            "virtual tokens at the input, or a prefix of a causal model",
            "use it with softbridge",
        )
    with tempfile.TemporaryDirectory() as folder:
        adapters.write(Path(folder), prompt, card)
        return PeftModel.from_pretrained(model, folder).eval()
