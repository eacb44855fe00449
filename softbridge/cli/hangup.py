"""A terminal that is lost while a run works: the run goes on, and what it says from then on goes to a file."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOG = "after-the-terminal.log"


@contextmanager
def outliving(folder: Path) -> Iterator[None]:
    """Go on when the terminal is closed or its connection breaks.

    A run whose SIGHUP another program takes care of (`nohup`, a launcher of several processes) is left as it is.

    Arguments:
        folder: the study's folder, where the file is written.
    """
    able = hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread()
    if not able or signal.getsignal(signal.SIGHUP) != signal.SIG_DFL:
        yield
        return
    terminals = [number for number in (0, 1, 2) if os.isatty(number)]  # once it is lost, it no longer says so

    def lost(*_: object) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        sink = os.open(folder / LOG, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        for number in terminals:
            os.dup2(sink, number)
        os.close(sink)

    signal.signal(signal.SIGHUP, lost)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
