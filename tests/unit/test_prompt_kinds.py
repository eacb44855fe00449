"""What each kind of prompt is: its defining property, its golden numbers, and the contract of all."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from softbridge.batch import Rows
from softbridge.engine.loop import Member, Training
from softbridge.engine.plan import Plan
from softbridge.errors import PromptError
from softbridge.injection import Injection
from softbridge.prompts.adept import Adept
from softbridge.prompts.base import PromptKind
from softbridge.prompts.decomposed import Decomposed
from softbridge.prompts.dept import Dept
from softbridge.prompts.low_rank import LowRank, LowRankPrompt
from softbridge.prompts.p_tuning import PTuning
from softbridge.prompts.residual import Residual
from softbridge.prompts.soft import Soft, SoftPrompt
from softbridge.prompts.superposition import Superposition
from softbridge.prompts.table import PROMPTS
from softbridge.seeding import generator
from softbridge.study.judging import judge_on
from tests import pico

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "prompts.json").read_text())
SMALL = {
    "low_rank": {"rank": 2},
    "p_tuning": {"hidden": 8},
    "residual": {"bottleneck": 6},
    "superposition": {"basis": 20},
}
VARIANTS = {  # a kind's other settings keep the contract too
    "p_tuning, lstm": {"hidden": 8, "encoder": "lstm"},
    "residual, normed": {"bottleneck": 6, "layer_norm": True},
    "residual, a network a token": {"bottleneck": 6, "shared": False},
    "decomposed, rank 3": {"rank": 3},
}


def class_of(name):
    return PROMPTS[name.split(",")[0]]


def kind(name, **keys):
    return class_of(name)(length=4, **{**SMALL, **VARIANTS}.get(name, {}), **keys)


@pytest.fixture(scope="module")
def backbone():
    return pico.BACKBONES["sentence"]()


@pytest.fixture(params=[*PROMPTS, *VARIANTS])
def name(request, backbone):
    missing = class_of(request.param).makes - backbone.takes
    if missing:
        pytest.skip(f"a sentence encoder takes no {', '.join(sorted(missing))}")
    return request.param


def draw(*names):
    return generator(0, *names)


def test_every_kind_keeps_the_contract(name, backbone):
    cls = class_of(name)
    assert cls.__dataclass_params__.frozen
    assert dataclasses.is_dataclass(cls)
    assert PROMPTS[cls.name] is cls
    assert cls.reference
    assert isinstance(kind(name), PromptKind)
    made = kind(name).build(backbone.space(), draw())
    injection = made()
    assert set(injection.parts) | ({"block"} if injection.block else set()) == cls.makes
    assert injection.length == 4
    assert all(p.dtype == torch.float32 and p.shape[0] == 1 for p in injection.parts.values())
    again = kind(name).build(backbone.space(), draw()).state_dict()
    assert all(torch.equal(part, again[n]) for n, part in made.state_dict().items()), "drawn from elsewhere"


def test_every_kind_starts_at_the_scale_of_the_embeddings(name, backbone):
    made = kind(name).build(backbone.space(), draw()).bake()
    if made.block or made.tokens is None:
        pytest.skip("it enters above the input, where states have another scale")
    tokens = made.tokens
    size = tokens.square().mean().sqrt() / backbone.table.square().mean().sqrt()
    assert 0.3 < size < 3, size


def test_every_kind_goes_on_from_where_another_run_ended(name, backbone):
    """What a bridge hands over stands on the target exactly, whatever the kind's own form."""
    first = kind(name).build(backbone.space(), draw("one"))
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=draw(str(parameter.shape))))
    baked = first.bake()
    second = kind(name).build(backbone.space(), draw("two"), baked)
    for part, tensor in second.bake().parts.items():
        torch.testing.assert_close(tensor, baked.parts[part], atol=1e-5, rtol=1e-4)
    assert any(p.requires_grad for p in second.parameters())


