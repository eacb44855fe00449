"""`softbridge reproduce`: records are made again from their own recipe, and each number is held against the old."""

import json
import statistics

import pytest

from softbridge import recipe as recipes
from softbridge import study
from softbridge.cli.main import main
from softbridge.records import append, read
from softbridge.records.record import Record
from softbridge.reports import reproduction
from softbridge.reports.reproduction import Expectation, changes, compare, expectation, machines, store
from tests import toy
from tests.unit.test_records import record
from tests.unit.test_study import make


def status(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code or 0


def edited(old: Record, change) -> Record:
    facts = json.loads(old.to_json())
    change(facts)
    return Record(**facts)


def moved(old: Record, seed: int, by: float) -> Record:
    def change(facts):
        facts["members"][seed]["best"]["test"]["accuracy"] += by

    return edited(old, change)


def test_a_number_is_judged_by_the_spread_of_its_published_seeds():
    old, name = record(), "best test accuracy"
    values = [member["best"]["test"]["accuracy"] for member in old.members]
    near = statistics.stdev(values) * 4.302653 * (4 / 3) ** 0.5  # Student's t of 2 degrees of freedom, 97.5 %
    expected = Expectation(least=0.001, rows=0)
    for by, said in ((0.0, "equal"), (near + 1, "off"), (-near - 1, "off")):  # the other side is wider: it stays out
        found = compare(old, moved(old, 1, by), expected)
        assert {n.verdict for n in found if (n.seed, n.name) == (1, name)} == {said}
        assert {n.verdict for n in found if (n.seed, n.name) != (1, name)} == {"equal"}
    every = moved(moved(moved(old, 0, 0.98 * near), 1, 0.98 * near), 2, 1.02 * near)
    said = [n.verdict for n in compare(old, every, expected) if n.name == name]
    assert said == ["within spread", "within spread", "off"]
    # a wild number on either side cannot make itself look near
    for pair in ((old, moved(old, 1, 9.0)), (moved(old, 1, 9.0), old)):
        found = [n for n in compare(*pair, expected) if n.name == name]
        assert [n.allowed for n in found] == pytest.approx([near] * 3)
        assert [n.verdict for n in found] == ["equal", "off", "equal"]


def test_a_single_seed_is_judged_by_rows_and_by_the_least_difference():
    bare = record(arm="no prompt")  # one member: it has no spread
    found = {n.name: n.allowed for n in compare(bare, bare, Expectation(least=0.0003, rows=1))}
    assert found["best test accuracy"] == pytest.approx(1 / bare.data["target"]["sizes"]["test"])
    assert found["best validation accuracy"] == pytest.approx(1 / bare.data["target"]["sizes"]["validation"])
    target = {"labels": {"neg": "bad", "mid": "so so", "pos": "good"}}
    few = edited(bare, lambda facts: facts["recipe"].update(validation_shots=4, targets={bare.target: target}))
    assert reproduction.rows_of(few, "validation") == 12
    assert {n.allowed for n in compare(bare, bare, Expectation(least=0.7, rows=1))} == {0.7}


def test_a_shift_of_all_numbers_is_told_though_each_is_near():
    old = record()
    every = moved(moved(moved(old, 0, 0.010), 1, 0.011), 2, 0.012)
    said = reproduction.shift(compare(old, every, Expectation()))
    assert said == "best test accuracy: +0.0110 in the mean of 3; 3 higher, 0 lower"
    assert reproduction.shift([]) == ""


def test_what_was_not_made_again_is_off():
    old = record()
    assert {n.verdict for n in compare(old, None, Expectation())} == {"off"}
    fewer = edited(old, lambda facts: facts["members"].pop())
    lost = [n for n in compare(old, fewer, Expectation()) if n.verdict == "off"]
    assert {n.seed for n in lost} == {old.members[-1]["seed"]}
    assert len(compare(old, old, Expectation())) == sum(len(reproduction.scores_of(m)) for m in old.members)


def test_the_expectation_keeps_tolerance_and_machine(tmp_path):
    append(tmp_path / "records", record())
    every = read([tmp_path])
    assert expectation(tmp_path, every).made_on == machines(every)
    store(tmp_path, Expectation(equal=0.5, made_on=machines(every)))
    kept = expectation(tmp_path, [])
    assert (kept.equal, kept.made_on) == (0.5, machines(every))
    here = {**every[0].provenance, "torch": "9.9"}
    assert changes(kept.made_on, here) == [f"torch: 9.9 here, {every[0].provenance['torch']} there"]
    (tmp_path / "expected.json").write_text('{"equals": 1}')
    with pytest.raises(Exception, match=r"expected\.json cannot be read"):
        expectation(tmp_path, every)


@pytest.fixture
def published(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    study.run(make(tmp_path), tmp_path / "published")
    return tmp_path / "published"


def test_a_cell_is_made_again_from_the_records_own_recipe(published, tmp_path, capsys):
    (tmp_path / "toy.yaml").unlink()
    assert status("reproduce", published, "--arm", "spot", "--target", "toys") == 0
    out = capsys.readouterr().out
    assert "28 numbers: 28 equal, 0 within spread, 0 off" in out
    assert {path.name.split("-")[0] for path in (tmp_path / "runs/reproduce/published/stages").iterdir()} == {
        "extract",
        "adapt",
        "evaluate",
    }
    assert status("reproduce", published, "--arm", "spto") == 2
    assert "did you mean 'spot'" in capsys.readouterr().err


def test_an_arm_for_each_source_is_made_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    recipe = toy.make(tmp_path, "  no prompt: {bridge: none}\n  spot: {bridge: spot, each: true}\n")
    study.run(recipes.read(recipe), tmp_path / "published")
    names = {record.arm for record in read([tmp_path / "published"])}
    assert any(" from " in name for name in names)
    assert status("reproduce", tmp_path / "published") == 0
    assert "0 within spread, 0 off" in capsys.readouterr().out


def test_a_number_that_is_off_ends_with_status_1(published, tmp_path, capsys):
    (old,) = [r for r in read([published]) if r.arm == "scratch"]
    append(tmp_path / "claimed" / "records", moved(old, 0, 9.0))
    assert status("reproduce", tmp_path / "claimed") == 1
    out = capsys.readouterr().out
    assert "27 equal, 0 within spread, 1 off" in out
    assert "best test accuracy" in out


def test_other_rows_are_told_of(published, tmp_path, capsys):
    rows = (tmp_path / "toys.csv").read_text().splitlines()
    (tmp_path / "toys.csv").write_text("\n".join([*rows, "w1 w2 lovely,positive"]) + "\n")
    status("reproduce", published, "--arm", "no prompt")
    assert "the rows of toys are not those of the published record" in capsys.readouterr().out


def test_storing_runs_nothing(published, capsys):
    assert status("reproduce", published, "--store") == 0
    assert json.loads((published / "expected.json").read_text())["made_on"][0]["threads"] >= 1
