"""A run that is stopped right after a checkpoint, inside this process."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def dying(training: type, after: int) -> Iterator[None]:
    """Interrupt what runs inside, after checkpoint number `after` of a kind of training, counted from 0."""
    keep, count = training.keep, iter(range(1000))

    def die(self):
        keep(self)
        if next(count) == after:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "keep", die)
        with pytest.raises(KeyboardInterrupt):
            yield
