"""From one model to another: what each bridge must do by its definition, and all of them end to end on pico models."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from softbridge import recipe as recipes
from softbridge import study
from softbridge.bridges import projector
from softbridge.bridges.base import Abroad, Shore
from softbridge.bridges.projector import Projected, Projector
from softbridge.bridges.recycle import Recycle
from softbridge.bridges.relative import Relative, encoded, relative
from softbridge.bridges.vocabularies import Pair, shared_words
from softbridge.errors import BridgeError, RecipeError
from softbridge.injection import Injection
from softbridge.losses.distillation import shifts
from softbridge.prompts.soft import SoftPrompt
from softbridge.records.store import read
from tests import pico

CASES = json.loads((Path(__file__).parents[1] / "golden" / "bridges.json").read_text())
GOLDEN, SEVERAL = CASES["abroad"], CASES["several"]
RECIPE = """
name: models
seeds: [0, 1]
source_backbone:
  - {{name: {folder}/causal, max_length: 32, precision: float32, attention: sdpa}}
  - {{name: {folder}/second, max_length: 32, precision: float32, attention: sdpa}}
backbone: {{name: {folder}/sentence, max_length: 32, precision: float32, attention: sdpa}}
prompt: {{length: 3}}
domain:
  labels: {{negative: negative, positive: positive}}
sources: &domains
  films: {{data: films.csv}}
  books: {{data: books.csv}}
  toys: {{data: toys.csv}}
targets:
  toys: {{data: toys.csv}}
shots: 8
validation_shots: 4
training:
  source: {{steps: 8, batch: 4, learning_rate: 0.05, evaluate_every: 4}}
  target: {{steps: 4, batch: 4, learning_rate: 0.05, evaluate_every: 2}}
arms:
  native: {{bridge: scratch}}
  random: {{bridge: random, train: false}}
  recycle: {{bridge: recycle, skip: 0}}
  relative: {{bridge: relative, steps: 20}}
  every: {{bridge: relative, steps: 20, every: true}}
  models: {{bridge: relative, steps: 20, every_model: true}}
  looked: {{bridge: relative, steps: 100, choose: validation}}
  projector: {{bridge: projector, steps: 20, width: 8}}
  tuning: {{bridge: projector, form: tuning, flat: true, steps: 6, width: 8}}
  post: {{bridge: post, steps: 6, texts: 16}}
  trained: {{bridge: recycle, skip: 0, train: true}}
"""


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def turned():
    """Return words whose target embeddings are the source's, turned: an orthogonal map from width 6 to 6."""
    source = torch.randn(40, 6, generator=draw())
    turn = torch.linalg.qr(torch.randn(6, 6, generator=draw(1))).Q
    return Pair(tuple(f"w{i}" for i in range(40)), source, source @ turn), turn


def shore(pair, prompt, **more):
    named = {"films": Injection(prompt.unsqueeze(0))}
    begun = torch.randn(len(prompt), pair.target.shape[1], generator=draw(5))
    return Shore(
        named, named, lambda: SoftPrompt(begun), None, draw(), None, None, None, None, None, pair=lambda: pair, **more
    )


@pytest.mark.parametrize("form", ["linear", "combination"])
def test_a_known_orthogonal_map_is_recovered(turned, form):
    pair, turn = turned
    prompt = torch.randn(3, 6, generator=draw(2))
    made = Recycle(form=form, words=40, skip=0).cross(shore(pair, prompt)).start.tokens[0]
    torch.testing.assert_close(made, prompt @ turn, atol=1e-4, rtol=1e-4)


def test_the_random_control_has_the_linear_maps_norms_and_another_direction(turned):
    pair, _ = turned
    prompt = torch.randn(3, 6, generator=draw(2))
    linear, noise = (
        Recycle(form=form, words=40, skip=0).cross(shore(pair, prompt)).start.tokens[0] for form in ("linear", "random")
    )
    torch.testing.assert_close(noise.norm(dim=1), linear.norm(dim=1))
    assert (noise - linear).norm() > 0.1


def test_a_network_comes_near_the_words_it_was_trained_on(turned):
    pair, _ = turned
    words = Pair(pair.words * 50, pair.source.repeat(50, 1), pair.target.repeat(50, 1))
    made = Recycle(form="network", words=2000, skip=0).cross(shore(words, pair.source[:3])).start.tokens[0]
    assert (made - pair.target[:3]).norm() < 0.5 * pair.target[:3].norm()


def test_a_relative_encoding_is_found_again_and_its_statistics_are_the_words(turned):
    pair, _ = turned
    prompt = torch.randn(3, 6, generator=draw(2))
    crossing = Relative(steps=400, rate=0.05).cross(shore(pair, prompt))
    found = crossing.start.tokens[0]
    assert float(crossing.note.split("cosine ")[1].split(",")[0]) > 0.9
    torch.testing.assert_close(found.mean(1), pair.target.mean().expand(3), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.std(1), pair.target.std().expand(3), atol=1e-5, rtol=1e-5)


