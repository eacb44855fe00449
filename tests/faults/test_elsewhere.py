"""A study whose parts are carried out by other processes ends with the records of one that ran in one process."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from typing import ClassVar

import psutil
import pytest

from softbridge import recipe as recipes
from softbridge import study
from softbridge.errors import DataError, RecipeError, StudyError
from softbridge.study.elsewhere import conducting, table
from softbridge.study.elsewhere.jobs import attempt
from tests.faults import harness


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    longer = ["training.target.steps=60", "training.target.evaluate_every=2"]
    recipe = recipes.read(harness.make(folder), longer)
    study.run(recipe, folder / "whole")
    return recipe, harness.outcome(folder / "whole")


@dataclass(frozen=True)
class Here:
    """Carry jobs out in this process."""

    name: ClassVar[str] = "here"
    package: ClassVar[str] = "softbridge"

    def carry(self, jobs, logs):
        for job in reversed(jobs):
            yield job, attempt(job)


def test_parts_come_to_what_the_whole_does(toy, tmp_path):
    recipe, whole = toy
    result = conducting.run(recipe, tmp_path / "out", Here())
    assert harness.outcome(tmp_path / "out") == whole
    assert [record.arm for record in result.records] == ["no prompt", "reuse", "scratch", "spot"]


@pytest.mark.slow
def test_several_shots_and_arms_of_each_source_are_parts_too(tmp_path):
    harness.make(tmp_path)
    file = tmp_path / "toy.yaml"
    text = file.read_text().replace("shots: 8\n", "shots: [4, 8]\n", 1)
    file.write_text(text.replace("spot: {bridge: spot}", "spot: {bridge: spot, each: true}"))
    recipe = recipes.read(file)
    whole = study.run(recipe, tmp_path / "whole").records
    parts = conducting.run(recipe, tmp_path / "out", Here()).records
    assert [(r.arm, r.recipe["shots"], r.members) for r in parts] == [
        (r.arm, r.recipe["shots"], r.members) for r in whole
    ]


def test_a_part_that_fails_is_told_after_the_others_were_carried_out(toy, tmp_path):
    class Failing(Here):
        def carry(self, jobs, logs):
            for job in jobs:
                yield job, DataError("broken", "a", "b") if job.part.arm == "reuse" else attempt(job)

    with pytest.raises(DataError, match="broken"):
        conducting.run(toy[0], tmp_path / "out", Failing())
    assert len(list((tmp_path / "out" / "records").iterdir())) == 3


def test_what_is_asked_of_an_engine_is_checked(monkeypatch):
    with pytest.raises(StudyError, match=r"there is no engine rai \(did you mean 'ray'\?\)"):
        table.engine("rai")
    with pytest.raises(RecipeError, match="gpu  is no key here; write gpus"):
        table.engine("ray", ["gpu=1"])
    monkeypatch.setattr(conducting, "find_spec", lambda name: None)
    with pytest.raises(StudyError, match=r"pip install 'softbridge\[slurm\]'"):
        conducting.refuse(table.engine("slurm"))


def kill_when(wanted, found, killed):
    """Kill the first process that carries a part out once `wanted()`; take note of it."""
    me = psutil.Process()

    def work():
        while not killed:
            time.sleep(0.02)
            if wanted():
                for process in me.children(recursive=True):
                    try:
                        if found(" ".join(process.cmdline())):
                            process.kill()
                            killed.append(process.pid)
                            return
                    except psutil.NoSuchProcess:
                        continue

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def survive(recipe, whole, out, engine, found):
    """Carry a study out, with a worker killed in the middle of a cell."""
    killed: list[int] = []
    thread = kill_when(lambda: list(out.glob("stages/adapt-*/checkpoint.pt")), found, killed)
    result = conducting.run(recipe, out, engine)
    assert killed, "no worker was killed"
    thread.join()
    assert len(result.records) == 4
    assert harness.outcome(out) == whole


def test_ray_carries_a_study_out_though_a_worker_is_lost(toy, tmp_path, monkeypatch, record_property):
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        survive(*toy, tmp_path / "out", table.engine("ray"), lambda line: line.startswith("ray::attempt"))
    finally:
        ray.shutdown()
    record_property("shared", 1)


def test_submitit_carries_a_study_out_though_a_worker_is_lost(toy, tmp_path, monkeypatch, record_property):
    pytest.importorskip("submitit")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    engine = table.engine("slurm", ["cluster=local"])
    survive(*toy, tmp_path / "out", engine, lambda line: "submitit.core._submit" in line)
    record_property("shared", 1)


@pytest.mark.parametrize(
    ("name", "package", "settings", "worker"),
    [
        ("ray", "ray", ["retries=0"], "ray::attempt"),
        ("slurm", "submitit", ["retries=0", "cluster=local"], "submitit.core._submit"),
    ],
)
def test_a_job_that_is_lost_too_often_is_told(toy, tmp_path, name, package, settings, worker):
    pytest.importorskip(package)
    killed: list[int] = []
    kill_when(lambda: True, lambda line: worker in line, killed)
    with pytest.raises(StudyError, match="its worker was lost 1 times"):
        conducting.run(toy[0], tmp_path / "out", table.engine(name, settings))
    if name == "ray":
        pytest.importorskip("ray").shutdown()


def test_submitit_s_debug_runs_in_this_process(toy, tmp_path):
    pytest.importorskip("submitit")
    pid = os.getpid()
    conducting.run(toy[0], tmp_path / "out", table.engine("slurm", ["cluster=debug"]))
    assert harness.outcome(tmp_path / "out") == toy[1]
    assert os.getpid() == pid
