"""Sources of a recipe compared with a target: what is trained for it, what is shared with the run, what is printed."""

import pytest

from softbridge import recipe as recipes
from softbridge import study
from softbridge.cli.main import main
from softbridge.engine.loop import Training
from softbridge.errors import SoftbridgeError, StudyError
from softbridge.records.likeness import kept
from softbridge.similarity.table import MEASURES
from softbridge.study.likening import liken
from tests.unit.test_study import make

FREE = ["gradient_cosine", "fisher_cosine", "task2vec_cosine", "label_overlap"]


def one(found):
    (likeness,) = found
    return likeness


@pytest.fixture
def toy(tmp_path):
    return make(tmp_path)


def test_every_measure_compares_every_source_for_every_seed(toy, tmp_path):
    found = one(liken(toy, tmp_path / "out", ["toys"], list(MEASURES)))
    assert set(found.values) == set(MEASURES)
    for values in found.values.values():
        assert {source: len(seeds) for source, seeds in values.items()} == {"films": 2, "books": 2}
    assert found.values["label_overlap"]["films"] == [1.0, 1.0]
    assert found.values["neuron_overlap"]["films"] != found.values["neuron_overlap"]["books"]
    assert kept([tmp_path / "out"]) == [found]


def test_nothing_is_trained_for_gradients_and_labels(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(Training, "run", lambda self: pytest.fail("something was trained"))
    found = one(liken(toy, tmp_path / "out", ["toys"], FREE))
    assert not (tmp_path / "out" / "stages").exists()
    # toy domains are drawn alike, so their gradients point alike
    assert min(found.values["gradient_cosine"]["films"]) > 0


def test_what_a_run_has_trained_is_not_trained_again(toy, tmp_path, monkeypatch):
    study.run(toy, tmp_path / "out")
    monkeypatch.setattr(Training, "run", lambda self: pytest.fail("a finished stage was trained again"))
    liken(toy, tmp_path / "out", ["toys"], ["per_token_cosine", "neuron_overlap"])


def test_a_target_is_never_its_own_source(tmp_path):
    make(tmp_path)
    text = (
        (tmp_path / "toy.yaml")
        .read_text()
        .replace("  toys: {data: toys.csv}", "  toys: {data: toys.csv}\n  films: {data: films.csv}")
    )
    (tmp_path / "toy.yaml").write_text(text)
    found = one(liken(recipes.read(tmp_path / "toy.yaml"), tmp_path / "out", ["films"], FREE))
    assert set(found.values["gradient_cosine"]) == {"books"}


def test_names_that_there_are_not_are_refused_before_anything_loads(toy, tmp_path):
    with pytest.raises(StudyError, match=r"no target 'toy' .did you mean 'toys'"):
        liken(toy, tmp_path / "out", ["toy"], FREE)
    with pytest.raises(SoftbridgeError, match="no similarity named 'fisher'") as told:
        liken(toy, tmp_path / "out", ["toys"], ["fisher"])
    assert "softbridge ls similarities" in str(told.value)
    assert not (tmp_path / "out").exists()


def test_rank_prints_the_sources_of_a_recipe(toy, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words):
        with pytest.raises(SystemExit) as stop:
            main(["rank", *words])
        return stop.value.code or 0, capsys.readouterr()

    status, said = call("toys", "--recipe", "toy.yaml", "--by", "gradient_cosine", "--out", "o")
    assert status == 0
    values = one(kept([tmp_path / "o"])).values["gradient_cosine"]
    first = max(values, key=lambda source: sum(values[source]))
    lines = [line for line in said.out.splitlines() if "2 of 2" in line]
    assert [line.split()[1] for line in lines] == sorted(values, key=lambda source: source != first)
    assert f"{sum(values[first]) / 2:.3f} ± " in lines[0]
    status, said = call("toys", "--recipe", "toy.yaml", "--by", "label_overlap", "--by", "gradient_cosine")
    lines = [line.split() for line in said.out.splitlines() if "_cosine" in line or "_overlap" in line]
    assert [line[:2] for line in lines] == [["label_overlap", "films"], ["gradient_cosine", first]]
    status, said = call("toys", "films", "--recipe", "toy.yaml")
    assert (status, "one of the two" in said.err) == (2, True)
    status, said = call("toys", "--recipe", "toy.yaml", "--by", "gradient")
    assert (status, "gradient_cosine" in said.err) == (2, True)


def test_saved_prompts_are_ranked_by_their_neurons_and_not_by_gradients(toy, tmp_path, monkeypatch, capsys):
    records = {record.arm: record for record in study.run(toy, tmp_path / "out").records}
    monkeypatch.setenv("COLUMNS", "400")
    stages = tmp_path / "out" / "stages"
    target = (tmp_path / "out" / records["scratch"].members[0]["prompt"]).with_name("seed0-last")
    sources = [str(next(stages.glob(f"extract-{name}-*")) / "prompts" / "seed0-last") for name in ("films", "books")]
    with pytest.raises(SystemExit) as stop:
        main(["rank", str(target), *sources, "--by", "neuron_overlap", "--by", "every"])
    assert not stop.value.code
    out = capsys.readouterr().out
    ranked = one(liken(toy, tmp_path / "out", ["toys"], ["cosine_of_means"])).values["cosine_of_means"]
    assert "neuron_overlap" in out
    assert "gradient" not in out
    assert all(f"{values[0]:.3f}" in out for values in ranked.values()), "from a recipe or from folders, it is the same"
    with pytest.raises(SystemExit) as stop:
        main(["similar", str(target), *sources, "--by", "neuron_overlap"])
    assert not stop.value.code
    assert "1.000" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["rank", str(target), *sources, "--by", "fisher_cosine"])
    assert stop.value.code == 2
    assert "--recipe RECIPE" in capsys.readouterr().err
