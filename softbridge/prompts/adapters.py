"""Write a prompt as an ordinary PEFT adapter folder, which `PeftModel.from_pretrained` loads.

PEFT puts a prompt before everything else, an encoder's [CLS] included. Softbridge's join gives [CLS] position P and
the prompt 0..P-1, so that both compute the same hidden states: attention without a causal mask does not see the order
of the slots, only their positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors.torch import save

from softbridge.errors import PromptError, nearest
from softbridge.injection import Injection
from softbridge.prompts.card import Card

# PEFT knows no task of masked words. Its feature extraction hands the joined embeddings to whatever model it wraps, so
# around a model with a head for masked words it computes that head's scores; only `AutoPeftModel` would look for a
# model without the head.
TASKS: Mapping[str, str] = MappingProxyType(
    {
        "causal": "CAUSAL_LM",
        "sentence": "FEATURE_EXTRACTION",
        "masked": "FEATURE_EXTRACTION",
        "seq2seq": "SEQ_2_SEQ_LM",
    }
)


def refusal(prompt: Injection, card: Card) -> str | None:
    """Return why PEFT has no adapter for this prompt, or None where it has."""
    if prompt.head is not None or card.kind.endswith("_classifier"):
        return (
            "PEFT keeps a classifier's head inside a model of transformers' own class, which pools a virtual token "
            "(encoders) or cannot see where a text ends (decoders): it would be another classifier"
        )
    if set(prompt.parts) == {"keys", "values"}:
        causal = card.kind == "causal"
        return None if causal else "PEFT hands a prefix over as a cache, which only a causal model reads"
    if set(prompt.parts) != {"tokens"}:
        return f"PEFT has no adapter of {' and '.join(sorted(prompt.parts))}"
    if prompt.block:
        return f"PEFT's virtual tokens enter at the input, these before block {prompt.block}"
    return None


def write(folder: Path, prompt: Injection, card: Card) -> None:
    """Write `adapter_config.json` and `adapter_model.safetensors` into an existing folder.

    Arguments:
        folder: where the two files go.
        prompt: the baked prompt of one row, with tokens `[1, P, H]`, or with keys and values `[1, K, G, P, D]`.
        card: tells the backbone's name, kind, layers and heads.

    Raises:
        PromptError: when PEFT has no task type for the backbone's kind.

    Example:
        >>> import tempfile
        >>> card = Card("org/model", None, "causal", 2, 4, "ab12", 3, 8, "random", 0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write(Path(folder), Injection(torch.zeros(1, 3, 8)), card)
        ...     sorted(file.name for file in Path(folder).iterdir())
        ['adapter_config.json', 'adapter_model.safetensors']
    """
    from peft import PrefixTuningConfig, PromptTuningConfig  # takes seconds, and only saving needs it

    kind: type[PromptTuningConfig | PrefixTuningConfig] = PromptTuningConfig
    table, width, heads = prompt.tokens, card.width, card.heads
    if table is None:
        assert prompt.keys is not None
        kind, table, heads = PrefixTuningConfig, prefix_table(prompt), prompt.keys.shape[2]
        width = heads * prompt.keys.shape[4]
    config = kind(
        task_type=_task(card.kind),
        inference_mode=True,
        base_model_name_or_path=card.backbone,
        revision=card.revision,
        num_virtual_tokens=card.length,
        token_dim=width,
        num_layers=card.layers,
        num_attention_heads=heads,
        num_transformer_submodules=1,
    )
    config.save_pretrained(str(folder))
    table = table[0].detach().to("cpu", torch.float32).contiguous()
    (folder / "adapter_model.safetensors").write_bytes(save({"prompt_embeddings": table}, metadata={"format": "pt"}))


def prefix_table(prompt: Injection) -> torch.Tensor:
    """Return PEFT's table `[1, P, K * 2 * G * D]` of a prefix: keys and values of a layer side by side."""
    assert prompt.keys is not None
    assert prompt.values is not None
    both = torch.stack([prompt.keys, prompt.values], dim=2)  # [1, K, 2, G, P, D]
    return both.permute(0, 4, 1, 2, 3, 5).flatten(2)


def _task(kind: str) -> str:
    """Return PEFT's task type for a kind of backbone."""
    if kind not in TASKS:
        raise PromptError(
            f"the card's backbone is of the kind '{kind}'{nearest(kind, TASKS)}",
            f"one of: {', '.join(TASKS)}",
            "write the kind that the backbone was loaded as",
        )
    return TASKS[kind]
