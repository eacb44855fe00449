"""The defining property of each bridge, and the contract of all."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from softbridge.bridges.base import Bridge, Crossing, Shore
from softbridge.bridges.none import NoPrompt
from softbridge.bridges.random import Random
from softbridge.bridges.reuse import Reuse
from softbridge.bridges.scratch import Scratch
from softbridge.bridges.spot import Spot
from softbridge.bridges.table import BRIDGES
from softbridge.errors import SoftbridgeError
from softbridge.injection import Injection
from softbridge.prompts.base import PromptModule
from softbridge.prompts.soft import SoftPrompt


def draw(seed, length=4, width=8):
    return torch.randn(length, width, generator=torch.Generator().manual_seed(seed))


def one(tokens):
    return Injection(tokens.unsqueeze(0))


def tokens(crossing):
    start = crossing.start
    return (start.bake() if isinstance(start, PromptModule) else start).tokens[0]


def shore(sources=("movies",), target=None, seed=0):
    prompts = {name: one(draw(i + 1)) for i, name in enumerate(sources)}

    def embed():
        assert target is not None, "the bridge asked for a task embedding that it does not need"
        return one(target)

    return Shore(prompts, prompts, lambda: SoftPrompt(draw(100)), embed, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", BRIDGES)
def test_every_bridge_keeps_the_contract(name):
    kind = BRIDGES[name]
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen
    bridge = kind()
    assert isinstance(bridge, Bridge)
    assert bridge.name == name
    assert bridge.reference
    there = shore()
    before = {k: v.tokens.clone() for k, v in there.sources.items()}
    crossing = bridge.cross(there)
    assert isinstance(crossing, Crossing)
    if crossing.start is not None:
        assert tokens(crossing).shape == (4, 8)
        tokens(crossing).add_(1)
    assert all(torch.equal(v.tokens, before[k]) for k, v in there.sources.items()), (
        "the source prompt is not the bridge's"
    )
    assert set(crossing.parents) <= set(there.sources)


def test_none_has_no_prompt():
    assert NoPrompt().cross(shore()).start is None


def test_scratch_reads_no_source():
    assert torch.equal(tokens(Scratch().cross(shore(sources=()))), draw(100))


def test_reuse_is_the_source_prompt_unchanged():
    assert torch.equal(tokens(Reuse().cross(shore())), draw(1))
    assert not Reuse().trains


def test_spot_from_a_named_source_starts_there():
    crossing = Spot(source="news").cross(shore(sources=("movies", "news")))
    assert torch.equal(tokens(crossing), draw(2))
    assert crossing.parents == ("news",)


@pytest.mark.parametrize("similarity", ["cosine_of_means", "per_token_cosine"])
def test_spot_chooses_the_most_similar_source(similarity):
    near = shore(sources=("movies", "news", "tweets"), target=3.0 * draw(2) + 0.1 * draw(9))
    crossing = Spot(similarity=similarity).cross(near)
    assert crossing.parents == ("news",)
    assert "news" in crossing.note


def test_random_keeps_each_norm_and_nothing_else():
    source, start = draw(1), tokens(Random().cross(shore()))
    torch.testing.assert_close(start.norm(dim=1), source.norm(dim=1))
    cosines = torch.nn.functional.cosine_similarity(start, source, dim=1)
    assert cosines.abs().max() < 0.95
    assert not torch.equal(start, tokens(Random().cross(shore(seed=1))))
    assert torch.equal(start, tokens(Random().cross(shore(seed=0))))


@pytest.mark.parametrize("bridge", [Reuse("moveis"), Spot("moveis"), Random("moveis")])
def test_a_wrong_source_is_told_with_the_nearest(bridge):
    with pytest.raises(SoftbridgeError, match="did you mean 'movies'"):
        bridge.cross(shore(sources=("movies", "news")))


def test_reuse_with_several_sources_asks_which():
    with pytest.raises(SoftbridgeError, match="no source is named"):
        Reuse().cross(shore(sources=("movies", "news")))


GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "bridges.json").read_text())


def golden_shore(monkeypatch):
    sources = {name: one(torch.tensor(rows)) for name, rows in GOLDEN["sources"].items()}
    noise = torch.tensor([GOLDEN["noise"]])
    fresh, target = SoftPrompt(torch.tensor(GOLDEN["fresh"])), one(torch.tensor(GOLDEN["target"]))
    monkeypatch.setattr(torch, "randn", lambda *shape, **keys: noise)
    return Shore(sources, sources, lambda: fresh, lambda: target, None)


@pytest.mark.parametrize("bridge", [Scratch(), Reuse(source="movies"), Random(source="movies")], ids=lambda b: b.name)
def test_starts_equal_the_golden_numbers(bridge, monkeypatch):
    start = tokens(bridge.cross(golden_shore(monkeypatch)))
    torch.testing.assert_close(start, torch.tensor(GOLDEN[bridge.name]), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("similarity", ["per_token_cosine", "cosine_of_means"])
def test_spot_chooses_as_the_golden_script_does(similarity, monkeypatch):
    assert Spot(similarity=similarity).cross(golden_shore(monkeypatch)).parents == (GOLDEN["spot"][similarity],)
