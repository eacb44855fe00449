"""The command line: one file a verb. Only a verb that runs imports what it works with."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from types import ModuleType
from typing import Annotated

import typer

from softbridge import __version__
from softbridge.cli import (
    assets,
    baseline,
    bridge,
    check,
    cite,
    cp,
    design,
    doctor,
    failing,
    gallery,
    generate,
    importing,
    inspect,
    ls,
    new,
    plan,
    predict,
    prompts,
    pull,
    push,
    rank,
    report,
    reproduce,
    resume,
    run,
    show,
    similar,
    watch,
)
from softbridge.cli.console import is_main, say

VERBS: dict[str, ModuleType] = {
    "ls": ls,
    "show": show,
    "cp": cp,
    "new": new,
    "bridge": bridge,
    "check": check,
    "plan": plan,
    "run": run,
    "resume": resume,
    "watch": watch,
    "report": report,
    "reproduce": reproduce,
    "baseline": baseline,
    "cite": cite,
    "design": design,
    "inspect": inspect,
    "predict": predict,
    "generate": generate,
    "import": importing,
    "similar": similar,
    "rank": rank,
    "gallery": gallery,
    "prompts": prompts,
    "push": push,
    "pull": pull,
    "doctor": doctor,
}

# rich would draw boxes around the help, and take half a second to load for it
app = typer.Typer(
    name="softbridge",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    epilog="\b\nExample:\n  softbridge cp quickstart my.yaml\n  softbridge check my.yaml\n  softbridge run my.yaml",
)
for name, verb in VERBS.items():
    lines = verb.EXAMPLE.replace("\n", "\n  ")
    app.command(name, epilog=f"\b\nExample:\n  {lines}")(verb.command)
app.add_typer(assets.app, name="assets", epilog=f"\b\nExample:\n  {assets.EXAMPLE}")


def _version(asked: bool) -> None:
    if asked:
        say(f"softbridge {__version__}")
        raise typer.Exit


@app.callback()
def softbridge(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Learn soft prompts on a source domain, carry them over a bridge, optimise them on the target."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line, and exit: 2 after a user's mistake, 130 after Ctrl-C.

    Arguments:
        arguments: what follows `softbridge`; the process's own arguments by default.
    """
    log = logging.getLogger("softbridge")
    log.setLevel(logging.INFO if is_main() else logging.ERROR)
    if not log.hasHandlers():  # its own and not the root's: other packages bring theirs, and would be heard twice
        log.addHandler(logging.StreamHandler())
    try:
        app(args=arguments)
    except Exception as error:
        failing.end(error)
