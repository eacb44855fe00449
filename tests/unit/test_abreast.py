"""A study whose sources and cells train in banks comes to what it comes to one by one."""

import pytest

from softbridge import recipe as recipes
from softbridge import study
from softbridge.bridges.table import BRIDGES
from softbridge.cli.main import app
from softbridge.engine.loop import Training
from softbridge.study.learning import Lesson, module
from softbridge.study.study import Study
from tests import toy as toys
from tests.dying import dying

ARMS = """\
  none: {bridge: none}
  reuse: {bridge: reuse, source: films}
  scratch: {bridge: scratch}
  slower: {bridge: scratch, training: {learning_rate: 0.01}}
  longer: {bridge: scratch, training: {steps: 6}}
  spot: {bridge: spot}
  average: {bridge: spot, top: 2, how: average}
  arithmetic: {bridge: arithmetic}
  random: {bridge: random}
  panda: {bridge: panda}
  proximal: {bridge: proximal}
  attempt: {bridge: attempt}
"""


@pytest.fixture
def toy(tmp_path):
    return recipes.read(toys.make(tmp_path, ARMS))


def test_banks_come_to_what_lessons_come_to_alone(toy, tmp_path, monkeypatch):
    alone = study.run(toy, tmp_path / "alone").records
    sizes, begin = [], Training.run
    monkeypatch.setattr(Training, "run", lambda self: sizes.append(len(self.members)) or begin(self))
    together = study.run(toy, tmp_path / "together", abreast=True).records
    assert sorted(sizes) == [2, 2, 2, 4, 14], "a task embedding, longer, attempt; two sources; seven arms; of two seeds"
    for one, two in zip(alone, together, strict=True):
        assert (one.target, one.arm) == (two.target, two.arm)
        for a, b in zip(one.members, two.members, strict=True):
            assert a["best"]["step"] == b["best"]["step"]
            for split in ("validation", "test"):
                assert a["best"][split]["loss"] == pytest.approx(b["best"][split]["loss"], abs=1e-5)


def test_a_bank_that_was_killed_ends_with_the_numbers_of_one_that_was_not(toy, tmp_path):
    whole = study.run(toy, tmp_path / "whole", abreast=True).records
    for after in (1, 5):
        with dying(Training, after):
            study.run(toy, tmp_path / "killed", abreast=True)
    resumed = study.run(toy, tmp_path / "killed", abreast=True).records
    assert [(r.arm, r.members) for r in whole] == [(r.arm, r.members) for r in resumed]


def test_what_trains_in_banks_is_of_the_recipes_kind(toy, tmp_path):
    made = Study(toy, tmp_path / "out")
    for source in toy.sources:
        made.extract(source)
    for target, arm in made.cells():
        if getattr(BRIDGES[arm.bridge.name], "starts", False):
            lesson: Lesson = made.adaptation(target, arm)
            shapes = {
                tuple(p.shape) for p in module(made.materials, lesson.domain, lesson.crossings[0], 0).parameters()
            }
            assert shapes == {(3, 32)}


def test_banks_elsewhere_are_refused(toy, tmp_path):
    from typer.testing import CliRunner

    told = CliRunner().invoke(app, ["run", str(tmp_path / "toy.yaml"), "--on", "ray", "--abreast"])
    assert "leave one out" in str(told.exception)
