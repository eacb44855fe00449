"""The house's rules, asserted over its own source; each checker is shown to fail on a house that breaks them."""

import ast
from pathlib import Path

import pytest

import softbridge

ROOT = Path(softbridge.__file__).parent

# What a room may import, beside itself. The ground is open to all.
GROUND = {"errors", "shapes", "seeding", "catalogue", "batch", "injection", "whole", "hub", "__init__"}
MATERIALS = {"prompts", "backbones", "domains", "losses", "similarity", "assets", "rounds"}
MAY_IMPORT: dict[str, set[str]] = {
    **{room: set() for room in MATERIALS},
    "engine": MATERIALS | {"evaluation"},
    "evaluation": MATERIALS,
    "bridges": MATERIALS | {"engine", "evaluation"},
    "recipe": MATERIALS | {"engine", "evaluation", "bridges"},
    "records": set(),
    "reports": {"records", "losses"},
    "study": MATERIALS | {"engine", "evaluation", "bridges", "recipe", "records"},
    "cli": MATERIALS | {"engine", "evaluation", "bridges", "recipe", "records", "reports", "study"},
    "__main__": {"cli"},
    **{name: set() for name in GROUND},
    "__init__": MATERIALS | {"engine", "study"},  # the front door: it shows what is behind, and imports it when asked
}


def imports(source: str) -> set[str]:
    """Return the rooms of softbridge that a module imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] if node.module != "softbridge" else [f"softbridge.{a.name}" for a in node.names]
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("softbridge.")}
    return found


def upward(room: str, source: str) -> set[str]:
    """Return what a module of a room imports and may not."""
    return imports(source) - MAY_IMPORT[room] - GROUND - {room, "__version__"}


def long_functions(source: str, most: int) -> list[str]:
    """Return the functions longer than allowed, docstring not counted."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            if node.end_lineno - first.lineno + 1 > most:
                found.append(f"{node.name} ({node.end_lineno - first.lineno + 1})")
    return found


FILES = sorted(path for path in ROOT.rglob("*.py") if "_recipes" not in path.parts)


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_keeps_the_rules(path):
    source = path.read_text(encoding="utf-8")
    assert not upward(room_of(path), source), "imports go down only"
    assert source.count("\n") <= 350
    assert not long_functions(source, 40)
    if path.name == "__init__.py" and path.parent != ROOT:
        kinds = {type(node) for node in ast.parse(source).body}
        assert kinds <= {ast.Expr, ast.Import, ast.ImportFrom, ast.Assign, ast.FunctionDef, ast.If}, "names only"
    assert "trust_remote_code" not in source
    assert ast.get_docstring(ast.parse(source)) or path.name == "__init__.py", "a module says why it exists"


def test_there_is_no_utils():
    assert not [path for path in FILES if path.stem in {"utils", "util", "helpers", "misc", "common"}]


def test_the_checkers_can_fail():
    assert upward("prompts", "from softbridge.engine.plan import Plan") == {"engine"}
    assert upward("reports", "def f():\n    import softbridge.study.study") == {"study"}
    assert upward("engine", "from softbridge.prompts.bank import Bank") == set()
    assert long_functions("def f():\n" + "    x = 1\n" * 41, 40) == ["f (41)"]
