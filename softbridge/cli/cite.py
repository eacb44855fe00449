"""`softbridge cite`: what to cite with a study."""

from __future__ import annotations

from softbridge.cli.console import say
from softbridge.cli.options import RecipeName, Settings

EXAMPLE = "softbridge cite quickstart > references.bib"


def command(recipe: RecipeName, settings: Settings = None) -> None:
    """Print the BibTeX of all that a recipe uses: methods, model, data."""
    from softbridge.recipe import citations, read

    entries = citations(read(recipe, settings or ()))
    say("\n\n".join(f"% {', '.join(reasons)}\n{entry}" for entry, reasons in entries.items()))
