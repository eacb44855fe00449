"""From one model to another: what each bridge must do by its definition, and all of them end to end on pico models."""

import pytest
import torch

from softbridge.bridges.base import Shore
from softbridge.bridges.projector import Projector
from softbridge.bridges.recycle import Recycle
from softbridge.bridges.relative import Relative
from softbridge.bridges.vocabularies import Pair, shared_words
from softbridge.errors import BridgeError
from softbridge.injection import Injection
from softbridge.prompts.soft import SoftPrompt


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
    from softbridge.bridges.projector import Projected

    kind.approach({"a": Projected(net, prompts["a"])}, {"a": there.native("a")})
    torch.testing.assert_close(Projected(net, prompts["a"])().tokens, there.native("a").tokens, atol=0.05, rtol=0.05)
    assert kind.cross(there).parents == ("b",)


def test_a_large_projector_says_its_size_and_is_not_built():
    large = Injection(torch.zeros(1, 100, 1024))
    with pytest.raises(BridgeError, match=r"157,388,544 weights|weights"):
        Projector(flat=True).built(large, large, draw())


def test_words_are_shared_whatever_marks_their_beginning():
    found = shared_words({"▁film": 5, "▁the": 2, "s": 1, "▁": 0}, {"film": 9, "##film": 3, "the": 4, "[MASK]": 1})
    assert found == [("the", 2, 4), ("film", 5, 9)]


def test_too_few_shared_words_are_refused(turned):
    pair, _ = turned
    with pytest.raises(BridgeError, match="share 40 words, 0 after the first 1000"):
        Recycle().cross(shore(pair, torch.ones(2, 6)))
