"""Two runs in one folder: each stage is carried out once, and both end with the same records."""

from __future__ import annotations

import re
import time

import pytest

from softbridge.study.stages import Stage
from tests.faults import harness


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    recipe = harness.make(folder)
    assert harness.carry(recipe, folder / "whole")[0] == 0
    return recipe, harness.outcome(folder / "whole")


def test_two_runs_share_the_work_and_a_lost_one_s_stages_are_run_by_the_other(toy, tmp_path, record_property):
    recipe, whole = toy
    out = tmp_path / "out"
    lost = harness.start(recipe, out)
    while not list(out.glob("stages/extract-films-*/checkpoint.pt")) and lost.is_alive():
        time.sleep(0.002)
    two = [harness.start(recipe, out), harness.start(recipe, out)]
    lost.kill()
    for process in two:
        process.join(120)
        assert process.exitcode == 0, out.with_suffix(".log").read_text()[-2000:]
    assert harness.outcome(out) == whole
    carried = re.findall(r"^((?:extract|adapt|evaluate)-\S+): [\d.]+ s", out.with_suffix(".log").read_text(), re.M)
    trained = [name for name in carried if not name.startswith("evaluate")]
    assert len(trained) >= 6
    assert sorted(set(trained)) == sorted(trained), "a stage was carried out twice"
    assert not list(out.glob("stages/.*.lock"))
    record_property("shared", 1)


@pytest.mark.parametrize(("processes", "order"), [(1, "bca"), (2, "abc")])
def test_what_another_run_works_at_comes_last(tmp_path, processes, order):
    from types import SimpleNamespace

    from filelock import FileLock

    from softbridge.study.holding import free_first

    stages = {name: Stage(tmp_path, f"adapt-{name}", {}) for name in "abc"}
    with FileLock(tmp_path / f".{stages['a'].folder.name}.lock"):
        there = free_first("abc", stages.__getitem__, SimpleNamespace(num_processes=processes))
        assert "".join(there) == order
    assert "".join(free_first("abc", stages.__getitem__, SimpleNamespace(num_processes=1))) == "abc"


def test_a_run_goes_on_with_other_cells_and_keeps_the_records_order(toy, tmp_path):
    from filelock import FileLock

    from softbridge import recipe as recipes
    from softbridge import study
    from softbridge.study.study import Study

    recipe, out = toy[0], tmp_path / "out"
    here = Study(recipes.read(recipe), out)
    cells = list(here.cells())
    first = here.adaptation(*cells[0]).stage
    first.root.mkdir(parents=True)
    other = FileLock(first.root / f".{first.folder.name}.lock", thread_local=False)
    other.acquire()
    seen = []
    told = Study.carry
    with pytest.MonkeyPatch.context() as patch:

        def carry(self, target, arm, extracted):
            if len(seen) + 1 == len(cells):
                other.release()
            seen.append((target, arm.name))
            return told(self, target, arm, extracted)

        patch.setattr(Study, "carry", carry)
        made = study.run(recipes.read(recipe), out).records
    names = [(target, arm.name) for target, arm in cells]
    assert seen == [*names[1:], names[0]]
    assert [(record.target, record.arm) for record in made] == names


def test_a_stage_that_another_run_holds_is_waited_for(tmp_path):
    import threading

    from accelerate import Accelerator
    from filelock import FileLock

    from softbridge.study.holding import holding
    from softbridge.study.watching import Watcher

    stage, said = Stage(tmp_path, "extract-films", {}), []
    watcher = Watcher(None)
    watcher.say = said.append
    other, held = FileLock(tmp_path / f".{stage.folder.name}.lock", thread_local=False), threading.Event()

    def work():
        with other:
            held.set()
            time.sleep(0.3)
            stage.finish({"members": []})

    threading.Thread(target=work).start()
    held.wait()
    with holding(stage, Accelerator(cpu=True), watcher):
        assert stage.finished
    assert said == ["extract-films: another run works at it; waiting"]