def foreign(i):
    """Return what the golden case has of one source model, and a target of the same words."""
    names, words = SEVERAL["names"][i], torch.tensor(SEVERAL["words"][i])
    target = torch.stack([torch.randn(5, generator=draw(int(name[1:]))) for name in names])
    return Abroad({"films": Injection(torch.tensor([SEVERAL["prompts"][i]]))}, Pair(tuple(names), words, target))


def test_encodings_on_several_models_are_averaged_over_the_words_that_all_share():
    first, second = foreign(0), foreign(1)
    there = shore(first.pair, first.sources["films"].tokens[0], further=lambda: [second])
    models = Relative(every_model=True).anchored(there)
    torch.testing.assert_close(encoded(models, ["films"]), torch.tensor(SEVERAL["mean"]), atol=1e-6, rtol=1e-5)
    assert all(torch.equal(one.pair.target, models[0].pair.target) for one in models)
    assert "from films on 2 models, 5 anchors" in Relative(every_model=True, steps=2).cross(there).note
    assert "from films, 8 anchors" in Relative(steps=2).cross(there).note


def test_a_model_that_is_listed_twice_says_what_it_says_alone():
    first = foreign(0)
    there = shore(first.pair, first.sources["films"].tokens[0], further=lambda: [first])
    alone, twice = (Relative(every_model=every, steps=30).cross(there).start.tokens for every in (False, True))
    torch.testing.assert_close(twice, alone)


def test_a_projector_that_learned_a_pair_sends_it_there(turned):
    pair, turn = turned
    prompts = {name: Injection(torch.randn(1, 3, 6, generator=draw(i))) for i, name in enumerate(["a", "b"])}
    begun = torch.zeros(3, 6)
    there = Shore(
        prompts, prompts, lambda: SoftPrompt(begun), None, draw(), None, None, None, None, None, pair=lambda: pair,
        own="b", native=lambda name: prompts[name].each(lambda part: part @ turn),
    )  # fmt: skip
    kind = Projector(steps=800, width=64)
    net = kind.built(prompts["a"], Injection(begun[None]), draw())
    kind.approach({"a": Projected(net, prompts["a"])}, {"a": there.native("a")})
    torch.testing.assert_close(Projected(net, prompts["a"])().tokens, there.native("a").tokens, atol=0.05, rtol=0.05)
    assert kind.cross(there).parents == ("b",)


def test_a_large_projector_says_its_size_and_is_not_built():
    large = Injection(torch.zeros(1, 100, 1024))
    with pytest.raises(BridgeError, match=r"157,388,544 weights|weights"):
        Projector(flat=True).built(large, large, draw())


def test_a_large_flat_projector_is_refused_before_anything_trains(two, tmp_path, monkeypatch):
    monkeypatch.setattr(projector, "LARGEST", 1000)
    by_token = replace(two, arms={"projector": two.arms["projector"]})
    assert study.plan(by_token, tmp_path / "out")
    bridge = replace(two.arms["projector"].bridge, flat=True)
    flat = replace(two, arms={"projector": replace(two.arms["projector"], bridge=bridge)})
    for begin in (study.plan, study.run):
        with pytest.raises(BridgeError, match=r"has [\d,]+ weights"):
            begin(flat, tmp_path / "out")
    assert not (tmp_path / "out" / "stages").exists()
    monkeypatch.setattr(projector, "LARGEST", 10**9)
    assert study.plan(flat, tmp_path / "out")


def test_words_are_shared_whatever_marks_their_beginning():
    found = shared_words({"▁film": 5, "▁the": 2, "s": 1, "▁": 0}, {"film": 9, "##film": 3, "the": 4, "[MASK]": 1})
    assert found == [("the", 2, 4), ("film", 5, 9)]


def test_too_few_shared_words_are_refused(turned):
    pair, _ = turned
    with pytest.raises(BridgeError, match="share 40 words, 0 after the first 1000"):
        Recycle().cross(shore(pair, torch.ones(2, 6)))


