"""A run whose terminal is closed goes on, and ends as if nobody had looked."""

from __future__ import annotations

import copy
import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

import softbridge
from softbridge import recipe as recipes
from softbridge import study
from softbridge.cli.hangup import LOG, Outliving
from tests.faults import harness

LONGER = ["training.target.steps=60", "training.target.evaluate_every=2"]


def on_a_terminal(command: list[str]) -> tuple[subprocess.Popen, int]:
    """Start a command that leads a session on a terminal of its own; return the terminal's other end too."""
    other_end, terminal = pty.openpty()
    process = subprocess.Popen(
        command,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        env=os.environ | {"PYTHONPATH": str(Path(softbridge.__file__).parents[1])},
    )
    os.close(terminal)
    return process, other_end


@pytest.mark.slow
def test_a_run_outlives_its_terminal(tmp_path):
    recipe, out = harness.make(tmp_path), tmp_path / "out"
    study.run(recipes.read(recipe, LONGER), tmp_path / "whole")
    settings = [word for setting in LONGER for word in ("--set", setting)]
    process, other_end = on_a_terminal(
        [sys.executable, "-m", "softbridge", "run", str(recipe), "--out", str(out), *settings]
    )
    deadline = time.monotonic() + 200
    while not list(out.glob("stages/adapt-*/checkpoint.pt")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        if select.select([other_end], [], [], 0.01)[0]:
            os.read(other_end, 65536)
    assert not list(out.glob("records/*spot*")), "nothing is left to do"
    os.close(other_end)
    assert process.wait(200) == 0
    assert harness.outcome(out) == harness.outcome(tmp_path / "whole")
    said = (out / LOG).read_text()
    assert "adapt-toys-spot: " in said
    assert "report: " in said


SPEAKS = """
import os, signal, sys
from pathlib import Path
from softbridge.cli.hangup import outliving
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])  # the signal is not heard before the next word
with outliving(Path(sys.argv[1])):
    print("seen", flush=True)
    os.read(3, 1)
    print("unseen", flush=True)
    print("and the rest", file=sys.stderr)
"""


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_word_that_a_lost_terminal_refuses_is_not_lost(tmp_path, unbuffered):
    other_end, terminal = pty.openpty()
    waits, goes_on = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", f"import os; os.dup2({waits}, 3)\n{SPEAKS}", str(tmp_path)],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        pass_fds=(waits,),
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(Path(softbridge.__file__).parents[1]), "PYTHONUNBUFFERED": unbuffered},
    )
    os.close(terminal)
    seen = b""
    while not seen.endswith(b"\n"):
        seen += os.read(other_end, 6)
    assert seen == b"seen\r\n"
    os.close(other_end)
    os.write(goes_on, b".")
    assert process.wait(60) == 0
    assert (tmp_path / LOG).read_text() == "unseen\nand the rest\n"


def test_a_closed_standard_output_is_no_terminal(tmp_path):
    program = (
        "from pathlib import Path; from softbridge.cli.hangup import outliving\nwith outliving(Path()): print('?')"
    )
    closed = ["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, program]
    env = os.environ | {"PYTHONPATH": str(Path(softbridge.__file__).parents[1])}
    assert subprocess.run(closed, cwd=tmp_path, env=env, check=False).returncode == 0
    assert not (tmp_path / LOG).exists()


def test_a_stream_that_outlives_its_terminal_can_be_copied():
    stream = Outliving(sys.stdout, lambda: None)
    assert copy.copy(stream).encoding == sys.stdout.encoding
