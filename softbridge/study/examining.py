"""Look at the machine: what is chosen on it, and why, for people who wonder about their speed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import torch

from softbridge.assets.cache import home
from softbridge.backbones.base import BackboneSpec
from softbridge.backbones.loading import pick_device
from softbridge.backbones.probes import Choice, fast_bfloat16
from softbridge.evaluation.passes import pass_positions
from softbridge.study.provenance import PACKAGES, provenance

Line = tuple[str, str, str]


def machine() -> Iterator[Line]:
    """Yield what is chosen on this machine as (what, chosen, why)."""
    device = pick_device(BackboneSpec("none"))
    known = provenance(device, 1)
    yield "device", known["device"], "`backbone.device` chooses another" if device.type != "cpu" else no_gpu()
    yield threads(known["threads"])
    yield waiting()
    yield "bfloat16", *bfloat16(device)
    yield "positions of one pass", str(pass_positions(device)), "large passes need memory, small ones pad less"
    yield "cache", str(home()), "SOFTBRIDGE_HOME" if "SOFTBRIDGE_HOME" in os.environ else "the user's cache folder"
    yield "versions", ", ".join(f"{name} {known[name]}" for name in ("softbridge", *PACKAGES[:4])), "as installed"


def no_gpu() -> str:
    """Return why the CPU was taken."""
    built = torch.version.cuda or torch.version.hip
    return "torch sees no GPU" if built else "this torch was built without a GPU's libraries"


def threads(count: int) -> Line:
    """Return the threads and who set their number."""
    free = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    told = os.environ.get("OMP_NUM_THREADS")
    why = f"OMP_NUM_THREADS={told}" if told else "one for each core"
    return "threads", str(count), f"{why}; {free} cores are free to this process"


def waiting() -> Line:
    """Return how idle threads wait for each other."""
    policy, spin = os.environ.get("OMP_WAIT_POLICY"), os.environ.get("GOMP_SPINCOUNT")
    if spin:
        return "idle threads", f"spin {spin} turns, then sleep", "GOMP_SPINCOUNT"
    return "idle threads", (policy or "spin").lower(), "OMP_WAIT_POLICY" if policy else "OpenMP's own default"


def bfloat16(device: torch.device) -> tuple[str, str]:
    """Return whether bfloat16 is tried, and why."""
    if fast_bfloat16(device):
        return "tried", "this device multiplies matrices in it; a measurement decides"
    return "not tried", "this device has no matrix products in it; float32 is as fast and more exact"


def remembered() -> list[tuple[str, ...]]:
    """Return what was measured on this machine: shape, threads, precision, attention, the times."""
    files = sorted((home() / "probes").glob("*.json"))
    kept = [Choice(**json.loads(file.read_text())) for file in files]
    return [(c.model or "a model", str(c.threads or "?"), c.precision, c.attention, c.reason) for c in kept]
