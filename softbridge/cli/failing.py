"""How a run ends that cannot go on: with one readable message, also where several processes fail at once."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from softbridge.cli.console import complain
from softbridge.errors import SoftbridgeError

# What a machine does to a program: the user's to mend, and no defect of softbridge.
MACHINE = {
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "make room within the quota of that disk",
    errno.EFBIG: "raise the largest size of a file (`ulimit -f`), or choose another disk",
    errno.EACCES: "give this user the right to it (`ls -l` shows who has it)",
    errno.EPERM: "give this user the right to it",
    errno.EEXIST: "name another folder: a file stands where this one is to be",
    errno.ENOTDIR: "name another place: a file stands where one of its folders is to be",
    errno.EISDIR: "name a file: a folder stands there",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.EROFS: "choose a folder that can be written, with --out, or with SOFTBRIDGE_HOME for the cache",
    errno.EIO: "look at the disk: it fails",
    errno.ESTALE: "mount the file system again",
    errno.EMFILE: "raise the number of open files (`ulimit -n`)",
    errno.ENFILE: "close other programs: the machine has too many files open",
}
LAUNCH = ("LOCAL_RANK", "MASTER_PORT")
SAME_FAILURE = 60.0  # seconds in which the processes of one launch fail together


def told(error: OSError) -> SoftbridgeError | None:
    """Return what the machine would not do as a user's mistake; None for what is a defect of softbridge.

    Example:
        >>> print(told(OSError(errno.ENOSPC, "No space left on device", "runs/a/result.json")))
        runs/a/result.json: No space left on device
          expected: files that can be read and written, and room for them
          to do: make room on that disk; then run the same command again: what is finished is kept
    """
    fix = MACHINE.get(error.errno or 0) or ("name another place: nothing can be made there" if making(error) else None)
    if fix is None:
        return None
    where = f"{error.filename}: " if error.filename else ""
    return SoftbridgeError(
        f"{where}{error.strerror}",
        "files that can be read and written, and room for them",
        f"{fix}; then run the same command again: what is finished is kept",
    )


def making(error: OSError) -> bool:
    """Say whether it was a folder, or a new file's draft, that could not be made, as in /proc."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and (frames[-1].name == "mkdir" or Path(frames[-1].filename).stem == "tempfile")


def first_to_fail() -> bool:
    """Say whether this process of a launch is the first on its machine to fail, and so the one that speaks.

    The others fail because this one is gone, or for the same reason; a file that only one of them can make decides.
    """
    if not all(name in os.environ for name in LAUNCH):
        return True
    mark = Path(tempfile.gettempdir()) / f"softbridge-{os.getuid()}-{os.getppid()}-{os.environ['MASTER_PORT']}.failed"
    try:
        if time.time() - mark.stat().st_mtime > SAME_FAILURE:
            mark.unlink()
    except OSError:
        pass  # it is not there, or another process was quicker
    try:
        mark.open("x").close()
    except FileExistsError:
        return False
    except OSError:
        return True  # better said twice than never
    return True


def end(error: BaseException) -> None:
    """Tell of an error, and exit: 2 after a user's mistake; a defect goes on as it is, or ends its launch with 1.

    Raises:
        SystemExit: with 2 after a user's mistake.
    """
    machine = told(error) if isinstance(error, OSError) else None
    known = error if isinstance(error, SoftbridgeError) else machine
    if "LOCAL_RANK" not in os.environ:
        if known is None:
            raise error
        complain(known)
        sys.exit(2)
    if first_to_fail():
        if known is None:
            traceback.print_exception(error)
        else:
            complain(known, anywhere=True)
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: taking down the connection would wait for processes that may never answer.
    os._exit(1 if known is None else 2)
