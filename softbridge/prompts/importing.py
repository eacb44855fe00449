"""Take prompts that others learned: PEFT adapters, bare tensors, and old pickles that hold nothing but tensors."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors.torch import load_file

from softbridge.errors import PromptError, nearest
from softbridge.injection import Injection, one_row

Tensors = Mapping[str, torch.Tensor]


def take(path: Path | str, task: int = 0, length: int | None = None) -> Injection:
    """Return the prompt that a PEFT adapter's folder, or a file with one tensor, holds.

    Arguments:
        path: a folder with `adapter_config.json` (prompt tuning, prefix tuning, P-tuning, multitask prompt tuning), or
            a file: `.safetensors`, or a pickle that `torch.load(weights_only=True)` reads. A file's tensor is `[P, H]`.
        task: which task's prompt to take from a multitask adapter, from 0.
        length: P, how many rows of a file's table to take; an encoder-decoder's `[2P, H]` holds the prompt in its
            first P. All by default; an adapter's folder says its own.

    Returns:
        The injection of one row, in float32, on the CPU.

    Raises:
        PromptError: when there is no prompt, or it is of a form that cannot be taken.

    Example:
        >>> import tempfile
        >>> from safetensors.torch import save_file
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_file({"soft": torch.ones(3, 8)}, Path(folder) / "a.safetensors")
        ...     take(Path(folder) / "a.safetensors").tokens.shape
        torch.Size([1, 3, 8])
    """
    path = Path(path)
    if not path.exists():
        raise PromptError(
            f"there is no file or folder {path}", "a PEFT adapter's folder, or a file of one tensor", "mend the path"
        )
    if path.is_dir():
        return adapter(path, task).each(lambda part: part.float())
    return one_row({"tokens": only_table(tensors(path), path)[:length]}).each(lambda part: part.float())


def adapter(folder: Path, task: int) -> Injection:
    """Return the prompt of a PEFT adapter's folder."""
    config = configuration(folder)
    files = [folder / name for name in ("adapter_model.safetensors", "adapter_model.bin")]
    there = [file for file in files if file.is_file()]
    if not there:
        raise PromptError(
            f"{folder} has no adapter_model.safetensors", "the adapter's weights", "save the adapter again"
        )
    return read(tensors(there[0]), config, task, str(folder))


def trained_on(path: Path | str) -> str:
    """Return the model that an adapter says it was trained on; nothing where it says none, as a file of one tensor."""
    return str(configuration(Path(path)).get("base_model_name_or_path") or "") if Path(path).is_dir() else ""


def configuration(folder: Path) -> dict[str, Any]:
    """Return what a PEFT adapter's folder says of itself."""
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("no JSON object")
    except (OSError, ValueError, RecursionError) as error:
        raise PromptError(
            f"{folder} has no adapter_config.json that can be read: {type(error).__name__}",
            "the folder that PEFT's save_pretrained wrote",
            "give that folder, or a file with one tensor",
        ) from None
    return config


def read(held: Tensors, config: Mapping[str, Any], task: int, what: str) -> Injection:
    """Return the prompt of a PEFT adapter's tensors and configuration.

    Arguments:
        held: the adapter's tensors by the names PEFT saves them under.
        config: the adapter's configuration as plain values.
        task: which task's prompt to take from a multitask adapter, from 0.
        what: what the adapter is called in a message.
    """
    kind = str(config.get("peft_type"))
    if kind not in READERS:
        raise PromptError(
            f"{what} is a PEFT adapter of the type {kind}{nearest(kind, READERS)}",
            f"one of: {', '.join(READERS)}",
            "only prompts can be taken; tuned weights are no prompt",
        )
    if "prompt_embeddings" not in held:
        raise PromptError(
            f"{what} holds the tensors {', '.join(held) or 'none'}",
            "a tensor named 'prompt_embeddings'",
            "save the adapter again with PEFT's save_pretrained",
        )
    try:
        return READERS[kind](held, config, task)
    except PromptError:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, IndexError, ZeroDivisionError, OverflowError) as error:
        raise PromptError(
            f"{what} has a configuration that does not fit its tensors: {type(error).__name__}",
            "adapter_config.json and weights of one adapter",
            "save the adapter again with PEFT's save_pretrained",
        ) from None


def tokens(held: Tensors, config: Mapping[str, Any], task: int) -> Injection:
    """Return virtual tokens `[:P]`: PEFT keeps 2 P rows for an encoder-decoder model, and reads the first P."""
    return one_row({"tokens": held["prompt_embeddings"][: int(config["num_virtual_tokens"])]})


def prefix(held: Tensors, config: Mapping[str, Any], task: int) -> Injection:
    """Return the keys and values of PEFT's table `[P, K * 2 * G * D]`."""
    table, heads = held["prompt_embeddings"][: int(config["num_virtual_tokens"])], int(config["num_attention_heads"])
    depth = int(config["token_dim"]) // heads
    both = table.view(table.shape[0], -1, 2, heads, depth).permute(1, 2, 3, 0, 4)  # [K, 2, G, P, D]
    return one_row({"keys": both[:, 0].contiguous(), "values": both[:, 1].contiguous()})


def multitask(held: Tensors, config: Mapping[str, Any], task: int) -> Injection:
    """Return one task's virtual tokens `P = P* o (u v^T)`, PEFT's `prefix_task_cols @ prefix_task_rows`."""
    columns, rows = held["prefix_task_cols"], held["prefix_task_rows"]
    if not 0 <= task < len(columns):
        raise PromptError(f"task {task} of an adapter of {len(columns)}", "a task from 0", "give another task")
    return one_row({"tokens": held["prompt_embeddings"] * (columns[task] @ rows[task])})


READERS: Mapping[str, Callable[[Tensors, Mapping[str, Any], int], Injection]] = MappingProxyType(
    {"PROMPT_TUNING": tokens, "P_TUNING": tokens, "PREFIX_TUNING": prefix, "MULTITASK_PROMPT_TUNING": multitask}
)


def tensors(path: Path) -> dict[str, torch.Tensor]:
    """Return a file's tensors by name; a pickle is read only as far as it holds tensors, and runs nothing."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise PromptError(
            f"{path} is a pickle of more than tensors",
            "tensors alone; a pickle can run any code when it is read, so softbridge reads no other",
            "load it where you trust it, and save its tensor as safetensors",
        ) from None
    except Exception as error:  # a reader of pickles that meets anything else ends in any error
        raise PromptError(
            f"{path} cannot be read: {type(error).__name__}", "a whole file of tensors", "copy it again"
        ) from None
    held = {"tensor": held} if isinstance(held, torch.Tensor) else held
    found = {str(k): v for k, v in held.items() if isinstance(v, torch.Tensor)} if isinstance(held, dict) else {}
    return {name: value.detach() for name, value in found.items()}


def only_table(held: Tensors, path: Path) -> torch.Tensor:
    """Return the one tensor `[P, H]` that a file holds; an axis of one row in front is taken off."""
    tables = [t[0] if t.ndim == 3 and len(t) == 1 else t for t in held.values()]
    tables = [table for table in tables if table.ndim == 2 and table.is_floating_point()]
    if len(tables) != 1:
        shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in held.items()) or "none"
        raise PromptError(
            f"{path} holds the tensors {shapes}",
            "one tensor of virtual tokens [P, H]",
            "save that tensor alone as safetensors, or give a PEFT adapter's folder",
        )
    return tables[0]
