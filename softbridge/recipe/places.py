"""Where a recipe's model and data are: in the catalogue, in a folder, or on a hub; looked for before anything loads."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from softbridge.assets.table import ALIASES, ASSETS
from softbridge.errors import nearest
from softbridge.prompts.shelved import GALLERY, gallery, gallery_folder, located
from softbridge.recipe.document import Document, Steps

HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")  # no ./folder and no ../folder

# Names of the hub's early days, which papers still use, and the ids that they stand for.
RENAMED: Mapping[str, str] = {
    **{
        name: f"google-bert/{name}"
        for name in ("bert-base-chinese", "bert-base-uncased", "bert-base-multilingual-cased")
    },
    **{name: f"FacebookAI/{name}" for name in ("roberta-base", "roberta-large", "xlm-roberta-base")},
    **{name: f"openai-community/{name}" for name in ("gpt2", "gpt2-medium")},
    **{name: f"google-t5/{name}" for name in ("t5-small", "t5-base", "t5-large")},
    "distilbert-base-uncased": "distilbert/distilbert-base-uncased",
}


def model(name: str, folder: Path, path: Steps, document: Document) -> str:
    """Return a backbone's name, a folder beside the recipe as an absolute path; note one that cannot be found."""
    models = [entry for entry, asset in ASSETS.items() if asset.kind == "model"]
    if ALIASES.get(name, name) in models:
        return ALIASES.get(name, name)  # one name for one model, so that its stages and cards are the same
    found = _beside(name, folder)
    if found is not None and found.is_dir():
        return str(found)
    if name in RENAMED:
        return RENAMED[name]
    if not HUB_ID.fullmatch(name):
        seen = f"'{name}' is no model of the catalogue, no folder, and no hub id{nearest(name, models)}"
        document.note(path, seen, f"write one of: {', '.join(models)}, or a folder, or org/name")
    return name


def data(name: str, folder: Path, path: Steps, document: Document) -> str:
    """Return the name of a domain's data, a file beside the recipe as an absolute path; note one that cannot be found.

    A file in `SOFTBRIDGE_DATA` keeps its name, so that the recipe means the same on another machine.
    """
    tables = [entry for entry, asset in ASSETS.items() if asset.kind == "data"]
    shared = os.environ.get("SOFTBRIDGE_DATA")
    if name.startswith("hub:") or (name and shared and (Path(shared) / name).exists()):
        return name
    found = _beside(name, folder)
    if found is None and name not in tables:
        seen = f"'{name}' is no file in {folder.resolve()}, none in SOFTBRIDGE_DATA, and no data of the catalogue"
        document.note(path, seen + nearest(name, tables), "mend the name, or write hub:org/name")
    return str(found) if found else name


def prompts(name: str, folder: Path, path: Steps, document: Document) -> str:
    """Return the name of a source's saved prompts, a folder beside the recipe as an absolute path; note others."""
    found = _beside(name, folder)
    if found is not None and found.is_dir():
        own = name in gallery() and found.resolve() == (gallery_folder() / name.removeprefix(GALLERY)).resolve()
        return name if own else str(found)  # in a clone's folder the gallery's names are folders, which others have not
    if located(name) is None:
        seen = f"'{name}' is no folder in {folder.resolve()}, and no name of the gallery{nearest(name, gallery())}"
        document.note(path, seen, "give a folder of saved prompts; softbridge ls gallery lists the gallery's names")
    return name


def _beside(name: str, folder: Path) -> Path | None:
    """Return a file or folder of that name beside the recipe, or else in the working folder."""
    places = (base / Path(name).expanduser() for base in (folder, Path()))
    return next((place.resolve() for place in places if name and place.exists()), None)
