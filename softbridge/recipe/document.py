"""A recipe's YAML as plain values, with the line of every one of them and what is wrong with them.

YAML 1.2 (so `3e-4` is a number and `no` is a word), no tags, no duplicate keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from softbridge.errors import RecipeError

Steps = tuple[str | int, ...]
Place = tuple[str, int]

CORE = "tag:yaml.org,2002:"
DEEPEST, MOST_VALUES = 50, 50_000
PLAIN = frozenset(CORE + kind for kind in ("map", "seq", "str", "int", "float", "bool", "null"))


@dataclass
class Document:
    """Hold a recipe's values, where each of them stands, and the problems found so far.

    Arguments:
        file: the file's name, for messages.
        values: plain dicts, lists, texts and numbers.
        places: where a path's value stands: what to print, and a number to sort by.
        problems: the number to sort by, and the line of text.
        wrong: the paths that have a problem.

    Example:
        >>> document = parse("shots: 3e1", "my.yaml")
        >>> document.note(("shots",), "is the number 30.0", "write 30")
        >>> document.lines()
        ['my.yaml:1  shots  is the number 30.0; write 30']
    """

    file: str
    values: Any = None
    places: dict[Steps, Place] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)
    wrong: set[Steps] = field(default_factory=set)

    def note(self, path: Steps, problem: str, fix: str, at: Place | None = None) -> None:
        """Note a problem at a path; where the path is absent, the line is its nearest parent's."""
        label, order = at or self.place(path)
        self.wrong.add(path)
        self.problems.append((order, f"{label}  {'.'.join(map(str, path)) or 'recipe'}  {problem}; {fix}"))

    def place(self, path: Steps) -> Place:
        """Return where the path's value, or else its nearest parent, stands."""
        known = next((path[:end] for end in range(len(path), -1, -1) if path[:end] in self.places), None)
        return (f"{self.file}:1", 1) if known is None else self.places[known]

    def sound(self, path: Steps) -> bool:
        """Say whether nothing is wrong at the path or below it."""
        return not any(wrong[: len(path)] == path for wrong in self.wrong)

    def lines(self) -> list[str]:
        """Return every problem once, in the order of the file."""
        return list(dict.fromkeys(line for _, line in sorted(self.problems, key=lambda problem: problem[0])))

    def stop(self) -> None:
        """Raise RecipeError where there is a problem."""
        if self.problems:
            raise RecipeError(self.lines())

    def set(self, override: str, option: str = "--set") -> None:
        """Set one value from `dotted.path=value`, given with an option; the value is YAML.

        Raises:
            RecipeError: when the text has no `=` or its value is not YAML.

        Example:
            >>> document = parse("arms: {no prompt: {bridge: none}}", "my.yaml")
            >>> document.set("arms.no prompt.bridge=scratch")
            >>> document.values
            {'arms': {'no prompt': {'bridge': 'scratch'}}}
        """
        dotted, sign, text = override.partition("=")
        label = f"{option} '{override}'"
        if not sign or not dotted.strip():
            raise RecipeError([f"{label}  {dotted or 'recipe'}  is no setting; write path=value, as in shots=16"])
        value = parse(text, label)
        path = tuple(_keys(dotted.strip(), self.values))
        place = (label, 10**9 + len(self.places))  # after every line of the file
        self.places = {known: at for known, at in self.places.items() if known[: len(path)] != path}
        self.places |= dict.fromkeys((path + known for known in value.places), place)
        self.values = _with(self.values, path, value.values)


def parse(text: str, file: str) -> Document:
    """Read YAML into a document; duplicate keys and tags are noted as problems.

    Raises:
        RecipeError: when the text is not YAML.

    Example:
        >>> parse("{rate: 3e-4, word: no}", "my.yaml").values
        {'rate': 0.0003, 'word': 'no'}
    """
    document = Document(file)
    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = " ".join(f"{error.problem or error.context}".split())
        raise RecipeError([f"{file}:{line}  recipe  is not YAML: {what}; mend the line or the one above"]) from None
    except (YAMLError, ValueError, RecursionError) as error:
        what = "nested too deep" if isinstance(error, RecursionError) else " ".join(str(error).split())
        raise RecipeError([f"{file}:1  recipe  is not YAML: {what}; save the file as plain UTF-8 text"]) from None
    if root is not None:
        document.values = _Walk(document, yaml.constructor.construct_object).value(root, (), ())
    return document


@dataclass
class _Walk:
    """Turn YAML nodes into plain values, and tell the document where they stand and what is wrong with them."""

    document: Document
    scalar: Callable[[Node], Any]

    def value(self, node: Node, path: Steps, parents: tuple[Node, ...]) -> Any:
        self.document.places.setdefault(path, self.place(node))
        if len(path) > DEEPEST or len(self.document.places) > MOST_VALUES:
            seen = f"is nested more than {DEEPEST} deep, or one of more than {MOST_VALUES} values (aliases count)"
            raise RecipeError([f"{self.place(node)[0]}  {'.'.join(map(str, path[:3]))}  {seen}; write less"])
        tag = str(node.tag)
        if node in parents:
            self.document.note(path, "is an alias of what it stands in", "write the values out")
            return None
        if tag not in PLAIN and tag != CORE + "timestamp":
            self.document.note(path, f"has the tag {tag}", "remove the tag; a recipe holds plain values")
            return None
        inside = (*parents, node)
        if isinstance(node, MappingNode):
            return {key: self.value(value, (*path, key), inside) for key, value in self.pairs(node, path)}
        if isinstance(node, SequenceNode):
            return [self.value(value, (*path, i), inside) for i, value in enumerate(node.value)]
        if tag == CORE + "timestamp":
            return node.value
        try:
            return self.scalar(node)
        except (ValueError, YAMLError) as error:  # a number that is none, or of thousands of digits
            self.document.note(path, f"cannot be read: {' '.join(str(error).split())[:80]}", "write another value")
            return None

    def pairs(self, node: MappingNode, path: Steps) -> Iterator[tuple[str, Node]]:
        for key, value in node.value:
            if not isinstance(key.value, str):
                self.document.note(path, "has a list or a mapping as a key", "write a word as the key")
                continue
            below, place = (*path, key.value), self.place(key)
            if below in self.document.places:
                twice = f"stands here a second time, after line {self.document.places[below][1]}"
                self.document.note(below, twice, "keep one of the two", place)
                continue
            self.document.places[below] = place
            yield key.value, value

    def place(self, node: Node) -> Place:
        line = node.start_mark.line + 1
        return f"{self.document.file}:{line}", line


def _keys(dotted: str, values: Any) -> Iterator[str]:
    """Split a dotted path; a key that holds a dot itself is found where it exists."""
    while dotted:
        known = sorted(values, key=len, reverse=True) if isinstance(values, dict) else []
        whole = next((key for key in known if dotted == key or dotted.startswith(f"{key}.")), None)
        key = whole if whole is not None else dotted.partition(".")[0]
        yield key
        dotted = dotted[len(key) + 1 :]
        values = values.get(key) if isinstance(values, dict) else None


def _with(values: Any, path: Steps, value: Any) -> Any:
    """Return the values with one of them replaced."""
    if not path:
        return value
    below = values if isinstance(values, dict) else {}
    return {**below, path[0]: _with(below.get(path[0]), path[1:], value)}
