"""Every initialiser starts at the embeddings' own scale, by the generator alone, from the rows it names."""

import pytest
import torch

from softbridge.errors import PromptError
from softbridge.injection import Injection, Space
from softbridge.prompts.initialisers import COMMON, INITIALISERS, given, labels, random, rms, text, vocabulary
from softbridge.prompts.soft import Soft

V, H = 40, 16
WORDS = {"good": [3], "very bad": [4, 5], "a b c": [6, 7, 8], "": []}
EXTRA = {name: {"text": "a b c"} for name in ("text", "design")}
every = pytest.mark.parametrize("name", INITIALISERS)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def space():
    table = 0.05 * torch.randn(V, H, generator=generator(7)) + 0.01
    return Space(table, tokenise=lambda words: WORDS[words], common=range(10, 30), labels=("good", "very bad"))


def rows_of(prompt, space):
    """Return, for each row of the prompt, the table's row that it is a multiple of."""
    unit = torch.nn.functional.normalize
    cosines = unit(prompt, dim=1) @ unit(space.table, dim=1).T
    assert (cosines.max(1).values > 0.9999).all(), "a row is no multiple of a row of the table"
    return cosines.argmax(1).tolist()


@every
@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("length", [2, 7, 50])
def test_scale_is_the_table_s_own(name, length, scale, space):
    prompt = INITIALISERS[name](space, length, generator(), scale=scale, **EXTRA.get(name, {}))
    assert prompt.shape == (length, H)
    assert prompt.dtype == torch.float32
    assert not prompt.requires_grad
    assert rms(prompt).item() == pytest.approx(scale * rms(space.table).item(), rel=1e-5)


@every
def test_the_generator_decides_alone(name, space):
    def start(seed):
        return INITIALISERS[name](space, 5, generator(seed), **EXTRA.get(name, {}))

    torch.manual_seed(1)
    first = start(0)
    torch.manual_seed(2)
    assert torch.equal(first, start(0))
    assert torch.equal(first, start(1)) == (name in ("text", "design"))


@every
def test_a_half_precision_table_gives_a_float32_prompt(name, space):
    half = Space(space.table.bfloat16(), space.tokenise, space.common, space.labels)
    prompt = INITIALISERS[name](half, 4, generator(), **EXTRA.get(name, {}))
    assert prompt.dtype == torch.float32
    assert rms(prompt).item() == pytest.approx(rms(half.table.float()).item(), rel=1e-5)


@every
@pytest.mark.parametrize(("length", "scale"), [(0, 1.0), (4, 0.0), (4, -1.0), (4, float("nan"))])
def test_no_length_or_no_scale_is_refused(name, length, scale, space):
    with pytest.raises(PromptError, match="length"):
        INITIALISERS[name](space, length, generator(), scale=scale, **EXTRA.get(name, {}))


def test_rms_is_the_root_mean_square():
    values = torch.randn(30000, 400, generator=generator()) + 0.3  # as large as a table: float32 sums lose digits
    assert rms(values).item() == pytest.approx(values.double().pow(2).mean().sqrt().item(), rel=1e-6)


def test_vocabulary_takes_different_common_rows(space):
    ids = rows_of(vocabulary(space, 20, generator()), space)
    assert sorted(ids) == list(range(10, 30))


def test_vocabulary_repeats_where_tokens_run_out(space):
    assert set(rows_of(vocabulary(space, 60, generator()), space)) <= set(range(10, 30))


def test_vocabulary_reads_no_rarer_tokens():
    table = torch.cat([torch.tensor([[1.0, 0.0]]).expand(COMMON, 2), torch.tensor([[0.0, 1.0]]).expand(COMMON, 2)])
    space = Space(table, tokenise=lambda words: [], common=range(2 * COMMON))
    assert not vocabulary(space, 500, generator())[:, 1].any()


def test_vocabulary_needs_common_tokens(space):
    with pytest.raises(PromptError, match="no common tokens"):
        vocabulary(Space(space.table, space.tokenise, common=()), 3, generator())


def test_text_repeats_and_cuts(space):
    assert rows_of(text(space, 5, generator(), text="a b c"), space) == [6, 7, 8, 6, 7]
    assert rows_of(text(space, 2, generator(), text="a b c"), space) == [6, 7]


@pytest.mark.parametrize("words", [None, ""])
def test_text_needs_a_text(words, space):
    with pytest.raises(PromptError) as caught:
        text(space, 3, generator(), text=words)
    assert "no token" in caught.value.seen
    assert caught.value.expected
    assert "text:" in caught.value.fix


def test_labels_average_a_label_s_tokens_and_sample_the_rest(space):
    prompt = labels(space, 6, generator())
    assert rows_of(prompt[:1], space) == [3]
    mean = space.table[[4, 5]].mean(0)
    assert torch.cosine_similarity(prompt[1], mean, dim=0).item() == pytest.approx(1.0, abs=1e-5)
    assert set(rows_of(prompt[2:], space)) <= set(range(10, 30))


def test_as_many_labels_as_rows_sample_nothing(space):
    alone = Space(space.table, space.tokenise, common=(), labels=space.labels)
    assert labels(alone, 2, generator()).shape == (2, H)


@pytest.mark.parametrize(("words", "length"), [((), 4), (("good", "very bad"), 1), (("good", ""), 4)])
def test_labels_must_be_there_and_fit(words, length, space):
    with pytest.raises(PromptError, match="label"):
        labels(Space(space.table, space.tokenise, space.common, words), length, generator())


def test_random_is_normal(space):
    prompt = random(space, 500, generator())
    size = rms(space.table).item()
    assert prompt.mean().item() == pytest.approx(0.0, abs=0.05 * size)
    assert (prompt.abs() < size).float().mean().item() == pytest.approx(0.683, abs=0.02)


def test_zero_rows_are_refused_instead_of_made_nan(space):
    space.table[3] = 0.0
    with pytest.raises(PromptError, match="root mean square 0"):
        text(space, 4, generator(), text="good")


def test_given_tokens_are_taken_as_they_are(space):
    value = 100 * torch.randn(1, 3, H, generator=generator())
    prompt = given(Injection(value), space)
    assert torch.equal(prompt, value[0])
    assert prompt.data_ptr() != value.data_ptr()


@pytest.mark.parametrize("shape", [(2, 4, H), (1, 3, H + 1), (3 * H,)])
def test_given_tokens_of_another_shape_are_refused(shape, space):
    with pytest.raises(PromptError, match="the given prompt has the shape"):
        given(Injection(torch.ones(shape)), space)


@pytest.mark.parametrize(
    ("start", "says"),
    [
        (Injection(torch.ones(1, 3, H), block=2), "virtual tokens before block 2"),
        (Injection(keys=torch.ones(1, 2, 2, 3, 4), values=torch.ones(1, 2, 2, 3, 4)), "keys, values"),
    ],
)
def test_a_start_that_enters_elsewhere_is_refused(start, says, space):
    with pytest.raises(PromptError, match=says):
        given(start, space)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_given_tokens_must_be_finite(value, space):
    with pytest.raises(PromptError, match="NaN or infinite"):
        given(Injection(torch.full((1, 3, H), value)), space)


@every
def test_a_recipe_can_name_every_initialiser(name, space):
    kind = Soft(length=4, init=name, **EXTRA.get(name, {}))
    assert kind.build(space, generator()).bake().tokens.shape == (1, 4, H)
