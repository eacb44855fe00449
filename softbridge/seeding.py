"""Seeds by name: every random choice has its own generator, derived from the run's seed and the choice's name.

Two choices never share a stream, so adding one does not move the others, and a bank's member draws what it
would have drawn alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive(seed: int, *names: str | int) -> int:
    """Return a 63-bit seed for the named choice: the first 8 bytes of `sha256(seed / names)`.

    Example:
        >>> derive(0, "init") == derive(0, "init"), derive(0, "init") == derive(0, "order")
        (True, False)
    """
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *names: str | int) -> torch.Generator:
    """Return a CPU generator for the named choice.

    Example:
        >>> a, b = generator(0, "init"), generator(0, "init")
        >>> bool((torch.rand(3, generator=a) == torch.rand(3, generator=b)).all())
        True
    """
    return torch.Generator().manual_seed(derive(seed, *names))


@contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Let what draws from torch's global generator (a new layer's weights) draw from this one instead.

    Example:
        >>> with drawing_from(torch.Generator().manual_seed(0)):
        ...     first = torch.nn.Linear(2, 2).weight
        >>> with drawing_from(torch.Generator().manual_seed(0)):
        ...     torch.equal(torch.nn.Linear(2, 2).weight, first)
        True
    """
    with torch.random.fork_rng(devices=[]):
        # torch.manual_seed would also reseed every accelerator, which nobody puts back
        torch.default_generator.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        yield
