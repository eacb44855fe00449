"""Share a prompt over a model hub: a repository a prompt, with a model card made from its lineage."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from softbridge.errors import PromptError
from softbridge.prompts import files
from softbridge.prompts.describing import model_card

REPO = re.compile(r"[\w.-]+/[\w.-]+")
# What is fetched of a repository, whatever else lies there; pickles are not among it.
FETCHED = (files.TENSOR, files.CARD, "adapter_config.json", "adapter_model.safetensors", "README.md")


def push(folder: Path | str, repo: str, private: bool = False, backbone: str | None = None, note: str = "") -> str:
    """Send a saved prompt to a hub's repository, which is made where it is not there.

    The repository holds the prompt, its card, the PEFT adapter where PEFT has one, and a model card.

    Arguments:
        folder: where the prompt was saved.
        repo: the repository, `org/name`.
        private: whether a new repository is seen by its owners alone.
        backbone: the hub id of the backbone, where the card names a folder of this machine.
        note: what the commit says.

    Returns:
        The address of the commit.

    Raises:
        PromptError: when the folder holds no prompt, its backbone cannot be had by others, or the hub refuses.

    Example:
        >>> push("my-prompt", "my prompt")  # doctest: +IGNORE_EXCEPTION_DETAIL
        Traceback (most recent call last):
        softbridge.errors.PromptError: 'my prompt' is no repository
    """
    from huggingface_hub import HfApi

    named(repo)
    saved = files.load(folder)
    card = replace(saved.card, backbone=backbone or saved.card.backbone)
    if not REPO.fullmatch(card.backbone) or Path(card.backbone).exists():
        raise PromptError(
            f"the prompt's backbone is {card.backbone}, which others do not have",
            "a backbone that can be had from the hub",
            "add --backbone org/name, the id of the same model",
        )
    with tempfile.TemporaryDirectory() as place:
        made = Path(place) / "prompt"
        files.save(made, saved.injection, card)
        (made / "README.md").write_text(model_card(card, repo, (made / "adapter_config.json").exists()), "utf-8")
        with asking(repo):
            api = HfApi(library_name="softbridge")
            api.create_repo(repo, private=private or None, exist_ok=True)
            said = note or f"A soft prompt for {card.backbone}, learned on {', '.join(card.data) or 'unnamed data'}"
            sent = api.upload_folder(repo_id=repo, folder_path=str(made), commit_message=said)
    return str(sent.commit_url)


def pull(repo: str, folder: Path | str, revision: str | None = None) -> files.SavedPrompt:
    """Fetch a prompt from a hub's repository, verify it, and save it in a folder.

    Arguments:
        repo: the repository, `org/name`.
        folder: where it goes; a prompt that stood there is replaced.
        revision: a branch, a tag or a commit; the newest by default.

    Raises:
        PromptError: when there is no such repository, it holds no prompt, or the prompt is not what its card says.
    """
    from huggingface_hub import snapshot_download

    named(repo)
    with tempfile.TemporaryDirectory() as place:
        with asking(repo):
            snapshot_download(
                repo, revision=revision, local_dir=place, allow_patterns=list(FETCHED), library_name="softbridge"
            )
        saved = files.load(place)
        saved.save(folder)
        text = Path(place) / "README.md"
        if text.is_file():
            (Path(folder) / "README.md").write_bytes(text.read_bytes())
    return saved


def named(repo: str) -> None:
    """Refuse what is no repository's name."""
    if not REPO.fullmatch(repo):
        raise PromptError(f"'{repo}' is no repository", "org/name, in letters, digits and . _ -", "write org/name")


@contextmanager
def asking(repo: str) -> Iterator[None]:
    """Turn a hub's refusal, or its silence, into an error of three parts."""
    from huggingface_hub.errors import HTTPError, RepositoryNotFoundError

    try:
        yield
    except RepositoryNotFoundError as error:
        raise PromptError(
            f"the hub has no repository {repo} for you",
            "a repository that is there, and that you may see",
            "mend the name, or log in: hf auth login",
        ) from error
    except (HTTPError, OSError) as error:
        raise PromptError(
            f"the hub did not do it for {repo}: {' '.join(str(error).split())[:300]}",
            "a hub that can be reached, and a login that may do this",
            "check the network and HF_ENDPOINT, and log in: hf auth login",
        ) from error
