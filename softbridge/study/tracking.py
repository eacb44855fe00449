"""Send what is seen at each look to a tracker: TensorBoard, Weights & Biases, MLflow, trackio, through accelerate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

from softbridge.errors import SoftbridgeError, nearest
from softbridge.recipe import Recipe
from softbridge.study.processes import gather

Tell = Callable[[str, str, dict[str, Any]], None]


def silent(stage: str, member: str, look: dict[str, Any]) -> None:
    """Tell nobody."""


@contextmanager
def tracking(name: str | None, recipe: Recipe, out: Path) -> Iterator[Tell]:
    """Yield what is told of every member's looks; without a name it tells nobody.

    Arguments:
        name: a tracker that accelerate knows, or None.
        recipe: gives the project's name, and its digest.
        out: the study's folder; a tracker that writes files writes under `tracking/`.

    Raises:
        SoftbridgeError: when there is no such tracker, or it is not installed.
    """
    if name is None:
        yield silent
        return
    available = [str(tracker) for tracker in get_available_trackers()]
    if name not in available:
        known = [str(tracker) for tracker in LOGGER_TYPE_TO_CLASS]
        missing = name in known
        raise SoftbridgeError(
            f"the tracker {name} is not installed" if missing else f"there is no tracker {name}{nearest(name, known)}",
            f"one of: {', '.join(known)}",
            f"pip install {name}" if missing else "choose one of these names, or leave --track out",
        )
    accelerator = gather(recipe.backbone.device, log_with=name, project_dir=str(out / "tracking"))
    accelerator.init_trackers(recipe.name, {"recipe_digest": recipe.digest})

    def tell(stage: str, member: str, look: dict[str, Any]) -> None:
        scores = {f"validation_{key}": value for key, value in look["validation"].items()}
        seen = {"train_loss": look["train_loss"], "learning_rate": look["learning_rate"], **scores}
        values = {f"{stage}/{member}/{key}": value for key, value in seen.items() if value is not None}
        accelerator.log(values, step=look["step"])

    try:
        yield tell
    finally:
        accelerator.end_training()
