"""The defining property of each bridge, and the contract of all."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from softbridge.backbones.mixing import attend
from softbridge.bridges.arithmetic import Arithmetic
from softbridge.bridges.base import Bridge, Crossing, Joined, Shore
from softbridge.bridges.grouped import Grouped, likeness
from softbridge.bridges.mixtures import MixedPrompt
from softbridge.bridges.none import NoPrompt
from softbridge.bridges.random import Random
from softbridge.bridges.reuse import Reuse
from softbridge.bridges.scratch import Scratch
from softbridge.bridges.spot import Spot
from softbridge.bridges.table import BRIDGES
from softbridge.bridges.vocabularies import Pair
from softbridge.errors import SoftbridgeError
from softbridge.injection import Injection
from softbridge.losses.distillation import divergence
from softbridge.prompts.base import PromptModule
from softbridge.prompts.soft import SoftPrompt

LOSSES = {"movies": 0.6, "news": 0.3, "tweets": 0.9}


def draw(seed, length=4, width=8):
    return torch.randn(length, width, generator=torch.Generator().manual_seed(seed))


def one(tokens):
    return Injection(tokens.unsqueeze(0))


def tokens(crossing):
    start = crossing.start
    return (start.bake() if isinstance(start, PromptModule) else start).tokens[0]


def two_models(prompts):
    """Return what a shore has between two models of one width: shared words, and the prompts at home on the target."""
    words = torch.randn(40, 8, generator=torch.Generator().manual_seed(7))
    pair = Pair(tuple(f"w{i}" for i in range(40)), words, words.flip(1))
    return {
        "pair": lambda: pair,
        "own": next(iter(prompts)),
        "native": lambda name: prompts[name].each(lambda part: part.flip(-1)),
        "tune": lambda modules, steps, rate: None,
        "match": lambda module, prompt, matching: (1.0, 0.5),
    }


def shore(sources=("movies",), target=None, seed=0, models=1):
    prompts = {name: one(draw(i + 1)) for i, name in enumerate(sources)}

    def embed():
        assert target is not None, "the bridge asked for a task embedding that it does not need"
        return one(target)

    def mixture(names):
        return one(torch.stack([prompts[name].tokens[0] for name in names]).mean(0))

    def together(way):
        pupils = way.gather(one(draw(100)), prompts, torch.Generator().manual_seed(seed))
        return Joined({name: pupil.prompt for name, pupil in pupils.items()}, {})

    return Shore(
        prompts,
        prompts,
        lambda: SoftPrompt(draw(100)),
        embed,
        torch.Generator().manual_seed(seed),
        other=lambda: SoftPrompt(draw(200)),
        snapshots=lambda name: [one(draw(100)), one(0.5 * (draw(100) + prompts[name].tokens[0])), prompts[name]],
        losses=lambda starts: [float(abs(start.tokens.mean() - 0.2)) for start in starts],
        adapted=lambda name: (prompts[name].each(lambda part: part + 1), LOSSES[name]),
        mixture=mixture,
        together=together,
        **(two_models(prompts) if models == 2 else {}),
    )


@pytest.mark.parametrize("name", BRIDGES)
def test_every_bridge_keeps_the_contract(name):
    kind = BRIDGES[name]
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen
    two = kind.models == (2,)
    bridge = kind(**({"skip": 0} if name == "recycle" else {}))
    assert isinstance(bridge, Bridge)
    assert bridge.name == name
    assert bridge.reference
    there = shore(("movies", "news") if two else ("movies",), target=draw(50), models=max(kind.models))
    before = {k: v.tokens.clone() for k, v in there.sources.items()}
    crossing = bridge.cross(there)
    assert isinstance(crossing, Crossing)
    if name != "ensemble" and crossing.start is not None:
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
    none = [None] * 5
    return Shore(sources, sources, lambda: fresh, lambda: target, None, *none[1:], None)


@pytest.mark.parametrize("bridge", [Scratch(), Reuse(source="movies"), Random(source="movies")], ids=lambda b: b.name)
def test_starts_equal_the_golden_numbers(bridge, monkeypatch):
    start = tokens(bridge.cross(golden_shore(monkeypatch)))
    torch.testing.assert_close(start, torch.tensor(GOLDEN[bridge.name]), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("similarity", ["per_token_cosine", "cosine_of_means"])
def test_spot_chooses_as_the_golden_script_does(similarity, monkeypatch):
    assert Spot(similarity=similarity).cross(golden_shore(monkeypatch)).parents == (GOLDEN["spot"][similarity],)


def test_sums_equal_the_golden_numbers(monkeypatch):
    there = golden_shore(monkeypatch)
    names = list(GOLDEN["sources"])
    weights = dict(zip(names, (1.0, -1.0, 1.0), strict=True))
    close = {
        "arithmetic": tokens(Arithmetic(scale=0.5, weights=weights).cross(there)),
        "average": tokens(Spot(top=2).cross(there)),
    }
    for name, found in close.items():
        torch.testing.assert_close(found, torch.tensor(GOLDEN[name]), atol=1e-5, rtol=1e-5)
    module = Grouped().cross(there).start
    found = torch.stack([likeness(module.target.detach(), source) for source in module.sources])
    torch.testing.assert_close(found, torch.tensor(GOLDEN["likeness"]), atol=1e-5, rtol=1e-5)


def test_attention_and_distillation_equal_the_golden_numbers():
    case = GOLDEN["attempt"]
    frozen = torch.stack([torch.tensor(rows) for rows in GOLDEN["sources"].values()])
    made = MixedPrompt(frozen, None, 3, case["heat"], torch.Generator())
    norm = torch.tensor([case["gain"], case["shift"]])
    made.load_state_dict(
        {"frozen": frozen, "down": torch.tensor(case["down"]), "up": torch.tensor(case["up"]), "norm": norm}
    )
    text = torch.tensor([case["text"]])
    weights = attend(text, torch.ones(text.shape[:2]), made.bake())
    torch.testing.assert_close(weights[0], torch.tensor(case["weights"]), atol=1e-6, rtol=1e-5)
    case = GOLDEN["divergence"]
    found = divergence(torch.tensor([case["teacher"]]), torch.tensor([case["student"]]))
    torch.testing.assert_close(found[0], torch.tensor(case["value"]), atol=1e-6, rtol=1e-5)