def test_the_maps_equal_the_golden_numbers():
    given = {name: torch.tensor(rows) for name, rows in GOLDEN.items() if name not in ("words", "net", "post")}
    words = {name: torch.tensor(rows) for name, rows in GOLDEN["words"].items()}
    pair = Pair(tuple(f"w{i}" for i in range(20)), words["source"], words["target"])
    torch.testing.assert_close(Recycle().mapped(given["prompt"], pair, draw()), given["recycle"], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(relative(given["prompt"], words["source"]), given["relative"], atol=1e-6, rtol=1e-5)
    net = Projector(width=4).built(Injection(given["prompt"][None]), Injection(torch.zeros(1, 3, 5)), draw())
    names = {"0.weight": "first", "0.bias": "shift", "2.weight": "last", "2.bias": "end"}
    net.load_state_dict({place: torch.tensor(GOLDEN["net"][name]) for place, name in names.items()})
    made = Projected(net, Injection(given["prompt"][None]))().tokens[0]
    torch.testing.assert_close(made, given["projector"], atol=1e-5, rtol=1e-5)
    found = shifts(*(row[None] for row in given["answers"]), weight=0.3, temperature=2.0)
    torch.testing.assert_close(found, torch.tensor([GOLDEN["post"]]), atol=1e-6, rtol=1e-5)


def test_a_prompt_that_changes_as_its_source_does_has_no_loss():
    rows = torch.randn(4, 3, generator=draw())
    bare = torch.randn(4, 3, generator=draw(1))
    assert shifts(rows, bare, rows + 2.0, bare, 0.5, 2.0).abs().max() < 1e-6  # a shift of all scores is no change
    assert (shifts(rows, bare, rows.flip(1), bare, 0.5, 2.0) > 0).any()


@pytest.fixture
def two(tmp_path):
    for seed, name in enumerate(["films", "books", "toys"]):
        pico.frame(seed=seed).to_csv(tmp_path / f"{name}.csv")
    for folder, kind in {"causal": "causal", "second": "masked", "sentence": "sentence"}.items():
        pico.save_backbone(tmp_path / folder, kind)
    path = tmp_path / "models.yaml"
    path.write_text(RECIPE.format(folder=tmp_path))
    return recipes.read(path)


def test_prompts_cross_from_a_causal_model_to_a_sentence_encoder(two, tmp_path, monkeypatch):
    first = study.run(two, tmp_path / "out")
    by_arm = {record.arm: record for record in first.records}
    assert set(by_arm) == set(two.arms)
    assert by_arm["models"].members[0]["note"].startswith("from toys on 2 models")
    assert by_arm["models"].budget["source_steps"] == 2 * by_arm["relative"].budget["source_steps"] == 48
    told = [line["domain"].split("/")[-1] for line in by_arm["models"].losses if line["stage"] == "extract"]
    assert told == ["causal", "second"] * 3
    assert by_arm["models"].budget["rows_seen"] == 2 * by_arm["relative"].budget["rows_seen"]
    for name in ("recycle", "relative", "projector", "post"):
        assert [member["note"].split(",")[0] for member in by_arm[name].members] == ["from toys"] * 2
        assert by_arm[name].budget["target_steps"] == 0
    assert by_arm["every"].members[0]["note"].startswith("from films and books and toys")
    assert "by validation" in by_arm["looked"].members[0]["note"]
    assert by_arm["trained"].budget["target_steps"] == 4
    assert by_arm["recycle"].members[0]["best"]["test"] != by_arm["random"].members[0]["best"]["test"]
    monkeypatch.setattr(Recycle, "cross", lambda *_: pytest.fail("a finished arm was crossed again"))
    again = study.run(two, tmp_path / "out")
    assert [r.members for r in again.records] == [r.members for r in first.records]
    assert len(read([tmp_path / "out"])) == len(two.arms)


def test_what_stays_within_one_model_is_refused_between_two_and_the_other_way_round(two, tmp_path):
    text = (tmp_path / "models.yaml").read_text()
    (tmp_path / "models.yaml").write_text(text.replace("{bridge: recycle, skip: 0}", "{bridge: spot}"))
    with pytest.raises(RecipeError, match="is spot, which stays within one model"):
        recipes.read(tmp_path / "models.yaml")
    alone = "\n".join(line for line in text.splitlines() if not line.startswith(("source_backbone", "  - {name")))
    (tmp_path / "models.yaml").write_text(alone)
    with pytest.raises(RecipeError, match="goes from one model to another"):
        recipes.read(tmp_path / "models.yaml")


def test_several_source_models_and_an_arm_that_reads_them_need_each_other(two, tmp_path):
    text = (tmp_path / "models.yaml").read_text()
    (tmp_path / "models.yaml").write_text(text.replace(", every_model: true", ""))
    with pytest.raises(RecipeError, match="has 2 models, and no arm reads more than the first"):
        recipes.read(tmp_path / "models.yaml")
    (tmp_path / "models.yaml").write_text("\n".join(line for line in text.splitlines() if "/second" not in line))
    with pytest.raises(RecipeError, match="every_model  is true, and sources have one model"):
        recipes.read(tmp_path / "models.yaml")
    (tmp_path / "models.yaml").write_text(text.replace("/second", "/causal"))
    with pytest.raises(RecipeError, match=r"models.yaml:6  source_backbone.1  is .*/causal a second time"):
        recipes.read(tmp_path / "models.yaml")


def test_a_recipe_of_several_source_models_reads_back_as_itself_and_plans_each_source_on_each(two, tmp_path):
    (tmp_path / "again.yaml").write_text(two.to_yaml())
    assert recipes.read(tmp_path / "again.yaml") == two
    planned = [stage for stage in study.plan(two, tmp_path / "out") if stage.name == "extract-toys"]
    assert [stage.note.split("/")[-1] for stage in planned] == ["causal", "second"]


def test_the_combined_budget_counts_each_source_on_each_model(two, tmp_path):
    (tmp_path / "models.yaml").write_text(
        (tmp_path / "models.yaml").read_text() + "  both: {bridge: scratch, budget: combined}\n"
    )
    planned = {stage.steps for stage in study.plan(recipes.read(tmp_path / "models.yaml"), tmp_path / "out")}
    assert 4 + 2 * 3 * 8 in planned, "three sources of 8 steps, on two models, and the target's 4"
