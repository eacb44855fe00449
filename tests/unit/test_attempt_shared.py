"""ATTEMPT's multi-task form: one network of the query for all targets of a study."""

import dataclasses
import json

import pytest
import torch

from softbridge import recipe as recipes
from softbridge import study
from softbridge.bridges.attempt import Attempt
from softbridge.bridges.base import Joined
from softbridge.bridges.mixtures import NETWORK
from softbridge.engine.loop import Training
from softbridge.errors import BridgeError
from softbridge.injection import Injection
from softbridge.prompts import files
from softbridge.study.joint import JointTraining
from tests import pico
from tests.unit.test_bridges import draw, one, shore
from tests.unit.test_mpt import edited, generator
from tests.unit.test_study import numbers

ARMS = "  alone: {bridge: attempt, rank: 4}\n  shared: {bridge: attempt, rank: 4, shared: true}\n"
TARGETS = {"  toys: {data: toys.csv}\n": "  toys: {data: toys.csv}\n  tools: {data: tools.csv}\n"}


def known(**counts):
    return {target: {f"s{i}": one(draw(i)) for i in range(count)} for target, count in counts.items()}


def test_the_network_is_one_and_prompts_are_each_targets_own():
    pupils = Attempt(rank=3, shared=True).gather(one(draw(100)), known(toys=2, tools=2), generator())
    toys, tools = (pupil.prompt for pupil in pupils.values())
    assert all(getattr(toys, name) is getattr(tools, name) for name in NETWORK)
    assert toys.own is not tools.own
    assert torch.equal(toys.own, draw(100))


def test_targets_with_different_numbers_of_sources_are_refused():
    with pytest.raises(BridgeError, match="different numbers of sources: toys 2, tools 3"):
        Attempt(shared=True).gather(one(draw(100)), known(toys=2, tools=3), generator())


@pytest.mark.parametrize("head", [None, torch.ones(1, 2, 8)])
def test_on_the_target_the_network_stays_and_the_prompt_moves(head):
    bridge = Attempt(rank=3, shared=True)
    begun = dataclasses.replace(one(draw(100)), head=head, head_bias=None if head is None else torch.zeros(1, 2))
    pupils = bridge.gather(begun, known(toys=2, tools=2), generator())
    there = dataclasses.replace(
        shore(("movies", "news")),
        abreast=lambda way: Joined({"toys": pupils["toys"].prompt}, {}),
    )
    start = bridge.cross(there).start
    moving = {name.split(".")[-1] for name, _ in start.named_parameters()}
    assert moving == ({"own"} if head is None else {"own", "weight", "bias"})
    assert start.bake().query_down.shape == (1, 3, 8)
    assert isinstance(start.bake(), Injection)


def baked(out, target, which="best"):
    """Return the prompts of a target's arm with the shared network, one a seed."""
    found = []
    for folder in sorted((out / "stages").glob(f"adapt-{target}-attempt-*")):
        if json.loads((folder / "stage.json").read_text())["bridge"]["shared"]:
            found = [files.load(folder / "prompts" / f"seed{seed}-{which}").injection for seed in (0, 1)]
    return found


def test_a_study_learns_the_network_once_and_every_target_uses_it(tmp_path, monkeypatch):
    pico.frame(seed=9).to_csv(tmp_path / "tools.csv")
    recipe = edited(tmp_path, TARGETS, ARMS)
    courses, run = [], JointTraining.run
    monkeypatch.setattr(JointTraining, "run", lambda self: courses.append(self.course.name) or run(self))
    result = study.run(recipe, tmp_path / "out")
    assert courses == ["toys+tools"]
    toys, tools = baked(tmp_path / "out", "toys"), baked(tmp_path / "out", "tools")
    for a, b in zip(toys, tools, strict=True):
        assert all(torch.equal(getattr(a, f"query_{part}"), getattr(b, f"query_{part}")) for part in NETWORK)
        assert not torch.equal(a.tokens, b.tokens)
    assert not torch.equal(toys[0].query_down, toys[1].query_down), "each seed has a network of its own"
    by_arm = {(r.target, r.arm): r for r in result.records}
    record = by_arm["toys", "shared"]
    (line,) = [loss for loss in record.losses if loss["stage"] == "joint"]
    assert (line["domain"], line["steps"], line["M"]) == ("toys+tools", 2 * 4, 2 * 16)
    assert record.budget["source_steps"] == 2 * 8 + 2 * 4
    assert record.prompt["parameters"] == 3 * 32
    assert by_arm["toys", "alone"].prompt["parameters"] > 3 * 32
    for kind in (JointTraining, Training):
        monkeypatch.setattr(kind, "run", lambda self: pytest.fail("a finished stage was trained again"))
    assert numbers(study.run(recipe, tmp_path / "out").records) == numbers(result.records)


def test_another_set_of_targets_is_another_result(tmp_path):
    pico.frame(seed=9).to_csv(tmp_path / "tools.csv")
    study.run(edited(tmp_path, {}, ARMS), tmp_path / "out")
    text = (tmp_path / "toy.yaml").read_text()
    (tmp_path / "more.yaml").write_text(text.replace(*next(iter(TARGETS.items()))))
    planned = study.plan(recipes.read(tmp_path / "more.yaml"), tmp_path / "out")
    assert [stage.finished for stage in planned if stage.name == "adapt-toys-attempt"] == [True, False]
