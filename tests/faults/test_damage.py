"""Damaged files, full disks, wrong clocks, NaN: a run ends with equal results, or with a message in three parts."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from tests.faults import harness


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    recipe = harness.make(folder)
    status, said = harness.carry(recipe, folder / "whole")
    assert status == 0, said
    return recipe, folder / "whole", harness.outcome(folder / "whole")


@pytest.fixture
def half(toy, tmp_path):
    """Return a study that was killed when its first training had a checkpoint."""
    recipe, _, _ = toy
    process = harness.start(recipe, tmp_path / "out")
    while not list((tmp_path / "out").glob("stages/adapt-*/checkpoint.pt")) and process.is_alive():
        time.sleep(0.001)
    process.kill()
    process.join()
    return tmp_path / "out"


def told(status: int, said: str) -> str:
    """Assert that a run ended with a message in three parts, and return what it printed."""
    assert status == 2, said
    assert "error: " in said
    assert "\n  expected: " in said
    assert "\n  to do: " in said
    assert "Traceback" not in said
    return said


def first(folder: Path, pattern: str) -> Path:
    return sorted(folder.glob(pattern))[0]


def few(value, quick: bool):
    """Return a parameter that the default suite tries only where it is quick."""
    return value if quick else pytest.param(value, marks=pytest.mark.slow)


# What is damaged, and what then helps: nothing (the run mends it), or to delete what the message names.
FILES = {
    "stages/adapt-toys-spot-*/result.json": "delete the folder",
    "stages/extract-films-*/result.json": "delete the folder",
    "stages/evaluate-*/result.json": "delete the folder",
    "stages/adapt-toys-spot-*/prompts/seed0-best/prompt.safetensors": "delete the folder",
    "stages/adapt-toys-spot-*/prompts/seed0-best/card.json": "delete the folder",
    "stages/extract-books-*/prompts/seed1-best/prompt.safetensors": "delete the folder",
    "stages/extract-books-*/history.jsonl": None,
    "stages/extract-books-*/stage.json": None,
    "recipe.yaml": None,
    "records/*.json": "move the file away",
}
DAMAGE = {
    "cut": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "emptied": lambda file: file.write_bytes(b""),
    "deleted": lambda file: file.unlink(),
    "garbled": lambda file: file.write_bytes(file.read_bytes()[:-20] + os.urandom(20)),
}


@pytest.mark.parametrize("pattern", [few(name, i in (0, 3, 6, 9)) for i, name in enumerate(FILES)])
@pytest.mark.parametrize("damage", [few(name, name == "cut") for name in DAMAGE])
def test_a_damaged_file_is_mended_or_named(toy, tmp_path, pattern, damage):
    recipe, whole, outcome = toy
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    file = first(out, pattern)
    DAMAGE[damage](file)
    status, said = harness.carry(recipe, out)
    if status != 0:
        assert FILES[pattern] in told(status, said)
        named = file if file.parent.name == "records" else next(p for p in file.parents if p.parent.name == "stages")
        assert named.name in said
        shutil.rmtree(named) if named.is_dir() else named.unlink()
        status, said = harness.carry(recipe, out)
    assert status == 0, said
    assert harness.outcome(out) == outcome


def test_a_cut_checkpoint_is_named_and_its_stage_trains_again(toy, half):
    recipe, _, outcome = toy
    checkpoint = first(half, "stages/*/checkpoint.pt")
    DAMAGE["cut"](checkpoint)
    assert str(checkpoint) in told(*harness.carry(recipe, half))
    checkpoint.unlink()
    assert harness.carry(recipe, half)[0] == 0
    assert harness.outcome(half) == outcome


UNREADABLE = ["toy.yaml", "films.csv", "backbone/model.safetensors", "backbone/config.json", "backbone/tokenizer.json"]


@pytest.mark.parametrize("name", [few(name, name == "films.csv") for name in UNREADABLE])
@pytest.mark.parametrize("how", ["forbidden", few("cut", False)])
def test_an_input_that_cannot_be_read_is_named(toy, tmp_path, name, how):
    folder = tmp_path / "input"
    shutil.copytree(toy[0].parent, folder, ignore=shutil.ignore_patterns("whole*"))
    recipe = folder / "toy.yaml"
    recipe.write_text(recipe.read_text().replace(str(toy[0].parent), str(folder)))
    file = folder / name
    file.chmod(0) if how == "forbidden" else file.write_bytes(file.read_bytes()[: file.stat().st_size // 3])
    said = told(*harness.carry(recipe, tmp_path / "out", "no_override"))
    assert file.name in said or str(file.parent) in said


@pytest.mark.parametrize(
    "pattern",
    [few("stages/*/checkpoint.pt", True), *(few(p, False) for p in ("stages/extract-*/result.json", "stages"))],
)
def test_a_file_of_the_study_that_cannot_be_read_is_named(toy, half, pattern):
    recipe, _, outcome = toy
    file = first(half, pattern)
    mode = file.stat().st_mode
    file.chmod(0)
    try:
        assert file.name in told(*harness.carry(recipe, half, "no_override"))
    finally:
        file.chmod(mode)
    assert harness.carry(recipe, half)[0] == 0
    assert harness.outcome(half) == outcome


SIZES = [few(n, n == 20000) for n in (0, 100, 1000, 3000, 6000, 10000, 15000, 20000, 40000)]


@pytest.mark.parametrize("most", SIZES)
def test_a_full_disk_is_told_and_the_run_goes_on_where_there_is_room(toy, tmp_path, most):
    recipe, _, outcome = toy
    known = {}
    status, said = harness.carry(recipe, tmp_path / "out", "small_files", most)
    if status != 0 and most >= 1000:  # with fewer bytes even the message cannot be written
        told(status, said)
    harness.check_nothing_lost(tmp_path / "out", known)
    assert harness.carry(recipe, tmp_path / "out")[0] == 0
    harness.check_nothing_lost(tmp_path / "out", known)
    assert harness.outcome(tmp_path / "out") == outcome


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
@pytest.mark.parametrize("kilobytes", [150])
def test_a_disk_that_is_really_full(toy, tmp_path, kilobytes):
    recipe, _, outcome = toy
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.system(f"mount -t tmpfs -o size={kilobytes}k tmpfs {disk} 2>/dev/null") != 0:
        pytest.skip("this machine does not let root mount")
    try:
        known = {}
        (tmp_path / "log").mkdir()
        (disk / "out.log").symlink_to(tmp_path / "log" / "out.log")
        assert "No space left on device" in told(*harness.carry(recipe, disk / "out"))
        harness.check_nothing_lost(disk / "out", known)
        assert os.system(f"mount -o remount,size=32m {disk}") == 0
        status, said = harness.carry(recipe, disk / "out")
        assert status == 0, said
        harness.check_nothing_lost(disk / "out", known)
        assert harness.outcome(disk / "out") == outcome
    finally:
        os.system(f"umount {disk}")


def test_a_clock_that_goes_back_changes_nothing(toy, half):
    recipe, _, outcome = toy
    assert harness.carry(recipe, half, "clock_back", 400)[0] == 0
    assert harness.outcome(half) == outcome
    years = {json.loads(file.read_text())["created"][:4] for file in half.glob("records/*.json")}
    assert len(years) > 1 or all(year < time.strftime("%Y") for year in years)


@pytest.mark.parametrize("at", [few(n, n == 5) for n in (1, 5, 20)])
def test_nan_in_a_batch_ends_its_member_alone(toy, tmp_path, at):
    status, said = harness.carry(toy[0], tmp_path / "out", "poison", at)
    assert status == 0, said
    records = [json.loads(file.read_text()) for file in (tmp_path / "out" / "records").glob("*.json")]
    assert len(records) == 4
    results = [json.loads(file.read_text()) for file in (tmp_path / "out").glob("stages/[ea][xd]*/result.json")]
    stopped = [member["stopped"] for result in results for member in result["members"] if member["stopped"]]
    assert len(stopped) == 1
    assert "loss nan" in stopped[0]


def test_nan_in_a_batch_ends_the_run_where_the_recipe_says_so(toy, tmp_path):
    recipe = toy[0].with_name("strict.yaml")
    text = toy[0].read_text().replace("learning_rate: 0.05,", "learning_rate: 0.05, nonfinite: raise,")
    recipe.write_text(text)
    said = told(*harness.carry(recipe, tmp_path / "out", "poison", 5))
    assert "the member seed" in said
    assert "loss nan" in said
