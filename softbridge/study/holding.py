"""Hold a stage while it is carried out, so that several runs may share a folder: one works, the others take the result.

The lock is the operating system's own: it goes with the process that held it, however that one ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from accelerate import Accelerator
from filelock import FileLock, Timeout

from softbridge.study.stages import Stage
from softbridge.study.watching import Watcher

Item = TypeVar("Item")


def free_first(items: Sequence[Item], stage: Callable[[Item], Stage], accelerator: Accelerator) -> Iterator[Item]:
    """Yield what there is to do, last of all that which another run of the folder works at when its turn comes.

    Arguments:
        items: sources or cells.
        stage: the stage that an item trains.
        accelerator: several processes keep to the order, for they must do the same.
    """
    later = []
    for item in items:
        if accelerator.num_processes == 1 and held(stage(item)):
            later.append(item)
        else:
            yield item
    yield from later


def held(stage: Stage) -> bool:
    """Say whether another run works at a stage now."""
    file = stage.root / f".{stage.folder.name}.lock"
    if not file.exists():
        return False
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


@contextmanager
def holding(stage: Stage, accelerator: Accelerator, watcher: Watcher) -> Iterator[None]:
    """Wait until no other run works at a stage, and hold it; all processes of this run go on together.

    A stage waits for its inputs while it is held, and they never wait for it, so that no two runs wait for each other.
    Inside, look first whether the stage is finished.

    Arguments:
        stage: the stage.
        accelerator: the first of its processes holds the lock for all.
        watcher: is told that another run is waited for.
    """
    file = stage.root / f".{stage.folder.name}.lock"
    lock = FileLock(file)
    if accelerator.is_main_process and not stage.finished:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            watcher.say(f"{stage.name}: another run works at it; waiting")
            lock.acquire()
    accelerator.wait_for_everyone()
    try:
        yield
    finally:
        if lock.is_locked and stage.finished:
            file.unlink(missing_ok=True)  # whoever still waits for it finds the stage finished
        lock.release()
        watcher.met.add(stage.folder)
