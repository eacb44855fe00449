"""The cache of assets: one folder each, written whole or not at all, and checked against its own manifest."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs

from softbridge.assets.table import Asset

MANIFEST = "asset.json"
LAYOUT = 1  # raise it when a converter writes something else: older copies are then made anew


def home() -> Path:
    """Return the folder softbridge keeps things in: `SOFTBRIDGE_HOME`, or the user's cache folder."""
    return Path(os.environ.get("SOFTBRIDGE_HOME") or platformdirs.user_cache_dir("softbridge")).expanduser().absolute()


def folder(name: str) -> Path:
    """Return where an asset of this name is kept, there or not.

    Example:
        >>> folder("vader/movies").name
        'vader--movies'
    """
    return home() / "assets" / name.replace("/", "--")


def problem(asset: Asset, verify: bool = False) -> str | None:
    """Return what is wrong with the cached copy, or None where it is whole.

    Sizes and times of every file are looked at each time, which costs microseconds. A file is hashed only when its
    time has changed: hashing takes 0.3 s for 90 MB and 0.9 s for 270 MB, too much for each of many short runs.

    Arguments:
        asset: the catalogue's entry.
        verify: hash every file, whatever its time.
    """
    place = folder(asset.name)
    if not place.is_dir():
        return f"there is no folder {place}"
    try:
        manifest = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return f"its {MANIFEST} is missing or cannot be read"
    if any(manifest.get(key) != value for key, value in _origin(asset).items()):
        return "it was made from another version of the archive, or by another version of softbridge"
    complaints = (_complaint(place / file, seal, verify) for file, seal in manifest["files"].items())
    trouble = next(filter(None, complaints), None)
    if trouble is None:
        _renew(place, manifest)
    return trouble


def publish(asset: Asset, made: Path) -> Path:
    """Seal a finished folder with its manifest and move it to its place, replacing what is there.

    Arguments:
        asset: the catalogue's entry.
        made: the finished folder, inside `workplace(asset)`.
    """
    files = sorted(file for file in made.rglob("*") if file.is_file())
    for file in files:
        file.chmod(0o644)  # some libraries write 0600, and a cache may be shared; the folders keep the user's mask
    seals = {file.relative_to(made).as_posix(): _seal(file) for file in files}
    manifest = {**_origin(asset), **_card(asset), "files": seals}
    (made / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    place = folder(asset.name)
    if place.exists():
        os.replace(place, made.with_name(f"{made.name}.old"))  # a folder cannot be replaced in one move
    os.replace(made, place)
    return place


@contextmanager
def workplace(asset: Asset) -> Iterator[Path]:
    """Hold the lock of the asset's package, and yield an empty folder on the cache's own file system.

    The folder's name is fixed, so the next process to hold the lock clears away what a killed one has left.
    """
    from filelock import FileLock  # here, because it takes longer to import than all the rest

    root = home() / "assets"
    root.mkdir(parents=True, exist_ok=True)
    work = root / f".{asset.package}-{asset.version}.work"
    with FileLock(root / f".{asset.package}-{asset.version}.lock"):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _origin(asset: Asset) -> dict[str, Any]:
    """Return the part of the manifest that must agree with the catalogue."""
    return {"layout": LAYOUT, "name": asset.name, "archive_sha256": asset.sha256, "member": asset.member}


def _card(asset: Asset) -> dict[str, Any]:
    """Return the part of the manifest that is there to be read."""
    keys = ("kind", "package", "version", "hub_id", "revision", "licence", "citation", "note")
    return {key: getattr(asset, key) for key in keys}


def _seal(file: Path) -> dict[str, Any]:
    state = file.stat()
    return {"size": state.st_size, "mtime_ns": state.st_mtime_ns, "sha256": _sha256(file)}


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _complaint(file: Path, seal: dict[str, Any], verify: bool) -> str | None:
    """Return what is wrong with one file, or None."""
    try:
        state = file.stat()
        if state.st_size != seal["size"]:
            return f"{file.name} has {state.st_size} bytes instead of {seal['size']}"
        if (verify or state.st_mtime_ns != seal["mtime_ns"]) and _sha256(file) != seal["sha256"]:
            return f"{file.name} does not have its sha256"
    except OSError as error:
        return f"{file.name} is missing or cannot be read ({error.strerror})"
    return None


def _renew(place: Path, manifest: dict[str, Any]) -> None:
    """Write down the times of files that were hashed and found whole, so that a copied cache is hashed once."""
    times = {file: (place / file).stat().st_mtime_ns for file in manifest["files"]}
    if all(times[file] == seal["mtime_ns"] for file, seal in manifest["files"].items()):
        return
    seals = {file: {**seal, "mtime_ns": times[file]} for file, seal in manifest["files"].items()}
    draft = place / f"{MANIFEST}.{os.getpid()}"
    try:
        draft.write_text(json.dumps({**manifest, "files": seals}, indent=2) + "\n", encoding="utf-8")
        os.replace(draft, place / MANIFEST)
    except OSError:
        return  # a cache that may only be read is hashed each time