def train(backbone, name, seeds, folder=None, steps=6):
    texts, labels = pico.texts(24, 1)
    rows = Rows(backbone.tokenise(texts), [backbone.words.index(label) for label in labels])
    plan = Plan(steps=steps, batch=8, learning_rate=0.02, evaluate_every=3)
    members = [Member(f"seed{s}", s, kind(name).build(backbone.space(), generator(s, "init")), rows) for s in seeds]
    accelerator = Accelerator(cpu=True)
    judge = judge_on(backbone, [rows] * len(seeds), plan, accelerator)
    return Training(backbone, members, plan, judge, accelerator, folder=folder)


def apart(a, b):
    return max((x - b.parts[n]).abs().max().item() for n, x in a.parts.items())


def test_a_bank_of_three_equals_three_runs(name, backbone):
    together = train(backbone, name, [0, 1, 2]).run()
    for seed, member in zip([0, 1, 2], together, strict=True):
        (alone,) = train(backbone, name, [seed]).run()
        assert apart(member.last, alone.last) < 5e-5


def test_a_killed_run_goes_on_bit_for_bit(name, backbone, tmp_path):
    whole = train(backbone, name, [0, 1]).run()
    killed = train(backbone, name, [0, 1], tmp_path)

    def die(keep=killed.keep):
        keep()
        if killed.step == 3:
            raise KeyboardInterrupt

    killed.keep = die
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    resumed = train(backbone, name, [0, 1], tmp_path).run()
    assert all(apart(a.last, b.last) == 0 and apart(a.best, b.best) == 0 for a, b in zip(whole, resumed, strict=True))


def test_training_moves_every_parameter(name, backbone):
    training = train(backbone, name, [0])
    before = {n: p.detach().clone() for n, p in training.bank[0].named_parameters()}
    training.run()
    still = [n for n, p in training.bank[0].named_parameters() if torch.equal(p, before[n])]
    assert not still, f"{still} never moved"


def fill(module, values):
    module.load_state_dict({n: torch.tensor(value) for n, value in values.items()})  # all of them, and no others
    return module


def space(width=4, count=40, rows=6):
    from softbridge.injection import Space

    return Space(torch.randn(count, width, generator=draw("table")), lambda text: [1], range(count), rows=rows)


BUILT = {
    "residual": lambda: Residual(length=3, bottleneck=2),
    "residual_normed": lambda: Residual(length=3, bottleneck=2, layer_norm=True),
    "residual_own": lambda: Residual(length=3, bottleneck=2, shared=False),
    "p_tuning": lambda: PTuning(length=3, hidden=2),
    "p_tuning_lstm": lambda: PTuning(length=3, hidden=2, encoder="lstm"),
    "low_rank": lambda: LowRank(length=3, rank=2),
    "decomposed": lambda: Decomposed(length=3, rank=2),
    "superposition": lambda: Superposition(length=3, basis=5),
    "dept": lambda: Dept(length=3, rank=2),
}


@pytest.mark.parametrize("which", BUILT)
def test_the_golden_numbers(which):
    case = GOLDEN[which]
    made = fill(BUILT[which]().build(space(), draw()), case["given"]).bake()
    part = "offset" if which == "dept" else "tokens"
    torch.testing.assert_close(made.parts[part][0], torch.tensor(case[part]), atol=1e-5, rtol=1e-5)


