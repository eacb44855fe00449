"""Generation with a prompt: every way of decoding writes what a plain loop over the scoring pass writes."""

import pytest
import torch

from softbridge.backbones.heads import logits
from softbridge.batch import Rows
from softbridge.errors import BackboneError
from softbridge.injection import shared
from softbridge.prompts.table import PROMPTS
from softbridge.seeding import generator
from tests import pico

KINDS = ["soft", "prefix", "late", "dept", "adept"]
MODELS = {"llama": pico.llama, "gpt2": pico.gpt2}
TEXTS = ["good w1 w2 w3 fine", "bad", "w4 w5 awful"]


@pytest.fixture(scope="module", params=MODELS)
def backbone(request):
    return pico.causal(MODELS[request.param]())


def prompt_of(kind, backbone):
    made = PROMPTS[kind](length=3).build(backbone.space(), generator(0, "generation"))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator(1, "noise")))
    return made.bake()


def by_hand(backbone, text, prompt, count):
    """Return the likeliest tokens, one after the other, from whole passes over one row alone."""
    ids = torch.tensor([backbone.tokenise([text])[0]])
    begun = ids.shape[1]
    for _ in range(count):
        with torch.no_grad():
            state = backbone.hidden(ids, torch.ones_like(ids), shared(prompt, ids))[:, -1]
            token = backbone.model.get_output_embeddings()(state).argmax(-1, keepdim=True)
        ids = torch.cat([ids, token], dim=1)
    return backbone.cut(ids[:, begun:])[0]


@pytest.mark.parametrize("kind", [None, *KINDS])
@pytest.mark.parametrize(
    "settings", [{}, {"use_cache": False}, {"cache_implementation": "static"}], ids=["cache", "none", "static"]
)
def test_greedy_equals_a_loop_by_hand_in_a_batch_of_unequal_lengths(backbone, kind, settings):
    prompt = None if kind is None else prompt_of(kind, backbone)
    batch = backbone.batch(Rows(backbone.tokenise(TEXTS), [0] * len(TEXTS)))
    written = backbone.generate(batch, prompt, max_new_tokens=6, do_sample=False, **settings)
    assert written == [by_hand(backbone, text, prompt, 6) for text in TEXTS]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", [{"num_beams": 3}, {"num_beams": 3, "num_return_sequences": 2}])
def test_beams_with_a_cache_equal_beams_without(backbone, kind, settings):
    prompt = prompt_of(kind, backbone)
    batch = backbone.batch(Rows(backbone.tokenise(TEXTS), [0] * len(TEXTS)))
    cached = backbone.generate(batch, prompt, max_new_tokens=5, do_sample=False, **settings)
    plain = backbone.generate(batch, prompt, max_new_tokens=5, do_sample=False, use_cache=False, **settings)
    assert len(cached) == len(TEXTS) * settings.get("num_return_sequences", 1)
    assert cached == plain


@pytest.mark.parametrize("kind", KINDS)
def test_sampling_repeats_with_its_seed_and_leaves_the_model_as_it_was(backbone, kind):
    prompt = prompt_of(kind, backbone)
    batch = backbone.batch(Rows(backbone.tokenise(TEXTS), [0] * len(TEXTS)))
    before = backbone.score(batch, None)
    drawn = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        drawn.append(backbone.generate(batch, prompt, max_new_tokens=8, do_sample=True))
    assert drawn[0] == drawn[1] != drawn[2]
    assert torch.equal(backbone.score(batch, None), before)
    assert "forward" not in vars(backbone.model)


def test_the_prompt_matters(backbone):
    batch = backbone.batch(Rows(backbone.tokenise(TEXTS), [0] * len(TEXTS)))
    settings = {"max_new_tokens": 6, "do_sample": False}
    assert backbone.generate(batch, prompt_of("prefix", backbone), **settings) != backbone.generate(
        batch, None, **settings
    )


@pytest.mark.parametrize("family", ["seq2seq t5", "seq2seq bart"])
@pytest.mark.parametrize("kind", ["soft", "dept", "adept"])
@pytest.mark.parametrize("settings", [{}, {"use_cache": False}])
def test_an_encoder_decoder_writes_what_its_decoder_scores_highest(family, kind, settings):
    backbone = pico.BACKBONES[family]()
    prompt = prompt_of(kind, backbone)
    batch = backbone.batch(Rows(backbone.tokenise(TEXTS), [0] * len(TEXTS)))
    backbone.model.generation_config.forced_eos_token_id = None  # BART's, at the last place
    written = backbone.generate(batch, prompt, max_new_tokens=5, do_sample=False, **settings)
    for text, row in zip(TEXTS, written, strict=True):
        alone = backbone.batch(Rows(backbone.tokenise([text]), [0]))
        with torch.no_grad():
            states, mask = backbone.encode(alone, shared(prompt, alone.input_ids))
            told = [backbone.model.config.decoder_start_token_id]
            for _ in range(5):
                told.append(int(logits(backbone.model, backbone.decode(states, mask, told)[:, -1]).argmax()))
        assert row == backbone.cut(torch.tensor([told[1:]]))[0]


def test_a_sentence_encoder_writes_no_text():
    backbone = pico.BACKBONES["sentence"]()
    batch = backbone.batch(Rows(backbone.tokenise(["good"]), [0]))
    with pytest.raises(BackboneError, match="writes no text"):
        backbone.generate(batch, None)
