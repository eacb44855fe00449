"""Same recipe, same machine, same numbers: ask for it, and take note of every operation that cannot promise it."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

TELLS = re.compile(r"determinis")
NAMED = re.compile(r"^(\S+(?: \S+){0,5}?) (?:does not have|defaults to|is not) ")


@contextmanager
def deterministic() -> Iterator[set[str]]:
    """Let torch choose deterministic operations, and yield the set of those that had none.

    On a CPU there has been none so far; a GPU has a few, and runs them all the same. The set fills while the study
    runs; the number of threads, the device and the versions must be the same too, and stand in the record.
    """
    found: set[str] = set()
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS may choose anew each time
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.filterwarnings("always", message=".*determinis")
        show = warnings.showwarning

        def note(message: Warning | str, *where: object, **more: object) -> None:
            if TELLS.search(str(message)):
                found.add(operation(str(message)))
            else:
                show(message, *where, **more)  # type: ignore[arg-type]

        warnings.showwarning = note  # type: ignore[assignment]
        try:
            yield found
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            torch.utils.deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]


def operation(warning: str) -> str:
    """Return the operation that a warning of torch's names.

    Example:
        >>> operation("cumsum_cuda_kernel does not have a deterministic implementation, but you set ...")
        'cumsum_cuda_kernel'
    """
    named = NAMED.match(warning)
    return named[1] if named else warning.partition(". ")[0][:100]
