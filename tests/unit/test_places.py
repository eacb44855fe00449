"""How many places a model has, measured by running it that far and one place farther."""

import pytest
import torch

import softbridge as sb
from softbridge import recipe as recipes
from softbridge import study
from softbridge.backbones.places import places, refuse_beyond
from softbridge.errors import BackboneError
from tests import pico, toy

ENDING = ["sentence", "gpt2", "masked bert", "masked roberta", "seq2seq bart", "encoder_classifier roberta"]
ENDLESS = ["llama", "masked modernbert", "seq2seq t5"]


def run(backbone, count):
    """Read a text of so many places."""
    body = backbone.model
    body = body.get_encoder() if body.config.is_encoder_decoder else body.base_model
    with torch.no_grad():
        return body(input_ids=torch.full((1, count), 7)).last_hidden_state.shape[1]


@pytest.mark.parametrize("kind", ENDING)
def test_a_table_of_positions_ends_where_the_model_fails(kind):
    backbone = pico.BACKBONES[kind]()
    most = places(backbone.model)
    assert run(backbone, most) == most
    with pytest.raises((IndexError, RuntimeError)):
        run(backbone, most + 1)


@pytest.mark.parametrize("kind", ENDLESS)
def test_positions_that_are_computed_do_not_end(kind):
    backbone = pico.BACKBONES[kind]()
    assert places(backbone.model) is None
    assert run(backbone, 200) == 200
    refuse_beyond(backbone, 10_000)


@pytest.mark.parametrize(("length", "fix"), [(33, "write max_length: 31"), (64, "write a smaller prompt.length")])
def test_a_prompt_that_leaves_a_text_too_few_places_is_refused(length, fix):
    backbone = pico.sentence(max_length=32)
    refuse_beyond(backbone, 32)
    with pytest.raises(BackboneError, match="at most 64, which is what 'pico' has positions for") as told:
        refuse_beyond(backbone, length)
    assert told.value.fix == fix


def test_a_study_says_so_before_it_trains(tmp_path):
    recipe = toy.make(tmp_path, "  scratch: {bridge: scratch}\n")
    recipe.write_text(recipe.read_text().replace("max_length: 32", "max_length: 64"))
    with pytest.raises(BackboneError, match="max_length is 64, and the prompt has 3 virtual tokens: 67 places"):
        study.run(recipes.read(recipe), tmp_path / "runs")


def test_a_prompt_that_is_learned_alone_is_refused_too(tmp_path):
    films = sb.Domain(pico.frame(), labels={"negative": "negative", "positive": "positive"}).open("films")
    spec = sb.BackboneSpec(str(pico.save_backbone(tmp_path)), max_length=62, precision="float32", attention="sdpa")
    with pytest.raises(BackboneError, match="65 places"):
        sb.learn(films, spec, sb.Soft(length=3))
