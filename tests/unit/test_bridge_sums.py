"""The defining properties of the bridges that sum prompts: arithmetic, the top k of spot, grouped, intrinsic."""

import pytest
import torch

from softbridge.bridges.arithmetic import Arithmetic
from softbridge.bridges.grouped import Grouped, group, likeness
from softbridge.bridges.intrinsic import Intrinsic, subspace
from softbridge.bridges.spot import Spot, shares
from softbridge.errors import BridgeError
from tests.unit.test_bridges import draw, shore, tokens

THREE = ("movies", "news", "tweets")


def test_arithmetic_of_scale_zero_is_the_start():
    assert torch.equal(tokens(Arithmetic(scale=0.0).cross(shore(THREE))), draw(100))
    assert torch.equal(tokens(Arithmetic(scale=0.0, onto="new").cross(shore(THREE))), draw(200))


def test_arithmetic_of_scale_one_and_one_source_is_that_source():
    torch.testing.assert_close(tokens(Arithmetic(scale=1.0).cross(shore())), draw(1))


def test_arithmetic_subtracts_what_it_added():
    weights = {"movies": 1.0, "news": -1.0, "tweets": 0.0}
    crossing = Arithmetic(scale=0.5, weights=weights).cross(shore(THREE))
    torch.testing.assert_close(tokens(crossing), draw(100) + 0.5 * (draw(1) - draw(2)))
    assert crossing.parents == ("movies", "news")


def test_arithmetic_carries_the_change_and_not_the_start_onto_a_new_one():
    torch.testing.assert_close(
        tokens(Arithmetic(scale=1.0, onto="new").cross(shore())), draw(200) + draw(1) - draw(100)
    )


def test_arithmetic_chooses_its_scale_by_validation():
    there = shore()
    starts = [draw(100) + s * (draw(1) - draw(100)) for s in (0.0, 0.5, 1.0)]
    best = min(starts, key=lambda start: abs(float(start.mean()) - 0.2))
    crossing = Arithmetic(scales=(0.0, 0.5, 1.0)).cross(there)
    torch.testing.assert_close(tokens(crossing), best)
    assert "by validation loss" in crossing.note


def test_arithmetic_names_a_source_that_is_not_there():
    with pytest.raises(BridgeError, match="films"):
        Arithmetic(weights={"films": 1.0}).cross(shore())


def test_the_average_of_one_source_is_spot():
    for how in ("average", "mixture", "best"):
        assert torch.equal(tokens(Spot(top=1, how=how).cross(shore(THREE, draw(2)))), draw(2))


def test_the_average_is_weighted_by_similarity_and_a_negative_one_weighs_nothing():
    assert shares([0.6, 0.2, -0.4]) == [0.75, 0.25, 0.0]
    crossing = Spot(top=3).cross(shore(THREE, draw(2)))
    flat = torch.nn.functional.normalize(torch.stack([draw(i) for i in (1, 2, 3)]), dim=-1).mean(1)
    close = (flat @ torch.nn.functional.normalize(draw(2), dim=-1).mean(0)).clamp_min(0)
    expected = torch.einsum("s,sph->ph", close / close.sum(), torch.stack([draw(i) for i in (1, 2, 3)]))
    torch.testing.assert_close(tokens(crossing), expected, atol=1e-5, rtol=1e-4)


def test_the_best_of_the_top_k_is_what_validation_says_and_trains_no_more():
    bridge = Spot(top=3, how="best")
    crossing = bridge.cross(shore(THREE, draw(1)))
    assert not bridge.trains
    assert crossing.parents == ("news",)
    assert torch.equal(tokens(crossing), draw(2) + 1)


def test_the_mixture_learns_from_the_rows_of_the_top_k():
    crossing = Spot(top=2, how="mixture").cross(shore(THREE, draw(3)))
    assert crossing.parents[0] == "tweets"
    assert len(crossing.parents) == 2


def test_a_group_holds_who_agrees_and_changes_with_the_target():
    along = torch.ones(4, 8)
    sources = torch.stack([along, -along, 0.5 * along])
    assert group(along, sources) == [0, 2]
    assert group(-along, sources) == [1]
    assert group(0 * along, sources) == []
    assert likeness(along, along) == 8.0


def test_grouped_begins_at_the_targets_own_vector_plus_the_group():
    crossing = Grouped().cross(shore(THREE, draw(100) + 3 * (draw(2) - draw(100))))
    sources = torch.stack([draw(i) for i in (1, 2, 3)]) - draw(100)
    chosen = group(3 * sources[1], sources)
    assert chosen[0] == 1
    expected = draw(100) + 3 * sources[1] + sum(0.25 * sources[i] for i in chosen)
    torch.testing.assert_close(tokens(crossing), expected)
    tokens_loss = crossing.start().tokens.square().sum()
    tokens_loss.backward()
    grads = crossing.start.factors.grad
    assert [i for i in range(3) if grads[i] != 0] == sorted(chosen)


def test_intrinsic_stays_in_the_span_of_the_prompts():
    crossing = Intrinsic(dimensions=9).cross(shore(THREE))
    module = crossing.start
    assert sum(p.numel() for p in module.parameters()) == 3  # nine prompts in the plane of four points
    with torch.no_grad():
        module.place.normal_(generator=torch.Generator().manual_seed(0))
    points = torch.stack([draw(i).flatten() for i in (1, 2, 3, 100)])
    change = tokens(crossing).flatten() - points[0]
    span = points[1:] - points[0]
    found = torch.linalg.lstsq(span.T, change.unsqueeze(1))
    torch.testing.assert_close(span.T @ found.solution, change.unsqueeze(1), atol=1e-4, rtol=1e-4)


def test_a_subspace_of_one_prompt_is_that_prompt():
    centre, basis = subspace(draw(1).unsqueeze(0), 3)
    assert torch.equal(centre, draw(1))
    assert torch.equal(basis, torch.zeros(1, 4, 8))
