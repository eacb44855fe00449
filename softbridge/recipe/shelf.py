"""The recipes that travel with softbridge, and the file that a name stands for."""

from __future__ import annotations

from pathlib import Path

import softbridge
from softbridge.catalogue import look_up
from softbridge.errors import SoftbridgeError, nearest

SUFFIXES = (".yaml", ".yml")


def shelf() -> dict[str, Path]:
    """Return the packaged recipes by name: those in the wheel, or else those beside the package in a clone."""
    package = Path(softbridge.__file__).parent
    folders = [package / "_recipes", package.parent / "recipes"]
    return {file.stem: file for folder in folders[::-1] for file in sorted(folder.glob("*.yaml"))}


def papers() -> tuple[dict[str, Path], Path]:
    """Return the recipes that reproduce papers by name, and the file of the numbers that were published."""
    package = Path(softbridge.__file__).parent
    places = (package / "_recipes" / "papers", package.parent / "recipes" / "papers")
    folder = next((place for place in places if place.is_dir()), places[0])
    return {file.stem: file for file in sorted(folder.glob("*.yaml"))}, folder / "published.csv"


def find(path_or_name: str | Path) -> Path:
    """Return the file of a recipe, given by path or by the name of a packaged one.

    Raises:
        SoftbridgeError: when there is no such file or name.

    Example:
        >>> find("quickstart").name
        'quickstart.yaml'
    """
    path = Path(path_or_name)
    if path.suffix not in SUFFIXES and path.parent == Path():
        return look_up(shelf(), str(path), "recipe")
    if path.is_file():
        return path
    there = [file.name for file in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
    raise SoftbridgeError(
        f"there is no recipe file {path}{nearest(path.name, there)}",
        f"a YAML file, or the name of a packaged recipe: {', '.join(shelf())}",
        "check the path, or copy a packaged recipe: softbridge cp quickstart my.yaml",
    )


def heading(file: Path) -> str:
    """Return what a recipe says that it shows: the first line of its first comment."""
    first = file.read_text(encoding="utf-8").partition("\n")[0]
    return first.lstrip("# ").strip() if first.startswith("#") else ""
