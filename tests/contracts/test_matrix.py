"""Every kind of prompt on every kind of backbone: each pair either works, or is refused when the recipe is read.

Shown by `pytest tests/contracts/test_matrix.py`: the table of all pairs, each `works` or `refused` with the reason.
"""

from dataclasses import dataclass, fields
from functools import cache
from typing import ClassVar, get_args

import pytest
import torch

from softbridge.backbones.base import MIX, Kind
from softbridge.backbones.table import BACKBONES, REASONS, refusal
from softbridge.batch import Rows
from softbridge.errors import RecipeError
from softbridge.injection import PARTS
from softbridge.prompts.bank import Bank
from softbridge.prompts.headed import headed
from softbridge.prompts.soft import Soft
from softbridge.prompts.table import PROMPTS
from softbridge.recipe import read
from tests import pico

ARCHITECTURE = {
    "sentence": {"architectures": ["BertModel"]},
    "causal": {"architectures": ["LlamaForCausalLM"]},
    "masked": {"architectures": ["BertForMaskedLM"]},
    "seq2seq": {"architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True},
}
RECIPE = """
name: pair
backbone: {{name: {folder}, kind: {kind}}}
prompt: {{kind: {prompt}}}
domain: {{labels: {{negative: negative, positive: positive}}}}
targets: {{toys: {{data: toys.csv}}}}
arms: {{scratch: {{bridge: scratch}}}}
"""


@cache
def kind_of_family(family):
    return pico.BACKBONES[family]().kind


def pairs(refused):
    """Return the pairs of prompt kind and backbone family of which a backbone cannot, or can, take what is made."""
    every = [(prompt, family) for prompt in PROMPTS for family in pico.BACKBONES]
    return [(p, f) for p, f in every if (refusal(kind_of_family(f), PROMPTS[p].makes) is not None) == refused]


def small(name):
    """Return a kind of prompt with its own defaults, but of few tokens and rows."""
    few = {"length": 4, "hidden": 8, "rank": 2, "block": 1, "text": "w1 w2"}
    known = {field.name for field in fields(PROMPTS[name])}
    return PROMPTS[name](**{key: value for key, value in few.items() if key in known})


def module(name, backbone):
    """Return a prompt with every parameter moved a little: parts that start at zero stop a gradient at the start."""
    space, draw = backbone.space(), torch.Generator().manual_seed(0)
    made = headed(small(name).build(space, draw), space, draw)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=draw))
    return made


@pytest.mark.parametrize(("prompt", "family"), pairs(refused=False))
def test_a_pair_works(prompt, family):
    backbone = pico.BACKBONES[family]()
    before = backbone.fingerprint()
    made = module(prompt, backbone)
    bank = Bank({"it": made})
    texts, labels = pico.texts(5, seed=1)
    rows = Rows(backbone.tokenise(texts), [backbone.words.index(label) for label in labels])

    def score(part):
        return backbone.score(backbone.batch(part), bank(torch.zeros(len(part), dtype=torch.long)))

    together = score(rows)
    assert together.shape == (5, 2)
    assert torch.isfinite(together).all()
    alone = torch.cat([score(rows.take([i])) for i in range(5)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
    together.log_softmax(-1)[:, 0].sum().backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name
    assert set(made.bake().parts) - {"head", "head_bias"} <= PROMPTS[prompt].makes, "makes tells all that is made"
    assert backbone.fingerprint() == before
    assert not any(p.requires_grad or p.grad is not None for p in backbone.model.parameters())


def recipe(folder, kind, prompt):
    """Write a recipe of one prompt on a model's folder, and return its file."""
    pico.frame(8).to_csv(folder / "toys.csv")
    model = folder / "model"
    model.mkdir()
    path = folder / "pair.yaml"
    path.write_text(RECIPE.format(folder=model, kind=kind, prompt=prompt))
    return path


@pytest.mark.parametrize(("prompt", "family"), pairs(refused=True))
def test_an_impossible_pair_is_refused_when_the_recipe_is_read(prompt, family, tmp_path):
    kind = kind_of_family(family)
    with pytest.raises(RecipeError) as caught:
        read(recipe(tmp_path, kind, prompt))
    (line,) = [line for line in caught.value.problems if "prompt.kind" in line]
    assert refusal(kind, PROMPTS[prompt].makes)[0] in line


@pytest.mark.parametrize("kind", BACKBONES)
def test_a_possible_pair_is_read(kind, tmp_path):
    assert read(recipe(tmp_path, kind, "soft")).backbone.kind == kind


@dataclass(frozen=True)
class Everything(Soft):
    """A prompt that makes all that there is, so that some backbone must refuse it."""

    name: ClassVar[str] = "everything"
    makes: ClassVar[frozenset[str]] = frozenset(PARTS) | {"block"}


@pytest.mark.parametrize("kind", BACKBONES)
def test_what_a_backbone_lacks_is_refused_with_the_reason(kind, tmp_path, monkeypatch):
    monkeypatch.setitem(PROMPTS, "everything", Everything)
    lacking = Everything.makes - BACKBONES[kind].takes
    if not lacking:
        pytest.skip("this kind takes all that there is")
    with pytest.raises(RecipeError) as caught:
        read(recipe(tmp_path, kind, "everything"))
    (line,) = caught.value.problems
    assert "prompt.kind  is everything, which makes " in line
    for part in lacking:
        what, why = REASONS[part]
        assert what in line
        assert why in line


@pytest.mark.parametrize("told", ARCHITECTURE)
def test_the_kind_is_read_from_the_folder_where_the_recipe_does_not_say(told, tmp_path, monkeypatch):
    import json

    monkeypatch.setitem(PROMPTS, "everything", Everything)
    path = recipe(tmp_path, "null", "everything")
    (tmp_path / "model" / "config.json").write_text(json.dumps(ARCHITECTURE[told]))
    with pytest.raises(RecipeError) as caught:
        read(path)
    article = "an" if told[0] in "aeiou" else "a"
    assert f"which {article} {told} backbone cannot take" in str(caught.value)


def test_every_part_has_its_words():
    assert set(REASONS) == set(PARTS) - MIX | {"block"}  # no kind mixes: bridges do


def test_the_kinds_a_recipe_may_name_are_the_table():
    assert list(get_args(Kind)) == list(BACKBONES)
    assert {name: cls.kind for name, cls in BACKBONES.items()} == {name: name for name in BACKBONES}


def test_the_table_has_no_gap(capsys):
    """Print what every pair is, and hold that each is under one of the two tests above."""
    works, refused = pairs(refused=False), pairs(refused=True)
    assert {kind_of_family(family) for family in pico.BACKBONES} == set(BACKBONES), "a kind without a pico family"
    assert len(works) + len(refused) == len(PROMPTS) * len(pico.BACKBONES)
    width = max(map(len, PROMPTS)) + 2
    lines = ["", " " * 30 + "".join(name.ljust(width) for name in PROMPTS)]
    for family in pico.BACKBONES:
        cells = ("refused" if (name, family) in refused else "works" for name in PROMPTS)
        lines.append(family.ljust(30) + "".join(cell.ljust(width) for cell in cells))
    told = {f"{n} on {kind_of_family(f)}: {refusal(kind_of_family(f), PROMPTS[n].makes)[0]}" for n, f in refused}
    with capsys.disabled():
        print("\n".join([*lines, *sorted(told)]))
