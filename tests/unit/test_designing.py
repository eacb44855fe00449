"""The stage `design`: what it reads, what it measures, and that its text starts the prompts of a study."""

import json
import math
from dataclasses import replace

import pytest
import torch
from datasets import Dataset

from softbridge.domains.candidates import Candidate, Design, candidates
from softbridge.domains.domain import Domain
from softbridge.domains.terms import Term
from softbridge.errors import DataError, PromptError, RecipeError
from softbridge.prompts import files
from softbridge.prompts.initialisers import INITIALISERS
from softbridge.prompts.soft import Soft
from softbridge.recipe import read
from softbridge.study import designing, plan
from softbridge.study import run as run_study
from tests import pico

LABELS = {"negative": "negative", "positive": "positive"}
KIND = Soft(length=6, init="design")


def domain(name, own, seed=0):
    """Return a toy domain, each of whose texts holds one of its own words."""
    texts, labels = pico.texts(80, seed)
    rows = Dataset.from_dict({"text": [f"{t} {own[i % len(own)]}" for i, t in enumerate(texts)], "label": labels})
    return Domain(rows, labels=LABELS, validation=16).open(name)


@pytest.fixture(scope="module")
def two():
    return [domain("left", ["w1", "w2"]), domain("right", ["w3"], seed=1)]


@pytest.fixture
def words(monkeypatch):
    """Let the toy vocabulary's words, which hold digits, count as words."""
    from softbridge.domains import terms

    monkeypatch.setattr(terms, "content_words", str.split)


def test_the_terms_are_the_domains_own_and_fit_the_prompt(two, words):
    found = designing.propose(two, None, Design(terms=(1,), templates=("{terms}",)), pico.sentence(), KIND)
    assert {one.candidate.domain for one in found} == {"left", "right", designing.TOGETHER}
    right = next(one for one in found if one.candidate.domain == "right" and len(one.candidate.terms) == 1)
    assert right.candidate.text == "w3"
    assert right.coverage == pytest.approx((1.0 + 0.0) / 2, abs=0.35)
    assert all(1 <= one.tokens <= KIND.length for one in found)
    assert all(one.distance == pytest.approx(0, abs=1e-5) for one in found)


def test_what_a_template_says_in_every_text_is_no_term():
    rows = Dataset.from_list([{"text": f"query good {i}", "label": "ab"[i % 2]} for i in range(40)])
    domain = Domain(rows, labels={"a": "a", "b": "b"}, template="query: {text} Answer:", test=4, validation=4).open(
        "mine"
    )
    found = designing.texts(domain)
    assert sorted(found)[0].split() == ["query", "good", "0"]
    assert not any("Answer" in text for text in found)


def test_a_test_row_is_never_read(two, words):
    """Words that stand in test rows alone are no terms, and other test rows change nothing."""
    rows = two[0].test.map(lambda row: {"text": "superb superb superb"})
    poisoned = [replace(two[0], test=rows), two[1]]
    settings, backbone = Design(terms=(2,)), pico.sentence()
    assert designing.propose(poisoned, None, settings, backbone, KIND) == designing.propose(
        two, None, settings, backbone, KIND
    )


def test_ranks_weigh_every_measure_alike_and_loss_alone_does_not():
    def one(text, coverage, tokens, loss):
        return designing.Scored(Candidate(text, (), "a", "m"), coverage, tokens, None, 0.0, loss)

    broad, low = one("broad", 0.9, 2, 0.7), one("low", 0.2, 5, 0.6)
    assert [s.candidate.text for s in designing.ranked([low, broad])] == ["broad", "low"]
    assert [s.rank for s in designing.ranked([low, broad])] == pytest.approx(
        [(1 + 1 + 1.5 + 2) / 4, (2 + 2 + 1.5 + 1) / 4]
    )
    assert [s.candidate.text for s in designing.ranked([broad, low], "loss")] == ["low", "broad"]


def test_perplexity_of_a_causal_model_is_the_exponential_of_its_own_loss():
    backbone = pico.causal()
    ids = [5, 9, 14]
    rows = torch.tensor([[backbone.pad_id, *ids]])  # the toy tokenizer has no token that begins a text
    loss = backbone.model(input_ids=rows, labels=rows).loss
    assert designing.perplexity(backbone, ids) == pytest.approx(math.exp(loss), rel=1e-5)


