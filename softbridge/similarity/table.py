"""The measures of how alike two prompts or their domains are, one line each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from softbridge.similarity.activations import neuron_overlap
from softbridge.similarity.geometry import SIMILARITIES
from softbridge.similarity.gradients import fisher_cosine, gradient_cosine, task2vec_cosine
from softbridge.similarity.labels import label_overlap


@dataclass(frozen=True)
class Measure:
    """Name a measure.

    Arguments:
        reads: what it compares: the prompts' `vectors`, the `neurons` they switch on in the backbone, the `gradients`
            of labelled rows at a fresh prompt, or the `classes`.
        compare: returns the likeness of two of these, the larger the more alike.
    """

    reads: Literal["vectors", "neurons", "gradients", "classes"]
    compare: Callable[[Any, Any], Any]


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        **{name: Measure("vectors", compare) for name, compare in SIMILARITIES.items()},
        "neuron_overlap": Measure("neurons", neuron_overlap),
        "gradient_cosine": Measure("gradients", gradient_cosine),
        "fisher_cosine": Measure("gradients", fisher_cosine),
        "task2vec_cosine": Measure("gradients", task2vec_cosine),
        "label_overlap": Measure("classes", label_overlap),
    }
)
