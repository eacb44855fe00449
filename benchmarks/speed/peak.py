"""The matrix peak of the machine: the best rate of a few products of the shapes that these models have."""

from __future__ import annotations

import json
import time

import torch

SHAPES = ((1472, 384, 1536), (1472, 1536, 384), (1472, 576, 1536), (4096, 1024, 1024), (2048, 2048, 2048))
SECONDS = 0.5


def rate(dtype: torch.dtype) -> float:
    """Return the best GFLOP/s over the shapes."""
    best = 0.0
    for rows, inner, columns in SHAPES:
        a, b = torch.randn(rows, inner).to(dtype), torch.randn(inner, columns).to(dtype)
        started = time.perf_counter()
        while time.perf_counter() - started < SECONDS:
            before = time.perf_counter()
            a @ b
            best = max(best, 2e-9 * rows * inner * columns / (time.perf_counter() - before))
    return best


if __name__ == "__main__":
    print(json.dumps({"float32": rate(torch.float32), "bfloat16": rate(torch.bfloat16)}))
