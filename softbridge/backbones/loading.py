"""Load a backbone from a folder or a hub, in the precision and attention that suit the device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from transformers import AutoConfig, AutoTokenizer
from transformers.utils import logging

from softbridge import hub
from softbridge.backbones import large
from softbridge.backbones.base import Backbone, BackboneSpec
from softbridge.backbones.probes import attention, choose, default, prepare
from softbridge.backbones.sharding import Shard
from softbridge.backbones.table import BACKBONES, kind_of, unfit
from softbridge.catalogue import look_up
from softbridge.errors import BackboneError, nearest


def load(
    spec: BackboneSpec,
    folder: Path | None = None,
    probes: Path | None = None,
    hub_id: str = "",
    revision: str = "",
    scratch: Mapping[str, Any] | None = None,
    shard: Shard | None = None,
) -> Backbone:
    """Load the backbone that a spec names.

    Arguments:
        spec: what to load and how to run it.
        folder: where its files are; without one, the spec's name is a folder or a hub id.
        probes: the folder that remembers what was measured on this device.
        hub_id: the hub id that the files stand for, for records and cards.
        revision: their hub revision.
        scratch: what the configuration is to have otherwise, with weights that are drawn; None loads the files' own.
        shard: how the processes of a launch come to each keep a part; they then call `sharding.begin` together.

    Returns:
        A frozen backbone on its device.

    Raises:
        BackboneError: when the files cannot be read, or are of no kind that softbridge joins prompts to.
    """
    source = str(folder or spec.name)
    try:
        with hub.asking(source), quiet(), torch.random.fork_rng():
            config = AutoConfig.from_pretrained(source, revision=spec.revision)
            kind = spec.kind or kind_of(config.to_dict())
            refuse_unfit(kind, config.to_dict())
            tokenizer = AutoTokenizer.from_pretrained(source, revision=spec.revision)
            joined = look_up(BACKBONES, kind, "backbone")
            torch.manual_seed(0)  # parts that the files lack (an encoder's pooler) are drawn: always alike
            model = own(joined, source, spec, shard is not None) if scratch is None else drawn(joined, config, scratch)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise missing(spec.name, source, error) from error
    reason = arrange(model.requires_grad_(False).eval(), spec, probes, shard)
    backbone = joined(model, tokenizer, spec)
    backbone.chosen, backbone.sharded = reason, shard is not None
    if spec.checkpointing:
        large.checkpointed(model)
    backbone.hub_id = hub_id or ("" if Path(source).exists() else source)
    backbone.revision = revision or spec.revision or getattr(config, "_commit_hash", None) or ""
    return backbone


def arrange(model: Any, spec: BackboneSpec, probes: Path | None, shard: Shard | None = None) -> str:
    """Bring a model to its device, precision and attention, and return why these."""
    if shard:
        shard(model)
    if shard or large.placed(spec):
        model.set_attn_implementation(default(attention(spec), "sdpa"))
        reason = "as loaded: a model of few bits, on several devices or in parts is not measured"
    else:
        device = pick_device(spec)
        choice = choose(model.to(device), spec, device, probes)
        prepare(model, choice)
        reason = choice.reason
    return reason


def own(joined: type[Backbone], source: str, spec: BackboneSpec, sharded: bool) -> Any:
    """Return a model with the weights of its files, all of which are there."""
    model, found = getattr(transformers, joined.loader).from_pretrained(
        source, revision=spec.revision, output_loading_info=True, **large.loading(spec, sharded)
    )
    refuse_drawn(found["missing_keys"], joined.kind)
    return model


def drawn(joined: type[Backbone], config: Any, values: Mapping[str, Any]) -> Any:
    """Return a new model, whose configuration has other values.

    Raises:
        ValueError: when it knows one of them not.
    """
    for name, value in values.items():
        if not hasattr(config, name):
            raise ValueError(f"its configuration has no {name}{nearest(name, config.to_dict())}")
        setattr(config, name, value)
    return getattr(transformers, joined.loader).from_config(config, dtype=torch.float32)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from printing bars and reports while a model loads."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def refuse_unfit(kind: str, config: Mapping[str, Any]) -> None:
    """Raise ValueError where a model's files speak against a kind; files that speak for none are believed."""
    try:
        told = kind_of(config)
    except ValueError:
        return
    reason = unfit(kind, told)
    if reason:
        raise ValueError(reason)


def refuse_drawn(missing: Iterable[str], kind: str) -> None:
    """Raise ValueError where weights that are read were drawn by chance; a pooler is never read."""
    drawn = sorted(name for name in missing if "pooler" not in name)
    if drawn:
        shown = ", ".join(drawn[:3]) + (", ..." if len(drawn) > 3 else "")
        raise ValueError(f"run as {kind}, it has {len(drawn)} weights that its files lack: {shown}")


def missing(name: str, source: str, error: Exception) -> BackboneError:
    """Return the error for a backbone that could not be loaded."""
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return BackboneError(
        f"the backbone '{name}' could not be loaded from '{source}': {first}",
        "a catalogue name (`softbridge assets ls`), a folder with config.json, weights and tokenizer, or a hub id",
        "check the name; without a hub give a folder with its files; set backbone.kind where the kind is unclear",
    )


def pick_device(spec: BackboneSpec) -> torch.device:
    """Return the device of this process."""
    if spec.device != "auto":
        return torch.device(spec.device)
    from accelerate import PartialState

    return PartialState().device
