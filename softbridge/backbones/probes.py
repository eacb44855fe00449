"""Choose precision and attention for a device by measuring once, and remember the choice.

The choice is kept in a file per device, thread count, library version and model shape, so that a study that is
resumed runs as it began. A candidate replaces the safe default only where it is clearly faster.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import transformers

from softbridge.backbones.attention import register
from softbridge.backbones.base import BackboneSpec

CLEARLY_FASTER = 0.97  # of the default's time
PROBE_SECONDS = 4.0  # of alternating measurements; the best of each counts, because other work only slows


@dataclass(frozen=True)
class Choice:
    """Say how a model runs on this device.

    Arguments:
        precision: `float32` or `bfloat16`.
        attention: the name transformers knows it by.
        reason: what was measured, for people.
        model: the shape of the model that was measured, for people.
        threads: how many threads measured it.
    """

    precision: str
    attention: str
    reason: str
    model: str = ""
    threads: int = 0


def choose(model: Any, spec: BackboneSpec, device: torch.device, cache: Path | None) -> Choice:
    """Return how to run the model: as the spec says, else as was measured before, else as measured now."""
    fixed = [c for c in candidates(device) if agrees(c, spec)]
    if len(fixed) == 1 or not fixed:
        wanted = fixed[0] if fixed else (spec.precision, attention(spec))
        return Choice(default(wanted[0], "float32"), default(wanted[1], "sdpa"), "the only one asked for")
    path = cache / f"{key(model, fixed, device)}.json" if cache else None
    if path and path.exists():
        return Choice(**json.loads(path.read_text()))
    choice = replace(measure(model, fixed, device), model=shape(model), threads=torch.get_num_threads())
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(vars(choice)))
        draft.replace(path)
    return choice


def default(value: str, fallback: str) -> str:
    """Return the value, or the fallback for `auto`."""
    return fallback if value == "auto" else value


def candidates(device: torch.device) -> list[tuple[str, str]]:
    """Return the pairs of precision and attention worth trying on a device, the safe default first."""
    matmul = register()
    if device.type == "cuda":
        return [("float32", "sdpa")] + [("bfloat16", "sdpa")] * fast_bfloat16(device)
    plain = [("float32", "sdpa"), ("float32", matmul)]
    return plain + [("bfloat16", matmul)] * fast_bfloat16(device)


def fast_bfloat16(device: torch.device) -> bool:
    """Say whether a device has matrix products in bfloat16."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return device.type == "cpu" and fast


def shape(model: Any) -> str:
    """Return what a model looks like, for people."""
    config = model.config.get_text_config()
    return f"{config.model_type}, {config.num_hidden_layers} blocks, {config.hidden_size} wide"


def attention(spec: BackboneSpec) -> str:
    """Return the attention that a spec asks for, as transformers knows it; or `auto`."""
    return register() if spec.attention == "matmul" else spec.attention


def agrees(candidate: tuple[str, str], spec: BackboneSpec) -> bool:
    """Say whether a candidate is what the spec asks for."""
    return spec.precision in ("auto", candidate[0]) and attention(spec) in ("auto", candidate[1])


def key(model: Any, pairs: list[tuple[str, str]], device: torch.device) -> str:
    """Return a name for what the measurement depends on."""
    chip = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    config = model.config.get_text_config()
    size = (config.model_type, config.hidden_size, config.num_hidden_layers)
    facts = (
        chip,
        platform.machine(),
        torch.get_num_threads(),
        torch.__version__,
        transformers.__version__,
        size,
        pairs,
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def measure(model: Any, pairs: list[tuple[str, str]], device: torch.device) -> Choice:
    """Time a small training step of each pair, alternating, and return the fastest.

    Each precision after the first is timed on a copy: weights that were rounded once would stay so.
    """
    times: dict[tuple[str, str], float] = {}
    timed: dict[str, Any] = {}
    for precision, _ in pairs:
        timed.setdefault(precision, deepcopy(model) if timed else model)
    started = time.perf_counter()
    while len(times) < len(pairs) or time.perf_counter() - started < PROBE_SECONDS:
        for pair in pairs:
            one = timed[pair[0]]
            prepare(one, Choice(*pair, ""))
            body = one.get_encoder() if one.config.is_encoder_decoder else one.base_model
            seconds = step_seconds(body, device)
            times[pair] = min(seconds, times.get(pair, seconds))
    fallback = pairs[0]
    best = min(times, key=lambda pair: times[pair])
    best = best if times[best] < CLEARLY_FASTER * times[fallback] else fallback
    shown = ", ".join(f"{p}+{a} {1000 * t:.0f} ms" for (p, a), t in times.items())
    return Choice(*best, f"measured on {device.type}: {shown}")


def prepare(model: Any, choice: Choice) -> None:
    """Put the model into a precision and an attention implementation; rotary frequencies stay exact."""
    exact = {name: buffer for name, buffer in model.named_buffers() if name.endswith("inv_freq")}
    model.to(getattr(torch, choice.precision))
    for name, buffer in exact.items():
        owner, _, own = name.rpartition(".")
        setattr(model.get_submodule(owner), own, buffer)
    model.set_attn_implementation(choice.attention)


def step_seconds(body: Any, device: torch.device) -> float:
    """Return the seconds of one forward and backward pass over 14 rows of 32 positions, some of them padding."""
    embeddings = body.get_input_embeddings().weight
    states = torch.zeros(14, 32, embeddings.shape[1], device=device, dtype=embeddings.dtype, requires_grad=True)
    mask = torch.ones(14, 32, dtype=torch.long, device=device)
    mask[:, :4] = 0
    started = time.perf_counter()
    body(inputs_embeds=states, attention_mask=mask).last_hidden_state.float().sum().backward()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started
