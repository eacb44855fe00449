"""From Python: learn, save, reload, predict, go on, generate; the README's lines are run as they stand there."""

import re
from pathlib import Path

import pytest
import torch

import softbridge as sb
from softbridge.errors import DataError, SoftbridgeError
from tests import pico

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def films():
    return sb.Domain(pico.frame(), labels={"negative": "negative", "positive": "positive"}).open("films")


@pytest.fixture
def folder(tmp_path):
    return str(pico.save_backbone(tmp_path / "model", "causal"))


def snippet():
    """Return the README's Python example."""
    return re.search(r"## From Python\n.*?```python\n(.*?)```", README.read_text(), re.DOTALL).group(1)


def test_the_readme_s_example_runs_and_has_at_most_ten_lines(tmp_path, monkeypatch, folder):
    lines = [line for line in snippet().splitlines() if line.strip()]
    assert len(lines) <= 10
    monkeypatch.chdir(tmp_path)
    real = sb.BackboneSpec
    monkeypatch.setattr(
        "softbridge.study.alone.BackboneSpec", lambda name: real(folder if name == "minilm-l6" else name)
    )
    rows = pico.frame()
    held = {"reviews": rows["text"][:], "stars": [{"positive": 5, "negative": 1}[y] for y in rows["label"]]}
    exec("\n".join(lines), held)
    assert (tmp_path / "my-prompt" / "prompt.safetensors").is_file()


def test_learning_goes_on_from_a_prompt_and_its_card_says_so(films, folder):
    plan = sb.Plan(steps=4, batch=8, evaluate_every=2)
    backbone = sb.load_backbone(sb.BackboneSpec(folder))
    first = sb.learn(films, backbone, sb.Soft(length=3), plan)
    second = sb.learn(films, backbone, sb.Soft(length=9), sb.Plan(steps=1, learning_rate=1e-9), start=first)
    torch.testing.assert_close(second.injection.tokens, first.injection.tokens, atol=1e-6, rtol=0)
    assert (second.card.parents, second.card.length, first.card.parents) == (("films",), 3, ())
    again = sb.learn(films, folder, sb.Soft(length=3), plan)
    assert torch.equal(again.injection.tokens, first.injection.tokens)
    other = sb.learn(films, folder, sb.Soft(length=3), plan, seed=1)
    assert not torch.equal(other.injection.tokens, first.injection.tokens)


def test_a_saved_prompt_predicts_and_writes(films, folder, tmp_path):
    sb.learn(films, folder, sb.PROMPTS["prefix"](length=2), sb.Plan(steps=2)).save(tmp_path / "prompt")
    texts = ["w1 good w2", "w3 bad"]
    assert {label for label, _ in sb.predict(tmp_path / "prompt", texts)} <= {"negative", "positive"}
    written = sb.generate(tmp_path / "prompt", texts, max_new_tokens=3, do_sample=False)
    assert [len(line.split()) for line in written] == [3, 3]
    assert sb.generate(tmp_path / "prompt", texts, batch=1, max_new_tokens=3, do_sample=False) == written


def test_a_domain_without_validation_rows_is_refused(folder):
    films = sb.Domain(pico.frame(), labels={"negative": "negative", "positive": "positive"}, validation=0).open("films")
    with pytest.raises(DataError, match="no validation rows"):
        sb.learn(films, folder)


def test_unknown_names_are_told():
    with pytest.raises(AttributeError, match="no attribute 'bridges_of'"):
        _ = sb.bridges_of
    assert issubclass(DataError, SoftbridgeError)
    assert all(getattr(sb, name) for name in sb.__all__)
