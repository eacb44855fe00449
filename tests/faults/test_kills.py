"""Runs that are killed at random moments end with the records and prompts of an uninterrupted one, bit for bit."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.faults import harness

KILLS = int(os.environ.get("SOFTBRIDGE_KILLS", "100"))


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Return a recipe, the outcome of an uninterrupted run, and how long that took."""
    folder = tmp_path_factory.mktemp("toy")
    recipe = harness.make(folder)
    assert harness.carry(recipe, folder / "warm")[0] == 0
    started = time.monotonic()
    status, said = harness.carry(recipe, folder / "whole")
    assert status == 0, said
    return recipe, harness.outcome(folder / "whole"), time.monotonic() - started


def survive(toy, out: Path, seed: int, kills: int) -> int:
    """Kill until there were so many kills, over as many studies as it takes; return the kills."""
    recipe, whole, seconds = toy
    draw, count, study = random.Random(seed), 0, 0
    while count < kills:
        study += 1
        killed, records = harness.kill_until_finished(recipe, out / str(study), draw, 0.6 * seconds)
        assert harness.outcome(out / str(study)) == whole
        assert records == 4
        count += killed
    return count


def test_a_few_kills_change_nothing(toy, tmp_path, record_property):
    kills = survive(toy, tmp_path, 0, 3)
    assert kills >= 3
    record_property("kills", kills)


@pytest.mark.slow
def test_many_kills_change_nothing(toy, tmp_path, record_property):
    record_property("kills", survive(toy, tmp_path, 1, KILLS))
    record_property("lost", 0)  # asserted after each of them


@pytest.mark.slow
def test_the_command_itself_survives_kills(toy, tmp_path, record_property):
    """The same with `python -m softbridge run` from its very start, imports included."""
    recipe, whole, _ = toy
    command = [sys.executable, "-m", "softbridge", "run", str(recipe), "--out", str(tmp_path / "out")]
    draw, known = random.Random(2), {}
    for kills in range(100):  # noqa: B007
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not (tmp_path / "out" / "recipe.yaml").exists() and process.poll() is None:
            time.sleep(0.01)
        try:
            # From 0 on: into the imports of a run that goes on, too.
            process.wait(draw.uniform(0, 10))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        harness.check_nothing_lost(tmp_path / "out", known)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
    assert harness.outcome(tmp_path / "out") == whole
    record_property("kills", kills)


def test_the_comparison_can_fail(toy, tmp_path):
    recipe, whole, _ = toy
    assert harness.carry(recipe, tmp_path / "other", "poison", 3)[0] == 0
    assert harness.outcome(tmp_path / "other") != whole
