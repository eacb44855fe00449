"""Where a domain's rows are found: a file, a saved folder, an asset, a hub data set, or memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from datasets import Dataset, DatasetDict, load_dataset, load_from_disk
from datasets.exceptions import DatasetsError

from softbridge import hub
from softbridge.domains.files import READERS, read_parquet
from softbridge.errors import DataError, nearest

Resolve: TypeAlias = Callable[[str], Path | None]
Data: TypeAlias = str | Dataset | DatasetDict

HUB = "hub:"
ASSET_FILE = "data.parquet"


def read(data: Data, encoding: str = "utf-8", resolve: Resolve | None = None) -> DatasetDict:
    """Read rows from wherever they are.

    Arguments:
        data: a file's name, `hub:org/name[:config][@revision]`, a folder of `save_to_disk`, an asset's name, or a
            data set in memory. Files and folders are looked for in the folder `SOFTBRIDGE_DATA` first, where it is set.
        encoding: the encoding of a text file.
        resolve: an asset's name to its folder, or None for a name it does not know.

    Returns:
        The data's own splits by name; data that has none is one split, "train".

    Raises:
        DataError: when there is no such data, it cannot be read, or it has no rows.

    Example:
        >>> read(Dataset.from_dict({"text": ["good"]}))["train"]["text"][0]
        'good'
    """
    found = _read(data, encoding, resolve)
    tables = DatasetDict(train=found) if isinstance(found, Dataset) else found
    if not any(len(table) for table in tables.values()):
        what = f"'{data}'" if isinstance(data, str) else "the data set"
        raise DataError(f"{what} has no rows", "at least one row", "write rows below the header, or name another file")
    return DatasetDict(train=next(iter(tables.values()))) if len(tables) == 1 else tables


def locate(data: str, resolve: Resolve | None = None) -> Path:
    """Return the file or folder of that name.

    Raises:
        DataError: when there is none, naming the places looked at.
    """
    places = [Path(folder) for folder in (os.environ.get("SOFTBRIDGE_DATA"), ".") if folder]
    for place in places:
        if (path := place / Path(data).expanduser()).exists():
            return path
    if resolve and (folder := resolve(data)):
        return folder
    parents = [(place / data).parent for place in places]
    siblings = [path.name for parent in parents if parent.is_dir() for path in parent.iterdir()]
    raise DataError(
        f"there is no data named '{data}'{nearest(Path(data).name, siblings)}",
        f"a file or folder in {' or '.join(str(place.resolve()) for place in places)}, an asset, or hub:org/name",
        "mend the name; `softbridge assets ls` names the data that can be fetched",
    )


def parse_hub(data: str) -> tuple[str, str | None, str | None]:
    """Take a hub name apart into name, config and revision.

    Example:
        >>> parse_hub("hub:nyu-mll/glue:sst2@bcdcba7")
        ('nyu-mll/glue', 'sst2', 'bcdcba7')
        >>> parse_hub("hub:stanfordnlp/imdb")
        ('stanfordnlp/imdb', None, None)
    """
    path, _, revision = data.removeprefix(HUB).partition("@")
    name, _, config = path.partition(":")
    return name, config or None, revision or None


def _read(data: Data, encoding: str, resolve: Resolve | None) -> Dataset | DatasetDict:
    if isinstance(data, Dataset | DatasetDict):
        return data
    if not isinstance(data, str):
        raise DataError(
            f"the data is a {type(data).__name__}",
            "a name, a datasets.Dataset or a datasets.DatasetDict",
            "convert it, e.g. with Dataset.from_pandas(frame) or Dataset.from_list(rows)",
        )
    if data.startswith(HUB):
        return _read_hub(data)
    path = locate(data, resolve)
    return _read_folder(path) if path.is_dir() else _read_file(path, encoding)


def _read_file(path: Path, encoding: str) -> Dataset:
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError(
            f"'{path.name}' ends in '{path.suffix}'", f"one of: {', '.join(READERS)}", "convert the file, or rename it"
        )
    return reader(path, encoding)


def _read_folder(folder: Path) -> Dataset | DatasetDict:
    if (folder / ASSET_FILE).exists():
        return read_parquet(folder / ASSET_FILE, "utf-8")
    try:
        return load_from_disk(str(folder))
    except (OSError, ValueError) as error:
        raise DataError(
            f"the folder {folder} cannot be read: {error}",
            "a folder that Dataset.save_to_disk or DatasetDict.save_to_disk wrote",
            "name the file inside the folder, or save the data set anew",
        ) from None


def _read_hub(data: str) -> Dataset | DatasetDict:
    name, config, revision = parse_hub(data)
    try:
        with hub.asking(name):
            return load_dataset(name, config, revision=revision)
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"the hub's data set {name} cannot be had: {error}",
            "hub:org/name[:config][@revision] of a public data set, and a reachable hub or a filled cache",
            "mend the name, log in with `hf auth login` where it is gated, or download the file and name that",
        ) from error
