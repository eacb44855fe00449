"""Take a file or a folder out of an archive that is not trusted."""

from __future__ import annotations

import errno
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from softbridge.errors import AssetError

# Text packs to a twentieth at best, and a bomb to a thousandth.
LARGEST_RATIO = 100
SPARE = 1 << 20
LONGEST_NAME = 255
CHUNK = 1 << 20

Files = dict[str, Callable[[], IO[bytes]]]


def unpack(archive: Path, member: str, work: Path) -> Path:
    """Write one member of a zip or tar archive below a folder, and return where it is.

    The archive is refused as a whole when it is damaged, when a name in it is absolute or leads upwards, when it holds
    a link or a device, or when the member unpacks to far more than the archive holds. Only contents are written, never
    owners, modes or links, so nothing outside the folder can be touched.

    Arguments:
        archive: a wheel, zip, or (compressed) tar file.
        member: a file, or a folder with all that is below it; `inner.tar.gz!file` goes into an inner archive.
        work: the folder to write to.

    Raises:
        AssetError: when the archive is refused, or has no such member.
    """
    outer, _, inner = member.partition("!")
    room = SPARE + LARGEST_RATIO * archive.stat().st_size
    with _readable(archive), _open(archive) as files:
        chosen = {name: read for name, read in files.items() if name == outer or name.startswith(f"{outer}/")}
        if not chosen:
            raise _refusal(archive, f"has no '{outer}'")
        for name, read in chosen.items():
            target = work / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with read() as source, target.open("wb") as sink:
                room -= _copy(source, sink, room, archive)
    return unpack(work / outer, inner, work) if inner else work / outer


def _copy(source: IO[bytes], sink: IO[bytes], room: int, archive: Path) -> int:
    """Copy a file into the room there is, and return its size."""
    size = 0
    while chunk := source.read(CHUNK):
        size += len(chunk)
        if size > room:
            raise _refusal(archive, f"unpacks to more than {LARGEST_RATIO} times its size")
        sink.write(chunk)
    return size


DAMAGED = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(EOFError, ValueError, LookupError, OverflowError, RuntimeError),  # RuntimeError: also an encrypted member
    *(FileExistsError, NotADirectoryError, IsADirectoryError),  # one name is a file and a folder
)


@contextmanager
def _readable(archive: Path) -> Iterator[None]:
    """Turn all that Python's readers raise for a damaged archive into a refusal."""
    try:
        yield
    except DAMAGED as error:
        raise _refusal(archive, f"is damaged ({type(error).__name__}: {error})") from None
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):
            raise  # the disk's, not the archive's: gzip raises it without a number, zip where an offset is negative
        raise _refusal(archive, f"is damaged ({type(error).__name__}: {error})") from None


@contextmanager
def _open(archive: Path) -> Iterator[Files]:
    """Yield a reader for each file of the archive, after every entry was found harmless."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as bundle:
            yield {_safe(archive, i.filename): partial(bundle.open, i) for i in bundle.infolist() if not i.is_dir()}
    else:
        with tarfile.open(archive) as tar:
            yield {_safe(archive, info.name): partial(_read, tar, info) for info in _files(archive, tar)}


def _files(archive: Path, tar: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """Return the archive's files, or refuse it where it holds anything but files and folders."""
    for info in tar:
        if not info.isfile() and not info.isdir():
            raise _refusal(archive, f"holds a link or a device, '{info.name}'")
    return [info for info in tar.getmembers() if info.isfile()]


def _read(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    stream = tar.extractfile(info)
    assert stream is not None  # only regular files come here
    return stream


def _safe(archive: Path, name: str) -> str:
    """Return the name, or refuse the archive where the name could lead out of a folder on any system."""
    if any(len(part.encode(errors="replace")) > LONGEST_NAME for part in PurePosixPath(name).parts):
        raise _refusal(archive, f"holds a file with a name of {len(name)} letters")
    if PureWindowsPath(name).anchor or ".." in PureWindowsPath(name).parts or not PurePosixPath(name).parts:
        raise _refusal(archive, f"holds a file that would be written elsewhere, '{name}'")
    return name


def _refusal(archive: Path, what: str) -> AssetError:
    return AssetError(
        f"{archive.name} {what}",
        "an archive of plain files with relative names, with the member the catalogue names",
        "nothing was written to the cache; please report it with the archive's origin",
    )
