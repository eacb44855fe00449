"""The engines that carry a study's parts out elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from softbridge.errors import StudyError, nearest
from softbridge.recipe.document import parse
from softbridge.recipe.fields import built, valid
from softbridge.study.elsewhere.jobs import Engine
from softbridge.study.elsewhere.ray import Ray
from softbridge.study.elsewhere.slurm import Slurm

ENGINES: dict[str, type[Engine]] = {
    "ray": Ray,
    "slurm": Slurm,
}


def engine(name: str, settings: Sequence[str] = ()) -> Engine:
    """Return an engine with its settings.

    Arguments:
        name: its name in the table.
        settings: `key=value` texts.

    Raises:
        StudyError: when there is no such engine.
        RecipeError: with every setting that it does not have.

    Example:
        >>> engine("ray", ["gpus=0.5"])
        Ray(address=None, cpus=1, gpus=0.5, retries=3)
    """
    if name not in ENGINES:
        known = ", ".join(ENGINES)
        raise StudyError(
            f"there is no engine {name}{nearest(name, ENGINES)}", f"one of: {known}", "give one of these with --on"
        )
    document = parse("{}", f"--on {name}")
    for setting in settings:
        document.set(setting, "--with")
    made = built(ENGINES[name], valid(ENGINES[name], document.values, (), document), (), document)
    document.stop()
    assert made is not None
    return made
