"""The metrics, as local `evaluate` modules: nothing is downloaded, and each has the features and the citation
that `evaluate.Metric` asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import datasets
import evaluate
import numpy as np
from sklearn import metrics as sk

BINS = 10


class LocalMetric(evaluate.Metric):
    """Judge the classes' probabilities `[rows, C]` against the labels `[rows]`."""

    describes: ClassVar[str]
    cites: ClassVar[str]

    def _info(self) -> evaluate.MetricInfo:
        features = datasets.Features(
            {"predictions": datasets.List(datasets.Value("float64")), "references": datasets.Value("int64")}
        )
        return evaluate.MetricInfo(description=self.describes, citation=self.cites, features=features)


class Accuracy(LocalMetric):
    """Share of rows whose most likely class is the label, 0..1."""

    describes = "Share of rows whose most likely class is the label."
    cites = "Pedregosa et al. Scikit-learn: Machine Learning in Python. JMLR 12, 2011."

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"accuracy": float(sk.accuracy_score(references, guess(predictions)))}


class MacroF1(LocalMetric):
    """Unweighted mean of the classes' F1, 0..1."""

    describes = "Unweighted mean of the classes' F1."
    cites = Accuracy.cites

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        classes = range(len(predictions[0]))
        score = sk.f1_score(references, guess(predictions), labels=classes, average="macro", zero_division=0)
        return {"macro_f1": float(score)}


class Matthews(LocalMetric):
    """Matthews' correlation of prediction and label, -1..1."""

    describes = "Matthews' correlation coefficient."
    cites = "Matthews. Comparison of the predicted and observed secondary structure of T4 phage lysozyme. 1975."

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        return {"matthews": float(sk.matthews_corrcoef(references, guess(predictions)))}


class CalibrationError(LocalMetric):
    """Expected calibration error: `sum_b n_b / n |accuracy_b - confidence_b|` over 10 equal bins, 0..1."""

    describes = "Expected calibration error over 10 bins of equal width."
    cites = "Naeini, Cooper, Hauskrecht. Obtaining Well Calibrated Probabilities Using Bayesian Binning. AAAI 2015."

    def _compute(self, predictions: Any, references: Any) -> dict[str, float]:
        chances = np.asarray(predictions)
        confidence, right = chances.max(1), chances.argmax(1) == np.asarray(references)
        bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
        gaps = [abs(right[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean() for b in set(bins)]
        return {"calibration_error": float(sum(gaps))}


METRICS: dict[str, type[LocalMetric]] = {
    "accuracy": Accuracy,
    "macro_f1": MacroF1,
    "matthews": Matthews,
    "calibration_error": CalibrationError,
}


def guess(predictions: Sequence[Sequence[float]]) -> np.ndarray:
    """Return the most likely class of each row."""
    return np.asarray(predictions).argmax(1)


def judge(probabilities: np.ndarray, labels: Sequence[int], names: Sequence[str] = tuple(METRICS)) -> dict[str, float]:
    """Return the named metrics.

    Arguments:
        probabilities: `[rows, C]`, each row summing to 1.
        labels: `[rows]` class indices.
        names: keys of `METRICS`.

    Example:
        >>> judge(np.array([[0.9, 0.1], [0.2, 0.8]]), [0, 0], ["accuracy"])
        {'accuracy': 0.5}
    """
    scores: dict[str, float] = {}
    for name in names:
        metric = METRICS[name](keep_in_memory=True)
        scores |= metric.compute(predictions=np.asarray(probabilities, dtype=np.float64), references=list(labels))
    return scores
