"""What runs inside a process that is to be killed or troubled: the command line, after something was prepared."""

from __future__ import annotations

import ctypes
import datetime
import os
import resource
import sys
import time
from types import SimpleNamespace

# Imported here so that the server that forks the processes has them: a run then begins in milliseconds.
import peft  # noqa: F401
import transformers.models.bert.modeling_bert
import transformers.models.bert.tokenization_bert  # noqa: F401

import softbridge.reports
import softbridge.reports.tables
import softbridge.study
import softbridge.study.testing
from softbridge.cli.main import main


def run(arguments: list[str], log: str, prepared: str | None = None, value: int = 0, report: bool = True) -> None:
    """Run the command line in this process, its output in a file; without a report, which takes most of the time."""
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    if prepared:
        PREPARE[prepared](value)
    if not report:
        softbridge.reports.tables.terminal = lambda *_: None
        softbridge.reports.write = lambda folders, out: SimpleNamespace(html=out / "index.html")
    main(arguments)


def small_files(most: int) -> None:
    """Let no file grow beyond so many bytes: the writing process sees a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def no_override(_: int) -> None:
    """Give up the right to read what permissions forbid, which root has in an ordinary process."""
    if os.geteuid() == 0:
        header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.capget(header, sets) == 0
        for i in range(3):
            sets[i] &= ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
        assert libc.capset(header, sets) == 0, os.strerror(ctypes.get_errno())


def clock_back(days: int) -> None:
    """Set the clock back."""
    now, real = time.time, datetime.datetime

    class Earlier(real):
        @classmethod
        def now(cls, tz=None):
            return real.now(tz) - datetime.timedelta(days=days)

    time.time = lambda: now() - 86400 * days
    softbridge.study.testing.datetime = Earlier


def poison(step: int) -> None:
    """Make the loss of one row of a training's n-th pass NaN, in every stage that trains."""
    import softbridge.engine.step as module

    count, plain = iter(range(1, 10**6)), module.cross_entropy

    def poisoned(scores, labels):
        losses = plain(scores, labels)
        if next(count) == step:
            losses = losses * losses.new_tensor([float("nan")] + [1.0] * (len(losses) - 1))
        return losses

    module.cross_entropy = poisoned


PREPARE = {"small_files": small_files, "no_override": no_override, "clock_back": clock_back, "poison": poison}
