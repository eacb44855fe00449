"""`softbridge generate`: let a language model write with a saved prompt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from softbridge.cli.console import say
from softbridge.cli.options import PromptFolder
from softbridge.cli.predict import read_texts
from softbridge.errors import SoftbridgeError

EXAMPLE = """softbridge generate my-prompt --text "The film was" --tokens 30
softbridge generate my-prompt --file texts.csv --column text --beams 4
softbridge generate my-prompt --text "The film was" --sample --temperature 0.8 --seed 1"""


def command(
    folder: PromptFolder,
    text: Annotated[list[str] | None, typer.Option(help="A text; may be given several times.")] = None,
    file: Annotated[Path | None, typer.Option(help="A .csv, .tsv, .jsonl, .json or .parquet file of texts.")] = None,
    column: Annotated[str, typer.Option(help="The file's column that holds the texts.")] = "text",
    tokens: Annotated[int, typer.Option(min=1, help="New tokens at most.")] = 20,
    beams: Annotated[int, typer.Option(min=1, help="Beams of the search; 1 is greedy.")] = 1,
    sample: Annotated[bool, typer.Option("--sample", help="Draw tokens instead of taking the likeliest.")] = False,
    temperature: Annotated[float, typer.Option(min=0.01, help="Divides the logits, with --sample.")] = 1.0,
    top_p: Annotated[float, typer.Option(min=0.01, max=1.0, help="Draw from this share, with --sample.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed draws the same tokens.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
) -> None:
    """Go on from texts with a saved prompt, on a causal or an encoder-decoder backbone."""
    import torch

    from softbridge.study.predicting import generate

    texts = [*(text or ()), *(read_texts(file, column) if file else [])]
    if not texts:
        fix = 'add --text "...", or --file x.csv --column text'
        raise SoftbridgeError("there is no text", "at least one text", fix)
    settings: dict[str, Any] = {"max_new_tokens": tokens, "num_beams": beams, "do_sample": sample}
    if sample:
        settings |= {"temperature": temperature, "top_p": top_p}
    torch.manual_seed(seed)
    written = generate(folder, texts, **settings)
    found = [{"text": given, "written": more} for given, more in zip(texts, written, strict=True)]
    if as_json:
        say(json.dumps(found, ensure_ascii=False, indent=1))
        return
    for row in found:
        say(f"{' '.join(row['text'].split())}\t{' '.join(row['written'].split())}")
