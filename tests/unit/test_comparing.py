"""`softbridge similar` and `softbridge rank` on saved prompts whose likeness is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from softbridge.cli.main import main
from softbridge.injection import Injection
from softbridge.prompts.card import Card
from softbridge.prompts.files import SavedPrompt
from softbridge.reports.maps import clustered

CARD = Card("org/model", None, "causal", 2, 4, "ab12", 2, 3, "vocabulary", 0, verbalizer={"bad": "x", "good": "y"})
TOKENS = {
    "films": [[1.0, 0.0, 0.0], [0.9, 0.1, 0.0]],
    "news": [[0.0, 0.0, 1.0], [0.0, 0.1, 1.0]],
    "books": [[1.0, 0.1, 0.0], [1.0, 0.0, 0.1]],
}


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, tokens in TOKENS.items():
        SavedPrompt(Injection(torch.tensor([tokens])), replace(CARD, data={name: "f" * 64})).save(tmp_path / name)
    return list(TOKENS)


def test_similar_puts_the_alike_ones_together_and_draws_them(folders, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["similar", *folders, "--out", "map.svg"])
    assert not stop.value.code
    out = capsys.readouterr().out
    rows = [line for line in out.splitlines() if "seed 0" in line][-3:]
    order = [next(name for name in TOKENS if name in row) for row in rows]
    assert abs(order.index("films") - order.index("books")) == 1
    assert "warning" not in out
    assert "<svg" in Path("map.svg").read_text()


def test_prompts_of_other_starts_are_warned_of_and_of_other_backbones_refused(folders, tmp_path, capsys):
    SavedPrompt(Injection(torch.ones(1, 2, 3)), replace(CARD, seed=7)).save(tmp_path / "late")
    with pytest.raises(SystemExit):
        main(["similar", "films", "late"])
    assert "began in 2 different ways" in capsys.readouterr().out
    SavedPrompt(Injection(torch.ones(1, 2, 3)), replace(CARD, backbone="org/other")).save(tmp_path / "other")
    with pytest.raises(SystemExit) as stop:
        main(["similar", "films", "other"])
    assert stop.value.code == 2
    assert "org/model and org/other" in capsys.readouterr().err


def test_rank_names_the_most_similar_first_and_the_labels_shared(folders, tmp_path, capsys):
    SavedPrompt(Injection(torch.ones(1, 2, 3)), replace(CARD, verbalizer={"spam": "s"})).save(tmp_path / "spam")
    with pytest.raises(SystemExit):
        main(["rank", "books", "news", "spam", "films"])
    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if " of 2" in line]
    assert [line.split()[-1] for line in lines] == ["films", "spam", "news"]
    assert "0 of 2" in lines[1]
    with pytest.raises(SystemExit) as stop:
        main(["rank", "books", "films", "--by", "cosine"])
    assert stop.value.code == 2
    assert "cosine_of_means" in capsys.readouterr().err


def test_one_prompt_cannot_be_compared(folders, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["similar", "films"])
    assert stop.value.code == 2
    assert "at least 2" in capsys.readouterr().err


def test_a_map_goes_into_a_new_folder_and_into_no_other_format(folders, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["similar", *folders, "--out", "new/map.svg"])
    assert not stop.value.code
    assert Path("new/map.svg").stat().st_size
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(["similar", *folders, "--out", "map.xyz"])
    assert stop.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert ".svg, .pdf, .png" in said.err


def test_the_order_of_a_map_keeps_groups_together():
    blocks = np.kron(np.eye(3), np.ones((2, 2)))
    shuffled = [0, 3, 1, 5, 2, 4]
    order = clustered(blocks[shuffled][:, shuffled])
    assert all(len({shuffled[i] // 2 for i in order[k : k + 2]}) == 1 for k in (0, 2, 4))
