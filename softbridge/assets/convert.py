"""Turn what an archive carries into what softbridge reads, once, when an asset is fetched."""

from __future__ import annotations

import copy
import io
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, redirect_stderr
from pathlib import Path

from softbridge.assets import e5s1

# torch, transformers and pyarrow are imported inside: `softbridge assets ls` must answer at once.


def folder(source: Path, target: Path) -> None:
    """Take a model's folder as it is."""
    shutil.copytree(source, target, dirs_exist_ok=True)


def gguf(source: Path, target: Path) -> None:
    """Save a causal model of a GGUF file as an ordinary model's folder, with its tokenizer.

    The weights are saved in float16: half of float32's size, and finer than the four bits they come from. Reading
    the GGUF file takes about 20 s, reading the result one.

    Arguments:
        source: the `.gguf` file.
        target: the folder to write to; it holds `model.safetensors`, `config.json`, and the tokenizer.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with _quiet_unless_watched():
        quantised = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32)
        # The model still calls itself quantised and refuses to be saved, and training libraries would treat it so;
        # deleting its quantization_config is not enough. An equal model that never heard of GGUF has no such memory.
        config = copy.deepcopy(quantised.config)
        del config.quantization_config
        model = type(quantised)(config).half()
        model.load_state_dict(quantised.state_dict())
        model.tie_weights()
        model.save_pretrained(target)
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
        tokenizer.model_max_length = config.max_position_embeddings  # GGUF does not carry the tokenizer's own
        tokenizer.save_pretrained(target)


def e5(source: Path, target: Path) -> None:
    """Save the encoder of an E5S1 file as an ordinary model's folder, with its tokenizer."""
    with _quiet_unless_watched():
        e5s1.convert(source, target)


def ratings(source: Path, target: Path) -> None:
    """Save sentences with a mean human rating as `data.parquet`.

    The columns are `text` (str), `rating` (float, -4..4) and `label`: "negative" for rating <= -0.5, "positive" for
    rating >= 0.5, null between. Rows are kept as they are: order, duplicates, and HTML entities included.

    Arguments:
        source: lines of `id <tab> rating <tab> text`. They are UTF-8: read as latin-1, as their paper's archive is
            often described, 'é' would become 'Ã©' in the film reviews.
        target: the folder to write to.
    """
    import pyarrow
    import pyarrow.parquet

    lines = source.read_bytes().decode("utf-8").replace("\r\n", "\n").rstrip("\n").split("\n")
    rows = [line.split("\t") for line in lines]
    rated = [float(rating) for _, rating, _ in rows]
    table = pyarrow.table(
        {
            "text": pyarrow.array([text for _, _, text in rows], pyarrow.string()),
            "rating": pyarrow.array(rated, pyarrow.float64()),
            "label": pyarrow.array([_label(rating) for rating in rated], pyarrow.string()),
        }
    )
    pyarrow.parquet.write_table(table, target / "data.parquet")


def two_files(source: Path, target: Path) -> None:
    """Save texts that stand in one file a class as `data.parquet`: `text` and `label` ("negative", "positive").

    A line is a text, without the white space around it; blank lines are left out, and a line that stands again is.

    Arguments:
        source: the folder with `neg.txt` and `pos.txt`, in UTF-8.
        target: the folder to write to.
    """
    import pyarrow
    import pyarrow.parquet

    texts, labels = [], []
    for name, label in (("neg.txt", "negative"), ("pos.txt", "positive")):
        lines = (source / name).read_bytes().decode("utf-8").removeprefix("\ufeff").split("\n")
        kept = [line for line in dict.fromkeys(line.strip() for line in lines) if line]
        texts += kept
        labels += [label] * len(kept)
    columns = {"text": pyarrow.array(texts, pyarrow.string()), "label": pyarrow.array(labels, pyarrow.string())}
    pyarrow.parquet.write_table(pyarrow.table(columns), target / "data.parquet")


def _label(rating: float) -> str | None:
    """Return the sign of a rating that has one.

    Example:
        >>> [_label(rating) for rating in (-0.5, -0.4, 0.49, 0.5)]
        ['negative', None, None, 'positive']
    """
    if abs(rating) < 0.5:
        return None
    return "positive" if rating > 0 else "negative"


def _quiet_unless_watched() -> AbstractContextManager[object]:
    """Keep progress bars out of logs and pipes; the GGUF reader's own has no switch."""
    return nullcontext() if sys.stderr.isatty() else redirect_stderr(io.StringIO())


CONVERTERS: dict[str, Callable[[Path, Path], None]] = {
    "folder": folder,
    "gguf": gguf,
    "e5s1": e5,
    "ratings": ratings,
    "two_files": two_files,
}