FORMS = {
    "residual": {"bottleneck": 2},
    "residual, normed": {"bottleneck": 2, "layer_norm": True},
    "residual, a network a token": {"bottleneck": 2, "shared": False},
    "decomposed": {},
    "decomposed, rank 3": {"rank": 3},
    "p_tuning": {"hidden": 2},
    "superposition": {"basis": 9},
    "low_rank, too low": {"rank": 1},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_start_is_kept_to_the_last_bit_and_every_parameter_moves_from_it(form):
    start = Injection(torch.randn(1, 3, 8, generator=draw("start")))
    pull = torch.randn(3, 8, generator=draw("pull"))
    module = class_of(form)(length=3, **FORMS[form]).build(space(8), draw(), start)
    assert torch.equal(module.bake().tokens, start.tokens)
    optimiser = torch.optim.AdamW(module.parameters(), lr=0.01, weight_decay=0.0)
    before = {n: p.detach().clone() for n, p in module.named_parameters()}
    for _ in range(3):
        optimiser.zero_grad()
        (module().tokens[0] * pull).sum().backward()
        optimiser.step()
    still = [n for n, p in module.named_parameters() if torch.equal(p, before[n])]
    assert not still, f"{still} never moved: a start at a saddle"


@pytest.mark.parametrize("shared", [True, False])
def test_a_norm_leaves_a_residual_at_the_scale_of_small_embeddings(shared):
    small = dataclasses.replace(space(8), table=0.05 * space(8).table)
    made = Residual(length=3, layer_norm=True, shared=shared).build(small, draw()).bake().tokens
    assert 0.5 < made.square().mean().sqrt() / small.table.square().mean().sqrt() < 2


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e3])
def test_low_rank_goes_on_in_its_own_form_at_every_scale(size):
    low = torch.randn(20, 4, generator=draw("a")) @ torch.randn(4, 64, generator=draw("b"))
    full = torch.randn(20, 64, generator=draw("c"))
    built = [LowRank(length=20, rank=8).build(space(64), draw(), Injection(size * t[None])) for t in (low, full)]
    assert [type(module) for module in built] == [LowRankPrompt, SoftPrompt]


def test_low_rank_can_leave_a_start_of_lower_rank():
    """One word repeated has rank 1; factors that are both zero would hold it there for ever."""
    words = dataclasses.replace(space(8), table=torch.eye(8))
    module = LowRank(length=4, rank=3, init="text", text="w").build(words, draw())
    assert torch.linalg.matrix_rank(module.bake().tokens[0]) == 1
    (module().tokens[0] * torch.randn(4, 8, generator=draw("pull"))).sum().backward()
    assert (module.left.grad.norm(dim=0) + module.right.grad.norm(dim=1) > 1e-2).all()


def test_an_encoder_draws_from_its_generator_and_reseeds_nothing(monkeypatch):
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("an accelerator was reseeded"))
    before = torch.get_rng_state()
    PTuning(length=3, encoder="lstm").build(space(), draw())
    assert torch.equal(torch.get_rng_state(), before)


def test_low_rank_has_the_rank_and_falls_back_where_it_cannot_reach():
    made = LowRank(length=4, rank=2).build(space(8), draw()).bake().tokens[0]
    assert torch.linalg.matrix_rank(made) == 2
    full = Injection(torch.randn(1, 4, 8, generator=draw("full")))
    assert isinstance(LowRank(length=4, rank=2).build(space(8), draw(), full), SoftPrompt)


@pytest.mark.parametrize("rank", [1, 3])
def test_decomposed_starts_at_its_shared_prompt_and_has_its_pace(rank):
    soft = Soft(length=3).build(space(), draw()).bake().tokens
    module = Decomposed(length=3, rank=rank).build(space(), draw())
    assert torch.equal(module.bake().tokens, soft)
    paces = {share: {id(p) for p in parameters} for share, parameters in module.groups().items()}
    assert paces == {1.0: {id(module.shared)}, 4 / 3: {id(module.rows), id(module.columns)}}


def test_superposition_stays_in_the_span_of_its_words():
    module = Superposition(length=2, basis=3).build(space(8), draw())
    with torch.no_grad():
        module.weights.normal_()
    both = torch.cat([module.basis, module.bake().tokens[0]])
    assert torch.linalg.matrix_rank(both) == torch.linalg.matrix_rank(module.basis) == 3


