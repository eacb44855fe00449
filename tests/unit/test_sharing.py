"""`softbridge push`, `pull` and `prompts`, with a folder in the hub's place; its calls fit the real ones."""

import inspect
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
import torch
from huggingface_hub.errors import HTTPError, RepositoryNotFoundError

from softbridge.cli.main import main
from softbridge.errors import PromptError
from softbridge.injection import Injection
from softbridge.prompts import files
from softbridge.prompts.card import Card
from softbridge.prompts.describing import model_card
from softbridge.prompts.sharing import FETCHED, pull, push

CARD = Card(
    "org/model",
    "abc",
    "causal",
    2,
    4,
    "ab12",
    2,
    3,
    "from movies",
    1,
    parents=("movies",),
    data={"news": "f" * 64},
    verbalizer={"bad": " bad", "good": " good"},
    steps=8,
    scores={"validation_accuracy": 0.75},
)
REAL = {
    "create_repo": huggingface_hub.HfApi.create_repo,
    "upload_folder": huggingface_hub.HfApi.upload_folder,
    "snapshot_download": huggingface_hub.snapshot_download,
}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Put a folder in the hub's place: a repository is a folder in it."""
    root = tmp_path / "hub"

    class Api:
        def __init__(self, library_name):
            pass

        def create_repo(self, repo, **keys):
            inspect.signature(REAL["create_repo"]).bind(self, repo, **keys)
            (root / repo).mkdir(parents=True, exist_ok=keys["exist_ok"])

        def upload_folder(self, **keys):
            inspect.signature(REAL["upload_folder"]).bind(self, **keys)
            shutil.copytree(keys["folder_path"], root / keys["repo_id"], dirs_exist_ok=True)
            return SimpleNamespace(commit_url=f"https://hub/{keys['repo_id']}/commit/1")

    def snapshot_download(repo, **keys):
        inspect.signature(REAL["snapshot_download"]).bind(repo, **keys)
        if not (root / repo).is_dir():
            raise RepositoryNotFoundError("404", response=SimpleNamespace(headers={}, request=None, status_code=404))
        for name in keys["allow_patterns"]:
            if (root / repo / name).is_file():
                shutil.copy(root / repo / name, Path(keys["local_dir"]) / name)

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "250")
    return root


@pytest.fixture
def mine(tmp_path):
    files.save(tmp_path / "mine", Injection(torch.arange(6.0).view(1, 2, 3)), CARD)
    return tmp_path / "mine"


def test_what_is_pulled_is_what_was_pushed(hub, mine, tmp_path):
    assert push(mine, "me/mine") == "https://hub/me/mine/commit/1"
    assert {path.name for path in (hub / "me/mine").iterdir()} == set(FETCHED)
    (hub / "me/mine/weights.bin").write_bytes(b"not fetched")
    found = pull("me/mine", tmp_path / "theirs")
    assert found.card == CARD
    assert torch.equal(files.load(tmp_path / "theirs").injection.tokens, files.load(mine).injection.tokens)
    assert not (tmp_path / "theirs/weights.bin").exists()
    config = json.loads((tmp_path / "theirs/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "org/model"
    pull("me/mine", tmp_path / "theirs")  # a prompt that stood there is replaced


def test_the_model_card_tells_the_lineage(hub, mine):
    push(mine, "me/mine")
    text = (hub / "me/mine/README.md").read_text()
    front = huggingface_hub.ModelCard(text).data
    assert (front.base_model, front.library_name) == ("org/model", "peft")
    for fact in ("movies", "f" * 64, "from movies", "0.7500", "`abc`", "` good`", "softbridge pull me/mine"):
        assert fact in text
    assert "not a test score" in text
    late = model_card(replace(CARD, scores={}), "me/late", adapter=False)
    assert huggingface_hub.ModelCard(late).data.library_name == "softbridge"
    assert "Scores" not in late


def test_a_damaged_prompt_is_not_taken(hub, mine, tmp_path):
    push(mine, "me/mine")
    card = json.loads((hub / "me/mine/card.json").read_text())
    (hub / "me/mine/card.json").write_text(json.dumps(card | {"length": 5}))
    with pytest.raises(PromptError):
        pull("me/mine", tmp_path / "theirs")
    assert not (tmp_path / "theirs").exists()


def test_what_others_cannot_use_is_not_pushed(hub, mine, tmp_path):
    files.save(mine, files.load(mine).injection, replace(CARD, backbone=str(tmp_path)))
    with pytest.raises(PromptError, match="others do not have"):
        push(mine, "me/mine")
    assert not hub.exists()
    push(mine, "me/mine", backbone="org/other")
    assert json.loads((hub / "me/mine/card.json").read_text())["backbone"] == "org/other"
    assert str(tmp_path) not in "".join(p.read_text(errors="ignore") for p in (hub / "me/mine").iterdir())


def status(line):
    with pytest.raises(SystemExit) as stop:
        main(line.split())
    return stop.value.code or 0


def test_the_verbs_and_their_mistakes(hub, mine, tmp_path, capsys, monkeypatch):
    assert status("push mine me/mine --note first") == 0
    assert status("pull me/mine --out theirs") == 0
    assert "theirs: a soft prompt of 2 tokens for org/model" in capsys.readouterr().out
    assert status("pull me/none") == 2
    assert "the hub has no repository me/none" in capsys.readouterr().err
    assert status("push mine nowhere") == 2
    assert "org/name" in capsys.readouterr().err

    def refuse(self, repo, **keys):
        raise HTTPError("no route")

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", refuse)
    assert status("push mine me/mine") == 2
    assert "no route" in capsys.readouterr().err


def test_every_prompt_of_a_folder_is_listed_with_parents_and_scores(hub, mine, tmp_path, capsys):
    files.save(tmp_path / "shelf/a/b", files.load(mine).injection, CARD)
    files.save(tmp_path / "shelf/c", files.load(mine).injection, replace(CARD, seed=7, parents=()))
    assert status("prompts shelf") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if "soft 2" in line]
    assert [row[0] for row in rows] == ["a/b", "c"]
    assert "movies" in rows[0][6:]
    assert "0.750" in rows[0]
    assert status("prompts shelf --json") == 0
    assert json.loads(capsys.readouterr().out)["shelf/c"]["seed"] == 7
    assert status("prompts hub") == 2
    (tmp_path / "shelf/c/card.json").write_text("{")
    assert status("prompts shelf") == 2
    assert "shelf/c/card.json" in capsys.readouterr().err
