"""What people see while a study runs: a bar on a terminal, one line a stage anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from softbridge.study.tracking import Tell, silent


class Watcher:
    """Show stages on a console.

    Arguments:
        console: where to; None shows nothing.
        tell: is told of every member's looks.
    """

    def __init__(self, console: Console | None, tell: Tell = silent) -> None:
        self.console, self.tell = console, tell
        self.met: set[Path] = set()  # the folders of the stages that were told of, or carried out under this watch

    def say(self, text: str) -> None:
        """Print one line."""
        if self.console:
            self.console.print(text, highlight=False, markup=False)

    def before(self, name: str, folder: Path) -> None:
        """Say of a stage that an earlier run finished it: once, and not of what was carried out under this watch."""
        if folder not in self.met:
            self.say(f"{name}: finished before")
        self.met.add(folder)

    @contextmanager
    def stage(self, name: str, steps: int) -> Iterator[Callable[[int, int, str], None]]:
        """Show a bar with rows/s and the time left while a stage trains; nothing where the console is no terminal."""
        if not self.console or not self.console.is_terminal:
            yield lambda step, rows, shown: None
            return
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[shown]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task(name, total=steps, shown="")

            def show(step: int, rows: int, shown: str) -> None:
                elapsed = progress.tasks[0].elapsed or 0.0
                speed = f"{rows / elapsed:.0f} rows/s" if elapsed else ""
                progress.update(task, completed=step, shown=f"{shown}  {speed}")

            yield show