def test_residual_with_networks_of_its_own_differs_by_token():
    shared, own = (Residual(length=3, bottleneck=2, shared=s).build(space(), draw()) for s in (True, False))
    assert sum(p.numel() for p in own.parameters()) > sum(p.numel() for p in shared.parameters())
    alike = torch.randn(1, 4, generator=draw("alike")).expand(3, 4)
    assert torch.allclose(*shared.added(alike)[:2])
    assert not torch.allclose(*own.added(alike)[:2])


@pytest.mark.parametrize("encoder", ["mlp", "lstm"])
def test_an_lstm_lets_neighbours_speak_and_an_mlp_does_not(encoder):
    module = PTuning(length=4, encoder=encoder, hidden=6).build(space(), draw())
    before = module.bake().tokens[0]
    with torch.no_grad():
        module.inputs[0] += 1
    moved = (module.bake().tokens[0] - before).abs().amax(1) > 1e-6
    assert moved.tolist() == ([True] * 4 if encoder == "lstm" else [True, False, False, False])


def test_offsets_start_as_the_plain_short_prompt(backbone):
    texts, _ = pico.texts(5, 2)
    batch = backbone.batch(Rows(backbone.tokenise(texts), [0] * 5))
    pick = torch.zeros(5, dtype=torch.long)
    for cls in (Dept, Adept):
        made = cls(length=3).build(backbone.space(), draw()).bake()
        plain = Injection(made.tokens).pick(pick)
        assert torch.equal(backbone.score(batch, made.pick(pick)), backbone.score(batch, plain))


@pytest.mark.parametrize("family", ["sentence", "llama"])
def test_an_offset_follows_the_token_and_not_the_padding(family):
    backbone = pico.BACKBONES[family]()
    made = Dept(length=3, rank=2).build(backbone.space(), draw())
    with torch.no_grad():
        made.right.normal_()
    texts, _ = pico.texts(6, 2)
    rows = Rows(backbone.tokenise(texts), [0] * 6)
    pick = torch.zeros(6, dtype=torch.long)
    together = backbone.score(backbone.batch(rows), made.bake().pick(pick))
    plain = backbone.score(backbone.batch(rows), Injection(made.bake().tokens).pick(pick))
    assert (together - plain).abs().max() > 1e-4
    for i in range(6):
        alone = backbone.score(backbone.batch(rows.take([i])), made.bake())
        torch.testing.assert_close(together[i : i + 1], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Soft(length=0), "length is 0"),
        (lambda: Residual(bottleneck=0), "bottleneck is 0"),
        (lambda: LowRank(length=3, rank=4), "rank is 4"),
        (lambda: Superposition(length=9, basis=4), "length 9"),
        (lambda: PTuning(hidden=0), "hidden 0"),
        (lambda: Dept(rank=0), "rank is 0"),
        (lambda: Adept(init="text"), "no text"),
        (lambda: Decomposed(rank=0), "rank is 0"),
        (lambda: Residual(scale=0.0), "scale is 0"),
        (lambda: Superposition(scale=-1.0), "scale is -1"),
    ],
)
def test_values_that_cannot_be_are_refused(make, says):
    with pytest.raises(PromptError, match=says):
        make()


def test_dept_refuses_an_offset_of_another_length():
    start = Injection(torch.ones(1, 3, 4), offset=torch.ones(1, 9, 4))
    with pytest.raises(PromptError, match="adds to 9 places"):
        Dept(length=3).build(space(), draw(), start)


def test_what_a_kind_starts_from_may_differ_by_the_kind_of_backbone():
    from softbridge.prompts.base import usual_plan
    from softbridge.prompts.p_tuning import PTuning
    from softbridge.prompts.prefix import Prefix

    assert usual_plan(Prefix(), "sentence") == {"learning_rate": 0.03}
    assert usual_plan(Prefix(), "causal") == usual_plan(Prefix(), None) == {}
    assert usual_plan(PTuning(), "causal") == {"learning_rate": 0.001}
