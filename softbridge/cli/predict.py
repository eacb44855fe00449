"""`softbridge predict`: label texts with a saved prompt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from softbridge.cli.console import say
from softbridge.cli.options import PromptFolder
from softbridge.errors import SoftbridgeError

EXAMPLE = 'softbridge predict runs/quickstart/stages/adapt-news-spot-*/prompts/seed0-best --text "A fine piece."'


def command(
    folder: PromptFolder,
    text: Annotated[list[str] | None, typer.Option(help="A text; may be given several times.")] = None,
    file: Annotated[Path | None, typer.Option(help="A .csv, .tsv, .jsonl, .json or .parquet file of texts.")] = None,
    column: Annotated[str, typer.Option(help="The file's column that holds the texts.")] = "text",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
) -> None:
    """Label texts with a saved prompt. Each line is label, probability, text."""
    from softbridge.study.predicting import predict

    texts = [*(text or ()), *(read_texts(file, column) if file else [])]
    if not texts:
        fix = 'add --text "...", or --file x.csv --column text'
        raise SoftbridgeError("there is no text", "at least one text", fix)
    empty = [place for place, given in enumerate(text or (), 1) if not given.strip()]
    if empty:
        raise SoftbridgeError(
            f"--text is empty{f' (number {empty[0]})' if len(text or ()) > 1 else ''}",
            "a text to label",
            'write the text in quotes: --text "..."; is it a variable of the shell that was not set?',
        )
    rows = zip(texts, predict(folder, texts), strict=True)
    found = [{"text": given, "label": label, "score": round(score, 6)} for given, (label, score) in rows]
    if as_json:
        say(json.dumps(found, ensure_ascii=False, indent=1))
        return
    for row in found:
        say(f"{row['label']}\t{row['score']:.4f}\t{' '.join(str(row['text']).split())}")


def read_texts(file: Path, column: str) -> list[str]:
    """Return a file's column; an empty cell is an empty text, so that rows keep their places."""
    from softbridge.domains.columns import cells
    from softbridge.domains.readers import read

    return [cell or "" for cell in cells(read(str(file)), column, "--column")]
