"""The page in a real browser: its menus, filters and width. A driver is put behind the page's own script."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace

import pytest

from softbridge.reports import html
from softbridge.reports.styles import LIGHT
from tests.unit.test_matrix import DOMAINS, records

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
browser = pytest.mark.skipif(BROWSER is None, reason="no chromium is installed")

DRIVER = """<script>
const told = {}, article = document.querySelector("article"), heat = article.querySelector(".heat");
const cells = () => [...heat.querySelectorAll("td[data-at]")].map((node) => node.textContent);
const set = (node, value) => { node.value = value; node.dispatchEvent(new Event("change", { bubbles: true })); };
const tick = (name, value) => article.querySelector(`.filters input[name="${name}"][value="${value}"]`).click();
const seen = (node) => node.getClientRects().length > 0;
const rows = () => [...article.querySelectorAll("tr[data-arm]")].filter(seen).map((row) => row.dataset.arm);
told.gain = cells();
told.columns = [...heat.querySelectorAll("thead th")].map((node) => node.textContent);
const clear = (node) => getComputedStyle(node).backgroundColor === "rgba(0, 0, 0, 0)";
told.coloured = ![...heat.querySelectorAll("td[data-at]")].some(clear);
heat.querySelector("td[data-at]").dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
told.runs = heat.querySelector(".runs").textContent;
set(heat.querySelector('select[name="measure"]'), "relative");
told.relative = cells();
set(heat.querySelector('select[name="measure"]'), "gain");
set(heat.querySelector('select[name="arm"]'), "1");
told.reuse = cells();
set(article.querySelector('select[name="metric"]'), "macro_f1");
told.panels = [...article.querySelectorAll("[data-metric]")].filter(seen).map((node) => node.dataset.metric);
told.before = rows();
tick("arm", "spot");
told.after = rows();
told.lines = [...article.querySelectorAll('svg [id$="-arm-0"]')].map((node) => getComputedStyle(node).display);
told.others = [...article.querySelectorAll('svg [id$="-arm-2"]')].map((node) => getComputedStyle(node).display);
tick("target", "books");
told.fewer = [...heat.querySelectorAll("thead th")].map((node) => node.textContent);
told.figures = [...article.querySelectorAll("figure[data-target]")].filter(seen).map((node) => node.dataset.target);
article.querySelector('.filters button[value="target"]').click();
told.all = [...heat.querySelectorAll("thead th")].length;
told.fetched = performance.getEntriesByType("resource").map((entry) => entry.name);
told.width = [document.documentElement.scrollWidth, innerWidth];
parent.postMessage(JSON.stringify(told), "*");
</script>"""
PHONE = """<!doctype html><script>
addEventListener("message", (event) => { document.body.textContent = event.data; });
</script><iframe src="page.html" width="375" height="800" style="border: 0"></iframe>"""


def opened(text, folder, *flags):
    """Return the page as the browser has it after its scripts, and what the browser said."""
    (folder / "index.html").write_text(text)
    command = [BROWSER, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", *flags]
    ran = subprocess.run(
        [*command, "--dump-dom", (folder / "index.html").as_uri()], capture_output=True, text=True, timeout=240
    )
    return ran.stdout, ran.stderr


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Return what a driver saw of the page, in a frame as wide as a phone: windows are not let be so narrow."""
    free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html.page([*records(8), *records(32)]))
    folder = tmp_path_factory.mktemp("page")
    (folder / "page.html").write_text(free.replace("</body>", DRIVER + "</body>"))
    dom, said = opened(PHONE, folder, "--virtual-time-budget=20000")
    found = dom.partition("<body>")[2].partition("</body>")[0]
    assert found.startswith("{"), said
    return json.loads(found.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))


@browser
def test_the_matrix_shows_what_was_measured(told):
    assert set(told["columns"]) == set(DOMAINS)
    assert sorted(told["gain"]) == sorted(["+0.060", "+0.050", "−0.030", "+0.010", "+0.010", "+0.010"])
    assert told["coloured"]
    assert all(95 < float(text) < 112 for text in told["relative"])
    assert sorted(told["reuse"]) == sorted(["+0.010", "0.000", "−0.080", "−0.040", "−0.040", "−0.040"])
    assert re.search(r"(\w+) → (\w+), spot", told["runs"])
    assert told["runs"].count("+0.0") + told["runs"].count("−0.0") == 3, "a difference a seed"


@browser
def test_filters_hide_arms_targets_and_metrics(told):
    assert set(told["panels"]) == {"macro_f1"}
    assert "spot" in told["before"]
    assert "spot" not in told["after"]
    assert set(told["after"]) == set(told["before"]) - {"spot"}
    assert set(told["lines"]) == {"none"}
    assert "none" not in told["others"]
    assert set(told["fewer"]) == set(DOMAINS) - {"books"}
    assert set(told["figures"]) == set(DOMAINS) - {"books"}
    assert told["all"] == len(DOMAINS), "the button ticks all again"


@browser
def test_nothing_is_fetched_and_a_phone_need_not_scroll_sideways(told):
    assert told["fetched"] == []
    assert told["width"][1] == 375
    assert told["width"][0] <= 375


@browser
def test_the_page_as_it_is_runs_its_script_and_lets_run_no_other(tmp_path):
    evil = "x</script><script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"
    text = html.page([replace(r, target=evil) if r.target == "toys" else r for r in records()])
    dom, said = opened(text, tmp_path)
    assert re.search(r'<div class="heat">', dom), "the script took the heat map out of hiding"
    assert "Content Security Policy" not in said
    assert "Uncaught" not in said
    dom, said = opened(text.replace("</body>", "<script>document.title = 'run'</script></body>"), tmp_path)
    assert "<title>run" not in dom
    assert "Content Security Policy" in said, "the browser refused a script that is not the page's"


def test_figures_have_the_colours_of_the_light_page():
    css = html.page(records())
    light = dict(re.findall(r"(--\w+): (#[0-9a-f]{6});", css.partition("@media")[0]))
    assert {name: light[name] for name in LIGHT} == LIGHT
