"""Looking into a prompt: how far it moved, and what its positions are worth."""

import pytest
import torch

from softbridge.batch import Rows
from softbridge.cli.main import main
from softbridge.errors import PromptError
from softbridge.evaluation.evaluator import probabilities, scores
from softbridge.injection import Injection
from softbridge.prompts.bank import Bank
from softbridge.prompts.held import HeldPrompt
from softbridge.recipe import read
from softbridge.study import looking
from softbridge.study import run as run_study
from tests import pico

ROWS = 24


@pytest.fixture(scope="module")
def backbone():
    return pico.sentence()


@pytest.fixture(scope="module")
def rows(backbone):
    texts, labels = pico.texts(ROWS, 3)
    return Rows(backbone.tokenise(texts), [int(label == "positive") for label in labels])


def loss(backbone, prompt, rows):
    bank = Bank({"it": HeldPrompt(prompt)})
    return scores(probabilities(backbone, bank, [rows])[0], rows.labels, [])["loss"]


def test_importance_is_the_loss_without_a_position_less_the_whole(backbone, rows):
    prompt = Injection(torch.randn(1, 3, 32, generator=torch.Generator().manual_seed(0)))
    base, worth = looking.importance(prompt, backbone, rows)
    assert base == pytest.approx(loss(backbone, prompt, rows), rel=1e-5)
    for j in range(3):
        left = Injection(prompt.tokens[:, [i for i in range(3) if i != j]])
        assert worth[j] == pytest.approx(loss(backbone, left, rows) - base, abs=1e-5)


def test_keys_and_values_lose_a_position_too():
    prompt = Injection(keys=torch.arange(8.0).view(1, 1, 1, 4, 2), values=torch.arange(8.0).view(1, 1, 1, 4, 2))
    left = looking.without(prompt, 2)
    assert left.length == 3
    assert left.keys.flatten().tolist() == left.values.flatten().tolist() == [0, 1, 2, 3, 6, 7]


def test_a_prompt_that_stayed_did_not_move_and_other_shapes_are_refused():
    prompt = Injection(torch.randn(1, 4, 8))
    assert looking.moved(prompt, prompt) == [(0.0, pytest.approx(1.0))] * 4
    with pytest.raises(PromptError, match=r"the shape \[4, 8\], and its start \[2, 8\]"):
        looking.moved(prompt, Injection(torch.randn(1, 2, 8)))
    with pytest.raises(PromptError, match="one position"):
        looking.importance(Injection(torch.randn(1, 1, 32)), pico.sentence(), Rows([[1, 2]], [0]))


RECIPE = """
name: looked
seeds: [0]
backbone: {name: model, max_length: 16, precision: float32, attention: sdpa, device: cpu}
prompt: {kind: soft, length: 3}
domain: {labels: {negative: negative, positive: positive}, validation: 16}
sources: {a: {data: a.csv}}
targets: {b: {data: b.csv}}
training: {source: {steps: 4, batch: 4, learning_rate: 0.1}, target: {steps: 4, batch: 4, learning_rate: 0.1}}
arms: {scratch: {bridge: scratch}, spot: {bridge: spot}}
"""


def test_inspect_shows_what_a_runs_prompt_drifted_to(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    pico.save_backbone(tmp_path / "model")
    for name, seed in (("a", 0), ("b", 1)):
        pico.frame(120, seed).to_csv(f"{name}.csv", index=False)
    (tmp_path / "my.yaml").write_text(RECIPE)
    run_study(read("my.yaml"), tmp_path / "out")
    for stage in ("extract-a", "adapt-b-spot"):
        (folder,) = (tmp_path / "out").glob(f"stages/{stage}-*/prompts/seed0-last")
        with pytest.raises(SystemExit) as ended:
            main(["inspect", str(folder), "--data", "b.csv", "--rows", "4", "--top", "2"])
        said = capsys.readouterr().out
        assert ended.value.code == 0
        for part in ("from start", "cosine to start", "loss without it", "nearest words", "no explanation"):
            assert part in said, part
        assert "loss on 8 validation rows of b.csv" in said
    # What the target's prompt started from is the source's best.
    (target,) = (tmp_path / "out").glob("stages/adapt-b-spot-*/prompts/seed0-last")
    (source,) = (tmp_path / "out").glob("stages/extract-a-*/prompts/seed0-best")
    from softbridge.prompts.files import load

    assert torch.allclose(looking.start_of(target).tokens, load(source).injection.tokens)
    assert looking.start_of(tmp_path / "elsewhere") is None
