"""Measures that read more than a prompt's numbers: neurons that are on, gradients of rows, classes."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from softbridge.backbones.neurons import neurons
from softbridge.batch import Rows
from softbridge.errors import BackboneError, PromptError
from softbridge.injection import Injection
from softbridge.prompts.late import Late
from softbridge.prompts.prefix import Prefix
from softbridge.seeding import generator
from softbridge.similarity.activations import neuron_overlap
from softbridge.similarity.gradients import Gradients, fisher_cosine, gathered, gradient_cosine, task2vec_cosine
from softbridge.similarity.labels import label_overlap
from softbridge.similarity.table import MEASURES
from softbridge.study.gradients import row_gradients
from tests import pico

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "likeness.json").read_text())
few = settings(deadline=None, max_examples=50)  # a busy machine is no failure
OF_GRADIENTS = [name for name, measure in MEASURES.items() if measure.reads == "gradients"]


def prompt(backbone, seed=0, length=3):
    drawn = torch.randn(1, length, backbone.table.shape[1], generator=torch.Generator().manual_seed(seed))
    return Injection(drawn)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: f"{len(case['neurons'][0])} layers")
def test_golden_numbers(case):
    found = neuron_overlap(*(torch.tensor(layers) for layers in case["neurons"]))
    assert found.item() == pytest.approx(case["neuron_overlap"], abs=1e-6)
    both = [gathered([torch.tensor(rows)]) for rows in case["gradients"]]
    for name in OF_GRADIENTS:
        assert MEASURES[name].compare(*both).item() == pytest.approx(case[name], abs=1e-6), name


@few
@given(seed=st.integers(0, 2**31), scale=st.floats(1e-3, 1e3))
def test_neuron_overlap_sees_signs_and_nothing_else(seed, scale):
    a, b = torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(seed))
    assert 0 <= neuron_overlap(a, b).item() <= 1
    assert neuron_overlap(a, scale * a).item() == pytest.approx(1.0, abs=1e-6)
    assert neuron_overlap(a, -a).item() == 0
    assert neuron_overlap(a, b).item() == neuron_overlap(b, a.sign()).item()
    with pytest.raises(PromptError, match="the second prompt's activations"):
        neuron_overlap(a, b[:2])


@pytest.mark.parametrize("name", pico.BACKBONES)
def test_a_prompt_switches_on_what_itself_switches_on_in_every_kind_of_backbone(name):
    backbone = pico.BACKBONES[name]()
    one, again, other = (neurons(backbone, prompt(backbone, seed)) for seed in (0, 0, 1))
    assert one.shape[0] == backbone.config.num_hidden_layers
    assert 0.1 < (one > 0).float().mean() < 0.9
    assert neuron_overlap(one, again).item() == pytest.approx(1.0, abs=1e-6)
    assert neuron_overlap(one, other).item() < 0.95, "another prompt switches others on"
    assert not torch.equal(neurons(backbone, None) > 0, one > 0)


def test_neurons_of_a_hand_made_layer_are_known():
    """A first linear layer without weights hands its bias on, whatever comes: GELU keeps its sign."""
    backbone = pico.sentence()
    for k, block in enumerate(backbone.model.encoder.layer):
        dense = block.intermediate.dense
        dense.weight.data.zero_()
        dense.bias.data.copy_(torch.where(torch.arange(64) % (k + 2) == 0, 1.0, -1.0))
    on = neurons(backbone, prompt(backbone)) > 0
    assert on[0].tolist() == [i % 2 == 0 for i in range(64)]
    assert on[1].tolist() == [i % 3 == 0 for i in range(64)]


@pytest.mark.parametrize("name", ["gpt2", "seq2seq t5"])
def test_neurons_are_those_behind_the_prompt_in_the_model_s_own_pass(name):
    backbone = pico.BACKBONES[name]()
    made, model = prompt(backbone), backbone.model
    if name == "gpt2":
        layer, token, slot = model.transformer.h[0].mlp.act, 1, -1  # this tokenizer opens a text with [CLS]
        extra = {}
    else:
        layer, token, slot = model.decoder.block[0].layer[-1].DenseReluDense.act, len(pico.WORDS), 0
        extra = {"decoder_input_ids": torch.tensor([[0]])}
    seen = []
    layer.register_forward_hook(lambda module, given, returned: seen.append(returned))
    states = torch.cat([made.tokens, backbone.embed(torch.tensor([[token]]))], dim=1)
    with torch.no_grad():
        model(inputs_embeds=states, **extra)
    torch.testing.assert_close(neurons(backbone, made)[0], seen[0][0, slot], atol=1e-5, rtol=1e-4)


def test_of_a_gated_layer_the_gate_alone_decides():
    backbone = pico.causal()
    before = neurons(backbone, prompt(backbone))
    mlp = backbone.model.model.layers[-1].mlp  # the last one, which changes no other
    mlp.up_proj.weight.data.neg_()
    assert torch.equal(neurons(backbone, prompt(backbone)), before)
    mlp.gate_proj.weight.data.neg_()
    after = neurons(backbone, prompt(backbone))
    assert torch.equal(after[-1] > 0, before[-1] < 0)
    assert torch.equal(after[0], before[0])


def test_prompts_that_enter_above_the_input_have_neurons_too():
    backbone = pico.causal()
    for kind, layers in ((Prefix(length=2), 2), (Late(length=2, block=1), 1)):
        made = [kind.build(backbone.space(), generator(seed, "init")).bake() for seed in (0, 1)]
        one, other = (neurons(backbone, each) for each in made)
        assert one.shape == (layers, 64)
        assert torch.equal(one, neurons(backbone, made[0])), "a second time the states below are kept"
        assert not torch.equal(one, other)


def test_what_has_no_neurons_to_read_is_refused():
    backbone = pico.sentence()
    mixed = Injection(tokens=torch.ones(1, 2, 32), mix_values=torch.ones(1, 3, 2, 32))
    with pytest.raises(BackboneError, match="mixed anew for each text"):
        neurons(backbone, mixed)
    backbone.model.encoder.layer[1].intermediate.intermediate_act_fn = torch.nn.Tanh()
    with pytest.raises(BackboneError, match="has 0 activation functions"):
        neurons(backbone, prompt(backbone))
    bare = pico.of_kind("seq2seq", pico.t5())
    bare.words = ()
    with pytest.raises(BackboneError, match="no classes"):
        neurons(bare, prompt(bare))


def labelled(backbone, count=16, seed=1, flip=False):
    texts, labels = pico.texts(count, seed)
    labels = [backbone.words.index(label) for label in labels]
    return Rows(backbone.tokenise(texts), [1 - label for label in labels] if flip else labels)


def domain(backbone, **keys):
    return gathered(row_gradients(backbone, prompt(backbone), labelled(backbone, **keys)))


def test_a_domain_is_like_itself_and_against_the_one_with_its_labels_flipped():
    """Where the model is undecided, the other label's gradient is the negative one, and its square the same."""
    backbone = pico.sentence(temperature=50.0)
    one, flipped = domain(backbone), domain(backbone, flip=True)
    for name in OF_GRADIENTS:
        assert MEASURES[name].compare(one, one).item() == pytest.approx(1.0, abs=1e-6), name
    assert gradient_cosine(one, flipped).item() < -0.9
    assert fisher_cosine(one, flipped).item() == pytest.approx(1.0, abs=1e-2)
    assert gradient_cosine(domain(pico.sentence()), domain(pico.sentence(), flip=True)).item() < 0


