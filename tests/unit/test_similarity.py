"""The similarities hold their published definitions, and the properties a cosine has."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from softbridge.errors import PromptError
from softbridge.similarity.geometry import SIMILARITIES

GOLDEN = Path(__file__).parents[1] / "golden" / "similarity.json"
few = settings(deadline=None, max_examples=50)  # a busy machine is no failure
COSINES = {name: SIMILARITIES[name] for name in ("cosine_of_means", "per_token_cosine")}
every = pytest.mark.parametrize("measure", COSINES.values(), ids=COSINES)
OTHERS = {name: measure for name, measure in SIMILARITIES.items() if name not in COSINES}
other = pytest.mark.parametrize("measure", OTHERS.values(), ids=OTHERS)


@st.composite
def pairs(draw):
    """Draw two prompts of one width, of lengths of their own."""
    p, q, width, seed = (draw(st.integers(1, n)) for n in (6, 6, 9, 2**31))
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(p, width, generator=generator), torch.randn(q, width, generator=generator)


@pytest.mark.parametrize("name", SIMILARITIES)
@pytest.mark.parametrize("case", json.loads(GOLDEN.read_text()), ids=lambda c: f"{len(c['a'])}x{len(c['b'])}")
def test_golden_numbers(name, case):
    if name not in case:  # of one length alone
        pytest.skip("prompts of different lengths")
    found = SIMILARITIES[name](torch.tensor(case["a"]), torch.tensor(case["b"]))
    assert found.item() == pytest.approx(case[name], abs=1e-6)


def test_the_two_measures_differ():
    """Guard the golden test: on these numbers one measure cannot pass for the other."""
    cases = json.loads(GOLDEN.read_text())
    assert max(abs(c["cosine_of_means"] - c["per_token_cosine"]) for c in cases) > 0.1


@every
@few
@given(pair=pairs())
def test_range_and_symmetry(measure, pair):
    a, b = pair
    assert -1.0 <= measure(a, b).item() <= 1.0
    assert measure(a, b).item() == pytest.approx(measure(b, a).item(), abs=1e-6)


@every
@few
@given(pair=pairs(), scale=st.floats(1e-3, 1e3))
def test_scale_does_not_matter(measure, pair, scale):
    a, b = pair
    assert measure(scale * a, b).item() == pytest.approx(measure(a, b).item(), abs=1e-4)
    assert measure(-scale * a, b).item() == pytest.approx(-measure(a, b).item(), abs=1e-4)


@every
@few
@given(pair=pairs(), length=st.integers(1, 20))
def test_equal_tokens_are_one(measure, pair, length):
    token = pair[0][:1]
    assert measure(token.expand(length, -1), token.expand(3, -1)).item() == pytest.approx(1.0, abs=1e-5)


@few
@given(pair=pairs())
def test_only_per_token_ignores_a_token_s_length(pair):
    """`per_token_cosine` weighs every token alike; `cosine_of_means` hears the long ones louder."""
    a, b = pair
    lengths = torch.arange(1.0, len(a) + 1).unsqueeze(1)
    per_token = SIMILARITIES["per_token_cosine"]
    assert per_token(lengths * a, b).item() == pytest.approx(per_token(a, b).item(), abs=1e-5)


@every
def test_rounding_does_not_carry_past_one(measure):
    """Among so many parallel pairs some inner products of unit vectors are 1.0000001 before they are clamped."""
    tokens = torch.randn(200, 1, 33, generator=torch.Generator().manual_seed(0))
    found = [measure(token, 3 * token).item() for token in tokens]
    assert max(found) == 1.0
    assert min(found) == pytest.approx(1.0, abs=1e-6)


@every
def test_half_precision_is_compared_in_float32(measure):
    a, b = torch.randn(20, 64), torch.randn(20, 64)
    exact = measure(a.bfloat16().float(), b.bfloat16().float())
    assert measure(a.bfloat16(), b.bfloat16()).item() == exact.item()


@every
def test_a_zero_prompt_is_like_nothing(measure):
    assert measure(torch.zeros(2, 4), torch.ones(2, 4)).item() == 0.0


@every
@pytest.mark.parametrize("b", [torch.ones(2, 5), torch.ones(4), torch.ones(1, 2, 4)], ids=["width", "vector", "batch"])
def test_other_shapes_are_refused(measure, b):
    with pytest.raises(PromptError, match="the second prompt has the shape"):
        measure(torch.ones(2, 4), b)


@other
@few
@given(pair=pairs())
def test_others_are_symmetric_and_between_zero_and_one_but_for_the_cosine(measure, pair):
    a, b = pair
    if measure in (OTHERS["flattened_cosine"], OTHERS["euclidean"]):
        with_length = min(len(a), len(b))
        a, b = a[:with_length], b[:with_length]
    assert -1.0 <= measure(a, b).item() <= 1.0
    assert measure(a, b).item() == pytest.approx(measure(b, a).item(), abs=1e-5)


@pytest.mark.parametrize("name", ["flattened_cosine", "euclidean", "principal_angles"])
def test_a_prompt_is_most_like_itself(name):
    a = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    assert SIMILARITIES[name](a, a).item() == pytest.approx(1.0, abs=1e-5)
    assert SIMILARITIES[name](a, a.roll(1, 0) + 0.1).item() < 1.0


def test_principal_angles_see_the_span_and_nothing_else():
    draw = torch.Generator().manual_seed(0)
    a, turn = torch.randn(3, 8, generator=draw), torch.randn(3, 3, generator=draw)
    assert SIMILARITIES["principal_angles"](a, turn @ a).item() == pytest.approx(1.0, abs=1e-4)
    eye = torch.eye(8)
    assert SIMILARITIES["principal_angles"](eye[:3], eye[3:6]).item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("name", ["flattened_cosine", "euclidean"])
def test_what_goes_place_by_place_refuses_other_lengths(name):
    with pytest.raises(PromptError):
        SIMILARITIES[name](torch.ones(2, 4), torch.ones(3, 4))
