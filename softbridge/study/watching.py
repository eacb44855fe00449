"""What people see while a study runs: a bar on a terminal, one line a stage anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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

    def say(self, text: str) -> None:
        """Print one line."""
        if self.console:
            self.console.print(text, highlight=False, markup=False)

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
