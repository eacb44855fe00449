"""Write the two held-out files: python benchmarks/gallery/data.py FOLDER; SOFTBRIDGE_DATA names the data's folder.

Each has the columns text, label and split; its 400 test rows are drawn once, and the rest is what shots are drawn from.
"""

import os
import sys
from pathlib import Path

import pandas as pd

MEDICINE = {
    1: "neoplasms",
    2: "digestive system diseases",
    3: "nervous system diseases",
    4: "cardiovascular diseases",
    5: "general pathological conditions",
}
TEST = 400


def finance(folder: Path) -> pd.DataFrame:
    """Return sentences of financial news, with the label that at least half of the annotators gave."""
    rows = pd.read_parquet(folder / "financial_phrasebank.parquet")
    return rows[rows.domain == "50Agree"][["text", "label"]]


def medicine(folder: Path) -> pd.DataFrame:
    """Return abstracts of medical papers."""
    rows = pd.read_parquet(folder / "medical_abstracts_test.parquet")
    return rows.assign(label=rows.label.astype(int).map(MEDICINE))[["text", "label"]]


def main(out: Path) -> None:
    """Write both files."""
    out.mkdir(parents=True, exist_ok=True)
    source = Path(os.environ["SOFTBRIDGE_DATA"])
    for read in (finance, medicine):
        rows = read(source).drop_duplicates("text").sample(frac=1.0, random_state=0)
        rows["split"] = ["test"] * TEST + ["train"] * (len(rows) - TEST)
        rows.to_csv(out / f"{read.__name__}.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
