"""`softbridge watch` shows what is in a study's folder, also where it is half written."""

from __future__ import annotations

import json
import os
import time

import pytest

from softbridge import study
from softbridge.cli import watch
from softbridge.cli.main import main
from tests.unit.test_study import make


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    study.run(make(folder), folder / "out")
    return folder / "out"


def test_the_table_holds_the_mean_losses_of_each_stage(out):
    shown = {row[0]: row for row in watch.rows(out)}
    begun = list(out.glob("stages/*/history.jsonl"))
    assert len(begun) >= len(shown) > 2
    for file in begun:
        looks = [json.loads(line) for line in file.read_text().splitlines()]
        steps = sorted({look["step"] for look in looks})
        losses = []
        for step in steps:
            seen = [look["validation"]["loss"] for look in looks if look["step"] == step]
            losses.append(sum(seen) / len(seen))
        rows = [
            row
            for row in watch.rows(out)
            if row[-3:] == tuple(f"{n:.3f}" for n in (losses[0], min(losses), losses[-1]))
        ]
        assert any(row[0] == file.parent.name.rpartition("-")[0] for row in rows)
        assert all(row[1] == "finished" and row[2] == str(steps[-1]) for row in rows)


def test_once_prints_every_stage_however_wide_the_terminal(out, capsys, monkeypatch):
    for columns in ("40", "300"):
        monkeypatch.setenv("COLUMNS", columns)
        with pytest.raises(SystemExit) as end:
            main(["watch", str(out), "--once"])
        assert end.value.code == 0
        said = "".join(capsys.readouterr().out.split())  # wherever the terminal wrapped it
        records = len(list(out.glob("records/*.json")))
        assert f"stagesbegunarefinished,{records}records" in said
    for row in watch.rows(out):
        assert row[0] in said


def test_a_stage_that_is_written_just_now_is_running_and_one_without_a_sign_quiet(tmp_path):
    stage = tmp_path / "stages" / "extract-films-0123456789ab"
    stage.mkdir(parents=True)
    look = {"member": "seed0", "step": 4, "validation": {"loss": 0.5}}
    (stage / "history.jsonl").write_text(json.dumps(look) + "\n" + json.dumps(look)[:20] + "\nnull\n")
    ((name, state, step, _, *numbers),) = watch.rows(tmp_path)
    assert (name, step, numbers) == ("extract-films", "4", ["0.500"] * 3)
    assert state.startswith("running, ")
    long_ago = time.time() - 2 * watch.QUIET
    os.utime(stage / "history.jsonl", (long_ago, long_ago))
    ((_, state, *_),) = watch.rows(tmp_path)
    assert state.startswith("quiet, ")


def test_a_folder_that_is_not_there_is_told(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(["watch", str(tmp_path / "nowhere")])
    assert end.value.code == 2
    assert "there is no folder" in "".join(capsys.readouterr().err)
