"""Check plain values against a dataclass's fields, by pydantic; the dataclasses know nothing of it.

Only what YAML can write is let in: a field that may also be an object in memory takes its plain form here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from difflib import get_close_matches
from functools import cache, reduce
from operator import or_
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from softbridge.errors import SoftbridgeError
from softbridge.recipe.document import Document, Steps

Kind = TypeVar("Kind")

STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
SCALARS = (str, int, float, bool, type(None), Any)
WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text in quotes",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
}


def keys(cls: type) -> list[str]:
    """Return the recipe keys of a dataclass: its fields."""
    return [field.name for field in fields(cls)]


def required(cls: type) -> list[str]:
    """Return the fields that have no default."""
    return [entry.name for entry in fields(cls) if entry.default is MISSING and entry.default_factory is MISSING]


def valid(cls: type, values: Any, path: Steps, document: Document, others: Sequence[str] = ()) -> dict[str, Any]:
    """Return the values that fit the fields of `cls`; note the others as problems.

    Arguments:
        cls: a dataclass.
        values: what stands at the path; some fields may be absent.
        path: where they stand.
        document: collects the problems.
        others: keys that may stand beside the fields, for messages.

    Returns:
        The fitting values by field, in Python's types.
    """
    if not isinstance(values, Mapping):
        document.note(path, f"is {shown(values)}", f"write a mapping of {', '.join([*others, *keys(cls)])}")
        return {}
    model = _model(cls)
    wrong: dict[Steps, list[dict[str, Any]]] = {}
    try:
        return model.model_validate_json(json.dumps(values)).model_dump(exclude_unset=True)
    except ValidationError as errors:
        for error in errors.errors(include_url=False):
            wrong.setdefault(_known(error["loc"], values), []).append(dict(error))
    for below, found in wrong.items():
        if any(deeper != below and deeper[: len(below)] == below for deeper in wrong):
            continue  # a list of a union, one of whose values is wrong, is no mapping either
        document.note(path + below, *_told([*others, *keys(cls)], below, found))
    fitting = {key: value for key, value in values.items() if key not in {below[0] for below in wrong}}
    return valid(cls, fitting, path, document)


def complete(cls: type, given: Mapping[str, Any], path: Steps, document: Document) -> None:
    """Note the fields without a default that are not given."""
    for name in required(cls):
        if name not in given and document.sound((*path, name)):
            document.note((*path, name), "is missing", f"add {name}: ...")


def built(cls: type[Kind], given: Mapping[str, Any], path: Steps, document: Document) -> Kind | None:
    """Return the dataclass made of valid values; None where something is wrong, missing or impossible.

    What is wrong in one field does not hide what is wrong in another: the rest is tried without it.
    """
    beside = {wrong[-1] for wrong in document.wrong if wrong and wrong[:-1] == path}
    if path not in document.wrong and beside <= set(keys(cls)):  # a key that is none may be the missing one misspelt
        complete(cls, given, path, document)
    out = set(keys(cls)) - set(given)
    while set(required(cls)) <= set(given):
        try:
            made = cls(**given)
        except SoftbridgeError as error:
            name, is_, rest = error.seen.partition(" is ")  # most messages of a component begin with the field's name
            own = bool(is_) and name in given
            if not document.sound(path) and any(re.search(rf"\b{key}\b", error.seen) for key in out):
                return None  # it may be so because of a default in a wrong value's place
            document.note((*path, name) if own else path, f"is {rest}" if own else error.seen, error.fix)
            if not own:
                return None
            given, out = {key: value for key, value in given.items() if key != name}, {*out, name}
        else:
            return made if document.sound(path) else None
    return None


def shown(value: Any) -> str:
    """Return a value as a message shows it.

    Example:
        >>> shown("ten"), shown(3), shown(None), shown([1])
        ("the text 'ten'", 'the number 3', 'null', 'a list')
    """
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return f"the text '{value}'"
    if isinstance(value, int | float):
        return f"the number {value}"
    return "a mapping" if isinstance(value, Mapping) else "a list"


def meant(name: str, names: Sequence[str]) -> str:
    """Return the fix of a wrong name: the nearest right one, or all of them where none is near.

    Example:
        >>> meant("spto", ["spot", "reuse"]), meant("zzz", ["spot", "reuse"])
        ('write spot', 'write one of: spot, reuse')
    """
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    return f"write {close[0]}" if close else f"write one of: {', '.join(names)}"


@cache
def _model(cls: type) -> type[BaseModel]:
    hints = get_type_hints(cls)
    plain = {name: _plain(hints[name]) for name in keys(cls)}
    given: Any = {name: (kind, None) for name, kind in plain.items() if kind is not None}
    return create_model(f"{cls.__name__}Keys", __config__=STRICT, **given)


def _plain(annotation: Any) -> Any:
    """Return the part of an annotation that YAML can write; None where it can write none of it."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        kept = [part for part in map(_plain, get_args(annotation)) if part is not None]
        return reduce(or_, kept) if kept else None
    if annotation in SCALARS or origin is Literal or (origin or annotation) in (dict, list, tuple):
        return annotation
    return annotation if isinstance(origin, type) and issubclass(origin, Mapping | Sequence) else None


def _known(loc: tuple[int | str, ...], values: Any) -> Steps:
    """Return the part of pydantic's location that is in the values; the rest names types of a union."""
    path: Steps = ()
    for step in loc:
        inside = isinstance(values, Mapping) and step in values
        if inside or (isinstance(values, list) and isinstance(step, int)):
            path, values = (*path, step), values[step]
    return path


def _told(names: Sequence[str], path: Steps, errors: list[dict[str, Any]]) -> tuple[str, str]:
    """Return the problem and its fix, from all that pydantic says of one value."""
    first = errors[0]
    if first["type"] == "extra_forbidden":
        return "is no key here", meant(str(path[-1]), names)
    if first["type"] == "literal_error":
        choices = [name for error in errors for name in _names(error)]
        return f"is {shown(first['input'])}", meant(str(first["input"]), choices)
    wanted = dict.fromkeys(WANTED.get(error["type"], error["msg"]) for error in errors)
    return f"is {shown(first['input'])}", f"write {' or '.join(wanted)}"


def _names(error: dict[str, Any]) -> list[str]:
    text = str(error.get("ctx", {}).get("expected", ""))
    return [part.strip(" '") for part in text.replace(" or ", ",").split(",") if part.strip()]
