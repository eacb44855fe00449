"""`softbridge import`: a prompt that PEFT trained becomes a saved one that predicts."""

import pytest
import torch
from peft import PromptTuningConfig, get_peft_model
from safetensors.torch import save_file

import softbridge as sb
from softbridge.cli.main import main
from softbridge.errors import PromptError
from softbridge.study.taking import bring_in
from tests import pico

LABELS = ["--label", "bad= negative", "--label", "good= positive"]


@pytest.fixture
def folder(tmp_path):
    return str(pico.save_backbone(tmp_path / "model", "causal"))


def status(arguments):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return stop.value.code or 0


def test_an_adapter_becomes_a_prompt_that_predicts(folder, tmp_path):
    model = get_peft_model(pico.llama(), PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3))
    model.save_pretrained(tmp_path / "adapter")
    arguments = ["import", str(tmp_path / "adapter"), "--backbone", folder, "--out", str(tmp_path / "mine")]
    assert status([*arguments, *LABELS, "--template", "{text} is"]) == 0
    saved = sb.load(tmp_path / "mine")
    table = model.get_prompt_embedding_to_save("default")
    torch.testing.assert_close(saved.injection.tokens[0], table.float())
    assert (saved.card.template, saved.card.verbalizer) == ("{text} is", {"bad": " negative", "good": " positive"})
    assert saved.card.init == "taken from adapter"
    [(label, share)] = sb.predict(tmp_path / "mine", ["a film"])
    assert label in ("bad", "good")
    assert 0.5 <= share <= 1


@pytest.mark.parametrize(
    ("said", "warned"),
    [("/elsewhere/models/Model/", False), ("org/model", False), (None, False), ("org/other-model", True)],
)
def test_an_adapter_of_another_backbone_is_taken_with_a_warning(folder, tmp_path, caplog, said, warned):
    model = get_peft_model(pico.llama(), PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3))
    model.peft_config["default"].base_model_name_or_path = said
    model.save_pretrained(tmp_path / "adapter")
    assert bring_in(tmp_path / "adapter", folder).injection.tokens.shape[1] == 3
    told = f"says that it was trained on {said}, and {folder} is named"
    assert (told in caplog.text) == warned


def test_a_prompt_that_is_there_is_replaced_only_where_asked(folder, tmp_path, capsys):
    save_file({"t": torch.ones(2, 32)}, tmp_path / "t.safetensors")
    arguments = ["import", str(tmp_path / "t.safetensors"), "--backbone", folder, "--out", str(tmp_path / "mine")]
    assert status([*arguments, *LABELS]) == 0
    assert status(arguments) == 2
    assert "add --force" in capsys.readouterr().err
    assert sb.load(tmp_path / "mine").card.verbalizer
    assert status([*arguments, "--force"]) == 0


def test_the_first_rows_of_a_bare_table_are_taken(folder, tmp_path):
    table = torch.randn(6, 32)
    save_file({"shared": table}, tmp_path / "t.safetensors")
    assert torch.equal(bring_in(tmp_path / "t.safetensors", folder, length=3).injection.tokens[0], table[:3])


def test_a_prompt_of_another_width_is_refused_and_nothing_is_written(folder, tmp_path, capsys):
    save_file({"t": torch.ones(2, 7)}, tmp_path / "t.safetensors")
    with pytest.raises(PromptError, match="width 7"):
        bring_in(tmp_path / "t.safetensors", folder)
    arguments = ["import", str(tmp_path / "t.safetensors"), "--backbone", folder, "--out", str(tmp_path / "mine")]
    assert status(arguments) == 2
    assert not (tmp_path / "mine").exists()
    assert status([*arguments, "--label", "good"]) == 2
    assert "CLASS=WORDS" in capsys.readouterr().err