def test_pseudo_perplexity_masks_one_token_at_a_time():
    backbone = pico.of_kind("masked", pico.masked_bert())
    ids, told = [5, 9, 14], []
    for i, token in enumerate(ids):
        row = [1, *ids, 2]
        row[i + 1] = backbone.tokenizer.mask_token_id
        told.append(backbone.model(torch.tensor([row])).logits[0, i + 1].log_softmax(-1)[token].item())
    assert designing.perplexity(backbone, ids) == pytest.approx(math.exp(-sum(told) / 3), rel=1e-5)
    assert designing.perplexity(pico.sentence(), ids) is None


def test_candidates_are_refused_where_there_is_room_for_none():
    terms = {("a", "log_odds"): [Term("plot", 1.0, 0.5)]}
    with pytest.raises(DataError, match="has room for no candidate"):
        candidates(terms, {"a": "en"}, {"a": ("bad", "good")}, Design(), lambda text: False)


@pytest.mark.parametrize(
    ("wrong", "seen"), [({"terms": (0,)}, "terms is 0"), ({"templates": ("about {label}",)}, "slots are label")]
)
def test_settings_that_cannot_be_are_refused(wrong, seen):
    with pytest.raises(DataError, match=seen):
        Design(**wrong)


def test_a_prompt_that_was_not_designed_says_how_to():
    with pytest.raises(PromptError, match="no text was designed"):
        KIND.build(pico.sentence().space(), torch.Generator())
    space = pico.sentence().space()
    told = INITIALISERS["design"](space, 3, torch.Generator(), text="w1 w2")
    assert torch.equal(told, INITIALISERS["text"](space, 3, torch.Generator(), text="w1 w2"))


@pytest.fixture
def recipe(tmp_path, words):
    pico.save_backbone(tmp_path / "model")
    for name, seed in (("a", 0), ("b", 1)):
        pico.frame(120, seed).to_csv(tmp_path / f"{name}.csv", index=False)
    text = """
name: designed
seeds: [0, 1]
backbone: {name: model, max_length: 16, precision: float32, attention: sdpa, device: cpu}
prompt: {kind: soft, length: 4, init: design}
design: {terms: [1, 2], rows: 4, candidates: 5, templates: ["{terms}"]}
domain: {labels: {negative: negative, positive: positive}, validation: 16}
sources: {a: {data: a.csv}}
targets: {b: {data: b.csv}}
shots: 4
validation_shots: 4
training: {source: {steps: 2, batch: 4}, target: {steps: 2, batch: 4}}
arms: {scratch: {bridge: scratch}, spot: {bridge: spot}}
"""
    (tmp_path / "my.yaml").write_text(text)
    return tmp_path / "my.yaml"


def test_a_study_starts_every_prompt_from_its_seeds_text(recipe, tmp_path):
    tree, out = read(recipe), tmp_path / "out"
    assert next((s.name, s.finished) for s in plan(tree, out)) == ("design", False)
    records = run_study(tree, out).records
    (folder,) = (out / "stages").glob("design-*")
    result = json.loads((folder / "result.json").read_text())
    assert set(result["texts"]) == {"0", "1"}
    assert records[0].prompt["texts"] == result["texts"]
    best = result["candidates"]["1"][0]
    assert best["candidate"]["text"] == result["texts"]["1"]
    assert best["rank"] == min(one["rank"] for one in result["candidates"]["1"])
    # The first look of a source's training is the prompt as it started.
    from softbridge.prompts.series import load_series

    (looks,) = (out / "stages").glob("extract-a-*/prompts/seed1-looks.safetensors")
    space = pico.sentence().space()
    start = Soft(length=4, init="text", text=result["texts"]["1"]).build(space, torch.Generator()).bake()
    assert torch.allclose(load_series(looks)[0].tokens, start.tokens)
    (saved,) = (out / "stages").glob("extract-a-*/prompts/seed1-best")
    assert files.load(saved).card.init == "design"
    assert next((s.name, s.finished) for s in plan(tree, out)) == ("design", True)


def test_other_settings_are_another_stage_and_no_design_is_none(recipe, tmp_path):
    out = tmp_path / "out"

    def digests(*overrides):
        return {stage.name: stage.digest for stage in plan(read(recipe, overrides), out)}

    ours, other = digests(), digests("design.rows=2")
    assert ours.keys() == other.keys()
    assert not set(ours.values()) & set(other.values())
    assert "design" not in digests("design=null", "prompt.init=vocabulary")


def test_a_design_that_no_prompt_starts_from_is_refused(recipe):
    with pytest.raises(
        RecipeError, match=r"design  finds a text that no prompt starts from; write prompt: \{init: design\}"
    ):
        read(recipe, ["prompt.init=vocabulary"])
    with pytest.raises(RecipeError, match=r"background  'nowhere\.csv' is no file"):
        read(recipe, ["design.background=nowhere.csv"])
