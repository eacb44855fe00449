"""Write the table of docs/reliability.md from what pytest counted: `python -m tests.faults.counts night*.xml`."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
# What each row of the table counts: the test files, the property that they add up, or None for the tests that passed.
ROWS = {
    "studies of two processes compared with one process": ("parity.test_(processes|sharded)", "compared"),
    "of these with a model whose blocks were shared out, by FSDP or ZeRO-3": ("parity.test_sharded", "compared"),
    "largest difference of any score, loss or prompt element in them": (
        "parity.test_(processes|sharded)",
        "difference",
    ),
    "kills at random moments survived, bit for bit": ("faults.test_kills", "kills"),
    "records seen before a kill and lost or changed after it": ("faults.test_kills", "lost"),
    "files damaged or unreadable, disks full, clocks set back, NaN in a batch": ("faults.test_damage", None),
    "damaged, cut or replaced copies of assets": ("unit.test_assets", "damaged"),
    "studies shared by several runs, or carried out on Ray or through submitit, a worker of which was killed": (
        "faults.test_(sharing|elsewhere)",
        "shared",
    ),
    "inputs fuzzed: recipes, data, templates, prompts, cards, archives": ("faults.test_hostile", "inputs"),
    "losses and gradients that are not finite, in trainings alone and together": ("unit.test_finite", None),
    "growth of memory from step 2,000 to step 10,000, in MiB": ("unit.test_keeping", "growth"),
}
LARGEST = {"difference", "growth"}


def cases(files: list[str]) -> list[tuple[str, dict[str, str]]]:
    """Return the file and properties of each test that passed.

    Raises:
        SystemExit: when one failed: a count of broken tests says nothing.
    """
    found: dict[str, tuple[str, dict[str, str]]] = {}
    for file in files:
        for case in ElementTree.parse(file).iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}"
            if case.find("failure") is not None or case.find("error") is not None:
                sys.exit(f"{file}: {name} failed")
            if case.find("skipped") is None:
                told = {str(p.get("name")): str(p.get("value")) for p in case.iter("property")}
                found[name] = (str(case.get("classname")), told)
    return list(found.values())


def count(found: list[tuple[str, dict[str, str]]], where: str, what: str | None) -> str | None:
    """Return one figure of the table; None where no test told of it."""
    inside = [told for name, told in found if re.search(where, name)]
    values = [1.0 for _ in inside] if what is None else [float(told[what]) for told in inside if what in told]
    if not values:
        return None
    return f"{max(values):.2g}" if what in LARGEST else f"{sum(values):,.0f}"


def table(files: list[str]) -> str:
    """Return the table."""
    found = cases(files)
    lines = [(row, count(found, where, what)) for row, (where, what) in ROWS.items()]
    return "| | |\n|---|---|\n" + "".join(f"| {row} | {figure} |\n" for row, figure in lines if figure)


def main(files: list[str]) -> None:
    """Replace the page's table."""
    text = PAGE.read_text(encoding="utf-8")
    new, times = re.subn(r"(?<=<!-- counts -->\n).*?(?=<!-- end -->)", lambda _: table(files), text, flags=re.S)
    assert times == 1, f"{PAGE} has no place for the table"
    PAGE.write_text(new, encoding="utf-8")
    print(Counter(name for name, _ in cases(files)))


if __name__ == "__main__":
    main(sys.argv[1:])
