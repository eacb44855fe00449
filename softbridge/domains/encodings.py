"""Bytes to text, and which encoding would work where the one asked for does not."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from softbridge.errors import DataError

EAST_ASIAN = ("gb18030", "big5", "shift_jis")
WESTERN = ("cp1252", "latin-1")


def decode(path: Path, encoding: str) -> str:
    """Return a file's text, without a byte order mark.

    Arguments:
        path: the file.
        encoding: a name Python knows, e.g. "utf-8" or "gb18030".

    Raises:
        DataError: when the encoding is unknown or does not fit the bytes; it then says which ones would.
    """
    content = path.read_bytes()
    try:
        text = content.decode(encoding)
    except LookupError:
        raise DataError(
            f"there is no encoding named '{encoding}'", "utf-8, gb18030, cp1252, ...", "mend `encoding`"
        ) from None
    except UnicodeDecodeError as error:
        raise _does_not_fit(path, content, encoding, error.start) from None
    if _is_utf8_after_all(content, encoding):
        # A one-byte encoding reads any bytes, so that nothing but this check would tell of the garbled text.
        raise DataError(
            f"{path.name} is written in utf-8, not in {encoding}",
            f"bytes in {encoding}, as `encoding` says",
            "write `encoding: utf-8`, or leave the key out",
        )
    return text.removeprefix("\ufeff")


def fitting(content: bytes) -> list[str]:
    """Return the encodings that can read the bytes, likeliest first.

    Example:
        >>> fitting("质量很好".encode("gb18030"))[0], fitting("Für alle Größen".encode("cp1252"))[0]
        ('gb18030', 'cp1252')
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ["utf-16"]
    # East Asian characters are pairs of high bytes and stand in runs; an accented letter stands alone.
    runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", content)]
    likeliest = EAST_ASIAN + WESTERN if sum(runs) > 1.5 * len(runs) else WESTERN + EAST_ASIAN
    return [name for name in ("utf-8", *likeliest) if _fits(content, name)]


def _fits(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _is_utf8_after_all(content: bytes, encoding: str) -> bool:
    asked = codecs.lookup(encoding).name
    return not asked.startswith("utf") and not content.isascii() and _fits(content, "utf-8")


def _does_not_fit(path: Path, content: bytes, encoding: str, place: int) -> DataError:
    names = fitting(content)
    number = content.count(b"\n", 0, place) + 1
    glimpses = [f"{name} reads line {number} as {_line(content.decode(name), number)!r}" for name in names[:3]]
    return DataError(
        f"{path.name} is not written in {encoding}: line {number} has a byte that {encoding} cannot read",
        "; ".join(glimpses),
        f"write `encoding: {names[0]}`, or save the file as utf-8",
    )


def _line(text: str, number: int) -> str:
    lines = text.split("\n")
    return lines[min(number, len(lines)) - 1].strip()[:40]
