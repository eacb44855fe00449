"""A square map of how alike things are, the alike ones beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

FORMATS = (".svg", ".pdf", ".png")


def clustered(likeness: np.ndarray) -> list[int]:
    """Return an order in which alike things stand together: the leaves of average linkage.

    Arguments:
        likeness: `[N, N]` symmetric, the larger the more alike.

    Example:
        >>> clustered(np.array([[1, 0.0, 0.9], [0.0, 1, 0.1], [0.9, 0.1, 1]]))
        [1, 0, 2]
    """
    if len(likeness) < 3:
        return list(range(len(likeness)))
    apart = likeness.max() - (likeness + likeness.T) / 2
    np.fill_diagonal(apart, 0.0)
    return [int(i) for i in leaves_list(linkage(squareform(apart, checks=False), "average"))]


def draw(names: Sequence[str], likeness: np.ndarray, title: str, file: Path) -> None:
    """Draw the map, each cell with its value; the file's suffix, one of `FORMATS`, says the format."""
    from matplotlib.figure import Figure

    side = max(3.0, 0.6 * len(names) + 1.5)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(likeness, cmap="viridis")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    middle = (likeness.min() + likeness.max()) / 2
    for i in range(len(names)):
        for j in range(len(names)):
            colour = "black" if likeness[i, j] > middle else "white"
            axes.text(j, i, f"{likeness[i, j]:.2f}", ha="center", va="center", color=colour, fontsize=8)
    axes.set_title(title)
    figure.colorbar(image)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file)
