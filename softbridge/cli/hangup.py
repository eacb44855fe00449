"""A terminal that is lost while a run works: the run goes on, and what it says from then on goes to a file."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

LOG = "after-the-terminal.log"


class Outliving:
    """Write to a stream whose terminal may be lost: a write can fail before the signal that says so is heard.

    Arguments:
        stream: standard output or error.
        lost: leads what the terminal had somewhere else; what was not written yet goes there too.
    """

    def __init__(self, stream: TextIO, lost: Callable[[], None]) -> None:
        self.stream, self.lost = stream, lost

    def __getattr__(self, name: str) -> Any:
        if name == "stream":  # a copy is asked for its methods before it has one
            raise AttributeError(name)
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write, wherever it goes now."""
        unbuffered = getattr(self.stream, "write_through", False)  # then nothing holds what could not be written
        self.kept(lambda: self.stream.write(text), text if unbuffered else "")
        return len(text)

    def flush(self) -> None:
        """Write what the stream still holds, wherever it goes now."""
        self.kept(self.stream.flush)

    def kept(self, act: Callable[[], object], again: str = "") -> None:
        """Act; where the terminal turns out to be lost, write again what the stream does not still hold."""
        try:
            act()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self.lost()
            self.stream.write(again)
            self.stream.flush()


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
    told = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (  # type: ignore[assignment]
        Outliving(stream, lost) if stream is not None and stream.isatty() else stream for stream in told
    )
    try:
        yield
    finally:
        sys.stdout, sys.stderr = told
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
