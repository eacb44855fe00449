"""Several processes train the prompts that one process trains: a step's rows are shared out, not multiplied."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate.commands.config.config_args import load_config_from_file
from safetensors.torch import load_file

import softbridge
from softbridge import recipe as recipes
from softbridge import study
from tests.faults import harness

ROOT = Path(softbridge.__file__).parents[1]
CONFIGS = sorted((ROOT / "recipes" / "launch").glob("*.yaml"))


def port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def launch(
    launcher: str, *arguments: str, config: Path = ROOT / "recipes/launch/cpu.yaml", **environment: str
) -> subprocess.CompletedProcess:
    """Run the command line in two CPU processes."""
    ways = {
        "accelerate": [
            "accelerate.commands.launch",
            "--config_file",
            str(config),
            "--main_process_port",
            str(port()),
        ],
        "torchrun": ["torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(port())],
    }
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    env |= {"PYTHONFAULTHANDLER": "1"} | environment
    command = [sys.executable, "-m", *ways[launcher], "-m", "softbridge", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=400, env=env, check=False)


def numbers(out: Path) -> dict[tuple, float]:
    """Return every score and loss of a study, by place."""
    found: dict[tuple, float] = {}

    def walk(value, place):
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, (*place, key))
        elif isinstance(value, list):
            for i, inner in enumerate(value):
                walk(inner, (*place, i))
        elif isinstance(value, int | float):
            found[place] = float(value)

    for file in (out / "records").glob("*.json"):
        facts = json.loads(file.read_text())
        walk([facts["members"], facts["losses"], facts["budget"]], (facts["arm"],))
    return found


def prompts(out: Path) -> dict[str, torch.Tensor]:
    files = out.glob("stages/*/prompts/**/*.safetensors")
    return {f"{file.relative_to(out)} {name}": part for file in files for name, part in load_file(file).items()}


def largest_difference(one: Path, other: Path) -> float:
    """Return the largest difference of any number or prompt element of two studies, which must have the same ones."""
    a, b, p, q = numbers(one), numbers(other), prompts(one), prompts(other)
    assert a.keys() == b.keys()
    assert p.keys() == q.keys()
    assert len(a) > 100
    assert len(p) > 20
    return max([abs(a[k] - b[k]) for k in a] + [float((p[k] - q[k]).abs().max()) for k in p])


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    recipe = harness.make(folder)
    study.run(recipes.read(recipe), folder / "one")
    return recipe, folder / "one"


SEVERAL = [f"training.{side}.accumulation=3" for side in ("source", "target")]


def as_of(one: Path, other: Path) -> None:
    """Give the stages of a study the digests of another, whose plan is in them."""
    named = {folder.name.rpartition("-")[0]: folder for folder in (other / "stages").iterdir()}
    for stage in (one / "stages").iterdir():
        named[stage.name.rpartition("-")[0]].rename(other / "stages" / stage.name)


@pytest.mark.slow
@pytest.mark.parametrize(("launcher", "settings"), [("accelerate", []), ("torchrun", []), ("torchrun", SEVERAL)])
def test_two_processes_come_to_what_one_does(toy, tmp_path, launcher, settings, record_property):
    (recipe, one), two = toy, tmp_path / "two"
    done = launch(launcher, "run", str(recipe), "--out", str(two), *(w for s in settings for w in ("--set", s)))
    assert done.returncode == 0, done.stderr[-8000:]
    assert done.stdout.count("report: ") == 1
    assert done.stdout.count("extract-films: ") == 1
    as_of(one, two)
    gap = largest_difference(one, two)
    assert gap < 1e-5
    record_property("compared", 1)
    record_property("difference", gap)
    made = [json.loads(file.read_text())["provenance"]["processes"] for file in tmp_path.glob("two/records/*.json")]
    assert made == [2] * 4


@pytest.mark.slow
def test_prompts_that_share_parameters_come_to_what_one_process_does(tmp_path, record_property):
    """Tasks with label words of their own take passes of their own, and their gradients are added up once a step."""
    recipe = harness.make(tmp_path)
    words = "labels: {negative: awful, positive: lovely}"
    text = recipe.read_text().replace("{data: books.csv}", f"{{data: books.csv, {words}}}")
    recipe.write_text(text + "  mpt: {bridge: mpt}\n")
    study.run(recipes.read(recipe), tmp_path / "one")
    done = launch("torchrun", "run", str(recipe), "--out", str(tmp_path / "two"))
    assert done.returncode == 0, done.stderr[-8000:]
    gap = largest_difference(tmp_path / "one", tmp_path / "two")
    assert gap < 1e-5
    record_property("compared", 1)
    record_property("difference", gap)


BEFORE = [
    "pretrain={held_out: 8, training: {steps: 4, batch: 4, evaluate_every: 2}}",
    "pretrain={form: semi-supervised, labelled: 4, training: {steps: 6, batch: 3, evaluate_every: 2}}",
    "pretrain={trains: backbone, held_out: 8, training: {steps: 4, batch: 4, learning_rate: 0.001}}",
    "tune={how: lora, sources: [books], training: {steps: 4, batch: 4, learning_rate: 0.01}}",
]


@pytest.mark.slow
@pytest.mark.parametrize("section", BEFORE)
def test_two_processes_prepare_what_one_does(toy, tmp_path, section):
    study.run(recipes.read(toy[0], [section]), tmp_path / "one")
    done = launch("torchrun", "run", str(toy[0]), "--out", str(tmp_path / "two"), "--set", section)
    assert done.returncode == 0, done.stderr[-8000:]
    assert largest_difference(tmp_path / "one", tmp_path / "two") < 1e-4


def test_accumulation_over_several_passes_changes_nothing(toy, tmp_path):
    recipe, one = toy
    study.run(recipes.read(recipe, SEVERAL), tmp_path / "accumulated")
    as_of(one, tmp_path / "accumulated")
    assert largest_difference(one, tmp_path / "accumulated") < 1e-5


def test_the_comparison_can_fail(toy, tmp_path):
    recipe, one = toy
    study.run(recipes.read(recipe, ["training.source.learning_rate=0.06"]), tmp_path / "other")
    with pytest.raises(AssertionError):
        assert largest_difference(one, tmp_path / "other") < 1e-5


def own_part(done: subprocess.CompletedProcess) -> str:
    """Return what softbridge itself said; torch's launcher adds a traceback and a summary of its own, always below."""
    assert done.returncode != 0
    said, launcher, _ = re.split(r"^.*(torch.distributed.elastic)", done.stderr, maxsplit=1, flags=re.M)
    assert launcher
    return said


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["accelerate", "torchrun"])
def test_a_mistake_that_all_processes_see_is_told_once(toy, tmp_path, launcher):
    recipe = toy[0].with_name("wrong.yaml")
    recipe.write_text(toy[0].read_text().replace("shots: 8", "shots: 8000", 1))
    done = launch(launcher, "run", str(recipe), "--out", str(tmp_path / "two"))
    said = own_part(done)
    assert done.stderr.count("error: ") == said.count("error: ") == 1, done.stderr
    assert done.stderr.count("  to do: ") == 1
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize("failing", ["0", "1"])
def test_a_process_that_breaks_ends_all_with_one_message(toy, tmp_path, failing):
    hook = tmp_path / "site"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        "import os, sys\n"
        f"if os.environ.get('RANK') == '{failing}':\n"
        "    import softbridge.engine.loop as loop\n"
        "    move = loop.Training.move\n"
        "    def broken(self):\n"
        "        if self.step == 3: raise ZeroDivisionError('a defect')\n"
        "        move(self)\n"
        "    loop.Training.move = broken\n"
    )
    done = launch("torchrun", "run", str(toy[0]), "--out", str(tmp_path / "two"), PYTHONPATH=f"{hook}:{ROOT}")
    said = own_part(done)
    assert said.count("Traceback") == 1, said
    assert said.count("ZeroDivisionError: a defect") == done.stderr.count("ZeroDivisionError: a defect") == 1
    assert study.run(recipes.read(toy[0]), tmp_path / "two").records, "the study does not go on"


@pytest.mark.parametrize("config", CONFIGS, ids=lambda file: file.stem)
def test_each_configuration_parses_with_accelerate_s_own_loader(config):
    read = load_config_from_file(str(config))
    assert read.num_processes >= 1
    assert "accelerate launch --config_file recipes/launch/" in config.read_text()


def test_a_configuration_with_a_typo_is_refused(tmp_path):
    (tmp_path / "wrong.yaml").write_text(CONFIGS[0].read_text() + "num_procs: 2\n")
    with pytest.raises(ValueError, match="num_procs"):
        load_config_from_file(str(tmp_path / "wrong.yaml"))
