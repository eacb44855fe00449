"""Start real processes, kill them, and compare what they leave with what an uninterrupted run left."""

from __future__ import annotations

import json
import multiprocessing
import random
import time
from pathlib import Path

from softbridge.records.record import Record
from tests import toy

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.faults.inside"])

ARMS = """\
  no prompt: {bridge: none}
  reuse: {bridge: reuse, source: films}
  scratch: {bridge: scratch}
  spot: {bridge: spot}
"""

# What differs between two runs of one recipe on one machine: when, how long, how much memory, which commit.
PASSING = {"created", "cost", "provenance"}


def make(folder: Path) -> Path:
    """Make the toy study with checkpoints close together, and return the recipe's file."""
    return toy.make(folder, ARMS, every=(2, 1))


def start(recipe: Path, out: Path, prepared: str | None = None, value: int = 0, report: bool = False):
    """Start `softbridge run` in a process of its own; what it prints goes beside its folder."""
    from tests.faults.inside import run

    arguments = ["run", str(recipe), "--out", str(out)]
    process = FORKS.Process(target=run, args=(arguments, str(out.with_suffix(".log")), prepared, value, report))
    process.start()
    return process


def carry(recipe: Path, out: Path, prepared: str | None = None, value: int = 0) -> tuple[int, str]:
    """Run to the end; return the exit status and what this run printed."""
    log = out.with_suffix(".log")
    before = log.stat().st_size if log.exists() else 0
    process = start(recipe, out, prepared, value)
    process.join(120)
    assert process.exitcode is not None, "it hangs"
    return process.exitcode, log.read_bytes()[before:].decode()


def outcome(out: Path) -> dict[str, str]:
    """Return all that must be equal between two runs: the records, and the bytes of every prompt, by name."""
    found = {}
    for file in sorted((out / "records").glob("*.json")):
        facts = vars(Record.from_json(file.read_text(), str(file)))
        key = f"{facts['target']} {facts['arm']}"
        lasting = json.dumps({name: value for name, value in facts.items() if name not in PASSING}, sort_keys=True)
        assert found.get(key, lasting) == lasting, f"two results of {key}"  # a stage that ran again took other seconds
        found[key] = lasting
    for file in sorted(out.glob("stages/*/prompts/**/*.safetensors")):
        found[str(file.relative_to(out))] = file.read_bytes().hex()
    return found


def check_nothing_lost(out: Path, known: dict[Path, bytes]) -> None:
    """Assert that each record seen before is unchanged, and that what is there is whole; note the new ones."""
    for file, content in known.items():
        assert file.read_bytes() == content, f"{file} changed"
    for file in out.glob("records/*.json"):
        Record.from_json(file.read_text(), str(file))
        known[file] = file.read_bytes()
    for file in out.glob("stages/*/result.json"):
        json.loads(file.read_text())


def kill_until_finished(recipe: Path, out: Path, draw: random.Random, longest: float) -> tuple[int, int]:
    """Run, kill after a random while, run again, until a run ends by itself; return the kills, and the records."""
    known: dict[Path, bytes] = {}
    for kills in range(1000):
        process = start(recipe, out, report=draw.random() < 0.2)
        # First out of the server's queue and into the run, then the random while.
        deadline = time.monotonic() + 60
        while not (out / "recipe.yaml").exists() and process.is_alive() and time.monotonic() < deadline:
            time.sleep(0.002)
        process.join(draw.uniform(0, longest))
        if process.exitcode is None:
            process.kill()
            process.join()
        check_nothing_lost(out, known)
        if process.exitcode != -9:
            assert process.exitcode == 0, out.with_suffix(".log").read_text()[-3000:]
            return kills, len(known)
    raise AssertionError("it never comes to its end")
