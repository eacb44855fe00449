"""A launch that shards the backbone (FSDP, ZeRO-3) trains the prompts, and writes the records, of one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
from accelerate.utils import DistributedType

from softbridge import recipe as recipes
from softbridge import study
from softbridge.backbones.table import BACKBONES
from softbridge.errors import StudyError
from softbridge.study import processes
from tests import pico, toy
from tests.parity.test_processes import ROOT, SEVERAL, as_of, largest_difference, launch, port

ARMS = """\
  no prompt: {bridge: none}
  scratch: {bridge: scratch}
  spot: {bridge: spot}
  panda: {bridge: panda}
"""
JOINT = "  mpt: {bridge: mpt}\n"


@pytest.fixture(params=["fsdp", "zero3"])
def way(request):
    """Return a way to share a model's blocks out; DeepSpeed is an extra that few machines can build."""
    if request.param == "zero3" and not find_spec("deepspeed"):
        pytest.skip("deepspeed is not installed")
    return request.param


@pytest.fixture
def config(tmp_path, way):
    """Return the launch configuration that is shipped, on two processes of a CPU."""
    text = (ROOT / f"recipes/launch/{way}.yaml").read_text()
    there = text.replace("use_cpu: false", "use_cpu: true").replace("num_processes: 4", "num_processes: 2")
    assert there.count("true") == text.count("true") + 1
    (tmp_path / "launch.yaml").write_text(there)
    return tmp_path / "launch.yaml"


# Kind of backbone, whether the prompt is a prefix, whether its blocks are checkpointed, and its precision.
PLAIN = [(kind, False, False, "float32") for kind in BACKBONES]
AGAIN = [(kind, prefix, True, "float32") for kind, prefix in (("sentence", True), ("causal", True), ("seq2seq", False))]
SMALL = [("causal", False, False, "bfloat16")]


@pytest.mark.slow
def test_each_kind_computes_sharded_what_it_computes_whole(tmp_path, way):
    """Compare scores, the gradients of a prompt and the fingerprint; half of the blocks is in each process."""
    for kind in BACKBONES:
        pico.save_backbone(tmp_path / kind, kind)
    (tmp_path / "asked.json").write_text(json.dumps(PLAIN + AGAIN + SMALL))
    command = ["torch.distributed.run", "--nproc_per_node", "2", "--master_port", str(port())]
    command += [str(ROOT / "tests/parity/sharded.py"), str(tmp_path), way]
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, timeout=400, env=env, check=False
    )
    assert done.returncode == 0, done.stderr[-8000:]
    told = [one for file in sorted(tmp_path.glob("told*.json")) for one in json.loads(file.read_text())]
    assert len(told) == 2 * len(PLAIN + AGAIN + SMALL)
    assert max(line["gap"] for line in told) < 1e-6
    assert all(abs(line["held"] - 0.5) < 0.02 for line in told)
    assert min(line["blocks"] for line in told) > 0.7


PARTLY = "pretrain={form: semi-supervised, labelled: 4, training: {steps: 6, batch: 3, evaluate_every: 2}}"


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "settings"), [("sentence", SEVERAL), ("causal", [*SEVERAL, PARTLY])])
def test_a_study_comes_sharded_to_what_one_process_comes_to(tmp_path, config, kind, settings, record_property):
    """Steps of three passes and more, which two processes have unequally many of, and a bridge with a teacher."""
    recipe = toy.make(tmp_path, ARMS + JOINT, every=(2, 1), kind=kind)
    study.run(recipes.read(recipe, settings), tmp_path / "one")
    told = [word for setting in settings for word in ("--set", setting)]
    done = launch("accelerate", "run", str(recipe), "--out", str(tmp_path / "two"), *told, config=config)
    assert done.returncode == 0, done.stderr[-8000:]
    as_of(tmp_path / "one", tmp_path / "two")
    gap = largest_difference(tmp_path / "one", tmp_path / "two")
    assert gap < 1e-5
    record_property("compared", 1)
    record_property("difference", gap)
    made = [json.loads(file.read_text()) for file in tmp_path.glob("two/records/*.json")]
    assert [record["provenance"]["processes"] for record in made] == [2] * 5
    assert all("in parts" in record["backbone"]["chosen"] for record in made)


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("prompt={kind: late, length: 3, block: 1}", "later block"),
        ("tune={sources: [books]}", "tune"),
        ("pretrain={trains: backbone}", "pretrain.trains: backbone"),
        ("backbone.bits=8", "backbone.bits"),
    ],
)
def test_what_a_sharded_backbone_cannot_do_is_refused(tmp_path, setting, named):
    recipe = toy.make(tmp_path, ARMS)
    processes.refuse_unsharded(recipes.read(recipe))
    with pytest.raises(StudyError, match=named):
        processes.refuse_unsharded(recipes.read(recipe, [setting]))


@pytest.mark.parametrize(
    ("stage", "installed", "named"),
    [
        ("2", True, r"stage 2.*zero3\.yaml"),
        (None, True, r"no ZeRO stage.*zero3\.yaml"),
        ("3", False, r"not installed.*softbridge\[deepspeed\]"),
    ],
)
def test_deepspeed_otherwise_than_stage_3_is_refused(monkeypatch, stage, installed, named):
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    monkeypatch.delenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", raising=False)
    if stage:
        monkeypatch.setenv("ACCELERATE_DEEPSPEED_ZERO_STAGE", stage)
    monkeypatch.setattr(processes, "find_spec", lambda name: object() if installed else None)
    with pytest.raises(StudyError, match=f"(?s){named}"):
        processes.gather("cpu")


def test_megatron_is_refused_and_told_of_fsdp(monkeypatch):
    told = SimpleNamespace(distributed_type=DistributedType.MEGATRON_LM)
    monkeypatch.setattr(processes, "Accelerator", lambda **keys: told)
    with pytest.raises(StudyError, match=r"fsdp\.yaml"):
        processes.gather("cpu")
