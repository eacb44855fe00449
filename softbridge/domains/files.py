"""The file formats a domain is read from, one function each: a file to a `Dataset` whose columns are the file's.

Nothing is cached between runs and no type is guessed from a csv cell: what the file says now is what is read.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset

from softbridge.domains.encodings import decode
from softbridge.errors import DataError

LONGEST_CELL = 2**31 - 1
BROKEN = (pa.ArrowException, ValueError, KeyError)  # of columns whose names are no text, Arrow and datasets raise these


def read_csv(path: Path, encoding: str, delimiter: str = ",") -> Dataset:
    """Read a table with a header line; every cell stays the text it is.

    Arguments:
        path: the file.
        encoding: the file's encoding.
        delimiter: what stands between two cells.

    Raises:
        DataError: when the file is empty, a line has too many or too few cells, or a quote is never closed.
    """
    csv.field_size_limit(LONGEST_CELL)  # Python's own limit, 131,072 characters, is shorter than some documents
    lines = csv.reader(io.StringIO(decode(path, encoding), newline=""), delimiter=delimiter, strict=True)
    try:
        rows = [(lines.line_num, row) for row in lines if row]
    except csv.Error as error:
        raise DataError(
            f"{path.name} line {lines.line_num}: {error}",
            "cells with a quote in them to be quoted, and the quote doubled",
            'write a cell such as "she said ""fine"" and left"',
        ) from None
    header, body = (rows[0][1], rows[1:]) if rows else ([], [])
    _check_header(path, header, delimiter)
    _check_cells(path, len(header), body)
    columns = [pa.array([row[i] for _, row in body], pa.string()) for i in range(len(header))]
    return Dataset(pa.table(columns, names=header))


def read_tsv(path: Path, encoding: str) -> Dataset:
    """Read a table whose cells are separated by tabs; see `read_csv`."""
    return read_csv(path, encoding, delimiter="\t")


def read_json(path: Path, encoding: str) -> Dataset:
    """Read JSON objects, one a line or all in one list; a key that an object lacks is null there.

    Raises:
        DataError: when a line is not a JSON object, or a key holds values of several types.
    """
    text = decode(path, encoding)
    rows = _json_list(path, text) if text.lstrip().startswith("[") else _json_lines(path, text)
    names = list(dict.fromkeys(name for row in rows for name in row))
    try:
        return Dataset(pa.table({name: [row.get(name) for row in rows] for name in names}))
    except (*BROKEN, OverflowError) as error:
        raise DataError(
            f"{path.name} does not make a table: {error}",
            "each key to hold one type of value, in valid text",
            "make the values of each key alike, e.g. all labels strings",
        ) from None


def read_parquet(path: Path, encoding: str) -> Dataset:
    """Read a parquet file; the format says its own encoding.

    Raises:
        DataError: when the file is not parquet.
    """
    try:
        return Dataset(pq.read_table(path))
    except (*BROKEN, OSError) as error:
        raise DataError(f"{path.name} cannot be read: {error}", "a parquet file", "write the file anew") from None


READERS: dict[str, Callable[[Path, str], Dataset]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".jsonl": read_json,
    ".json": read_json,
    ".parquet": read_parquet,
}


def _check_header(path: Path, header: Sequence[str], delimiter: str) -> None:
    if not header:
        raise DataError(f"{path.name} is empty", "a header line and rows below it", "write the rows into the file")
    if any("\0" in name for name in header):
        raise DataError(f"{path.name} begins with zero bytes", "a table of text", "look whether it is another file")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise DataError(
            f"{path.name} has several columns named {', '.join(map(repr, repeated))}",
            "a different name for every column",
            "rename them in the file's first line",
        )
    other = next((mark for mark in ";\t," if mark in header[0]), None)
    if len(header) == 1 and other:
        raise DataError(
            f"{path.name} has one column, named {header[0]!r}: its cells seem to be separated by {other!r}",
            f"cells separated by {delimiter!r}",
            "save the file with commas as .csv, or with tabs as .tsv",
        )


def _check_cells(path: Path, width: int, body: Sequence[tuple[int, Sequence[str]]]) -> None:
    ragged = [(line, len(row)) for line, row in body if len(row) != width]
    if ragged:
        shown = ", ".join(f"line {line} has {cells}" for line, cells in ragged[:3])
        raise DataError(
            f"{path.name} has {len(ragged)} rows that do not fit its header: {shown}",
            f"{width} cells in every row",
            "put quotes around a cell that holds a separator or a line break",
        )


def _json_list(path: Path, text: str) -> list[dict[str, Any]]:
    rows = _parse(text, path.name)
    strange = next((i for i, row in enumerate(rows) if not isinstance(row, dict)), None)
    if strange is not None:
        raise _not_an_object(f"{path.name} item {strange + 1}", rows[strange])
    return rows


def _json_lines(path: Path, text: str) -> list[dict[str, Any]]:
    rows = []
    # Only "\n" ends a line: `splitlines` would also cut at the U+2028 that JSON allows inside a string.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            row = _parse(line, f"{path.name} line {number}")
            if not isinstance(row, dict):
                raise _not_an_object(f"{path.name} line {number}", row)
            rows.append(row)
    return rows


def _parse(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of thousands of digits, and brackets without end
        raise DataError(
            f"{place} is not JSON: {error}",
            'one object a line, {"text": ..., "label": ...}, or one list of such objects',
            "mend the line",
        ) from None


def _not_an_object(place: str, value: object) -> DataError:
    return DataError(f"{place} is {str(value)[:40]!r}", 'an object such as {"text": ...}', "mend the line")
