"""What made a result: versions, commit, device."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

import softbridge

PACKAGES = ("torch", "transformers", "peft", "accelerate", "datasets", "evaluate", "tokenizers", "numpy")


def provenance(device: torch.device, processes: int) -> dict[str, Any]:
    """Return the versions, the commit and the device of this run."""
    cpu = f"{processor()}, {torch.backends.cpu.get_cpu_capability()}"
    chip = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu
    return {
        "softbridge": softbridge.__version__,
        **{package: metadata.version(package) for package in PACKAGES},
        "python": platform.python_version(),
        "commit": commit(),
        "platform": platform.platform(),
        "device": f"{device.type} ({chip})",
        "threads": torch.get_num_threads(),
        "processes": processes,
    }


@cache
def processor() -> str:
    """Return the processor's name, as the system tells it: processors of one instruction set round otherwise.

    Example:
        >>> processor() != ""
        True
    """
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


@cache
def commit() -> str | None:
    """Return the commit of softbridge's own checkout, with a + where it has changes; None for an installed wheel."""
    root = Path(softbridge.__file__).parents[1]
    if not (root / ".git").exists():
        return None
    try:
        run = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() or None


def peak_memory_mb() -> float:
    """Return the largest memory this process held, in MB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (1024 if sys.platform != "darwin" else 1024**2), 1)