def test_the_mean_gradient_is_that_of_the_mean_loss():
    backbone = pico.causal()
    rows, made = labelled(backbone, 6), prompt(backbone)
    tokens = made.tokens.clone().requires_grad_()
    batch = backbone.batch(rows)
    loss = torch.nn.functional.cross_entropy(backbone.score(batch, Injection(tokens.expand(6, -1, -1))), batch.labels)
    loss.backward()
    found = gathered(row_gradients(backbone, made, rows))
    torch.testing.assert_close(found.mean, tokens.grad[0], atol=1e-5, rtol=1e-4)
    alone = [gathered(row_gradients(backbone, made, rows.take([i]))).mean for i in range(6)]
    torch.testing.assert_close(found.square, torch.stack(alone).square().mean(0), atol=1e-5, rtol=1e-4)


def test_keys_and_values_have_gradients_by_virtual_token():
    backbone = pico.causal()
    made = Prefix(length=2).build(backbone.space(), generator(0, "init")).bake()
    (part,) = row_gradients(backbone, made, labelled(backbone, 4))
    assert part.shape == (4, *made.vectors().shape[1:])
    assert part.abs().sum((1, 2)).min() > 0


@few
@given(seed=st.integers(0, 2**31), rows=st.integers(1, 6), others=st.integers(1, 6))
def test_ranges_and_symmetry(seed, rows, others):
    draw = torch.Generator().manual_seed(seed)
    a, b = (gathered([torch.randn(n, 2, 5, generator=draw)]) for n in (rows, others))
    for name in OF_GRADIENTS:
        compare = MEASURES[name].compare
        low = -1 if name == "gradient_cosine" else 0
        assert low <= compare(a, b).item() <= 1
        assert compare(a, b).item() == pytest.approx(compare(b, a).item(), abs=1e-6)


def test_task2vec_hears_small_elements_that_the_plain_cosine_does_not():
    def fisher(*square):
        return Gradients(torch.zeros(1, 3), torch.tensor([square]))

    a, b = fisher(1e6, 1.0, 0.0), fisher(1e6, 0.0, 1.0)
    assert fisher_cosine(a, b).item() == pytest.approx(1.0)
    assert task2vec_cosine(a, b).item() < 0.5
    assert task2vec_cosine(fisher(0.0, 0.0, 0.0), a).item() == 0.0, "nothing is like what says nothing"


def test_gradients_of_other_prompts_or_of_no_rows_are_refused():
    a, b = (gathered([torch.ones(1, 2, width)]) for width in (3, 4))
    for name in OF_GRADIENTS:
        with pytest.raises(PromptError):
            MEASURES[name].compare(a, b)
    with pytest.raises(PromptError, match="no labelled rows"):
        gathered([])


def test_label_overlap_is_the_share_of_classes_that_both_have():
    assert label_overlap(["a", "b"], ["b", "a"]) == 1.0
    assert label_overlap(["a", "b"], ["B ", "c", "d"]) == 0.25
    assert label_overlap(["a"], ["b"]) == label_overlap([], []) == 0.0
