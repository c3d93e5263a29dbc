"""The site builds without a warning, from this checkout alone, and asks no other server for anything."""

import html
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest

from docs.making.markup import NONE_YET
from docs.making.modules import DOORS
from docs.making.published import STUDIES
from harness.experiments.paper import EXPERIMENTS
from harness.figures.show import by_methods, in_panels
from harness.figures.summary import format_summary
from tests.browser import chromium, requests, resize
from tests.support import ROOT, environment, wait_until

for package in ("mkdocs", "material", "mkdocstrings", "latex2mathml", "ziamath"):
    pytest.importorskip(package, reason=f"the site needs {package} (pip install -e '.[docs]')")

REFERENCE = ROOT / "results" / "reference"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Path]:
    """Built as CI builds it, with a network that is not there."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(NO_MKDOCS_2_WARNING="1"), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr  # --strict: a warning is an error
    yield folder
    shutil.rmtree(folder)


def pages(site: Path) -> dict[str, str]:
    """Of the site by name, but for the report, which has tests of its own."""
    paths = [path for path in site.rglob("*.html") if path.name != "report.html"]
    return {path.relative_to(site).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def test_every_page_is_made_and_asks_no_other_server_for_anything(site):
    made = pages(site)
    written = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]
    assert {path.as_posix() for path in written} <= {*made}
    assert {"CHANGELOG.html", "CONTRIBUTING.html", "notebook.html"} <= {*made}
    loads = re.compile(r'<(?:script|img|iframe|source)[^>]*\bsrc="([^"]+)"|<link[^>]*\bhref="([^"]+)"')
    for name, text in made.items():
        for source, link in loads.findall(text):
            assert not re.match(r"(?:https?:)?//", source or link), f"{name}: {source or link}"


def test_every_link_between_pages_leads_somewhere(site):
    """MkDocs checks what Markdown says; this, what has come out: also links by macros and by docstrings."""
    made, missing = pages(site), []
    for name, text in made.items():
        if name == "404.html":  # served from any folder
            continue
        for target in {html.unescape(found) for found in re.findall(r'<a\s[^>]*\bhref="([^"#]+)', text)}:
            if "://" not in target and not (site / name).parent.joinpath(target).exists():
                missing.append(f"{name}: {target}")
    assert not missing


@pytest.mark.parametrize("figure", EXPERIMENTS)
def test_tables_are_those_of_the_published_results(site, figure):
    experiment, folder = EXPERIMENTS[figure], REFERENCE / f"figure{figure}"
    comparison, distances = (
        by_methods(in_panels(pd.read_csv(folder / f"{name}.csv"), experiment), experiment)
        for name in ("comparison", "agreement")
    )
    for language in ("", "ko/"):
        page = (site / language / "figures" / f"figure{figure}.html").read_text(encoding="utf-8")
        text = html.unescape(re.sub(r"<[^>]+>", "", page))
        assert format_summary(comparison, distances, (*experiment.key, "split")) in text


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_has_its_table_or_says_that_there_is_none(site, study):
    text = (site / "studies" / f"{study}.html").read_text(encoding="utf-8")
    assert (NONE_YET in text) == (not any((REFERENCE / "studies" / study).glob("*.csv")))


def test_formulas_are_mathml_and_the_font_has_their_letters(site):
    from fontTools.ttLib import TTFont

    made = pages(site)
    formulas = [formula for text in made.values() for formula in re.findall(r"<math .*?</math>", text, re.DOTALL)]
    assert len(formulas) >= 10
    assert not any('class="arithmatex"' in text for text in made.values())
    known = TTFont(site / "assets" / "stix-two-math.woff").getBestCmap()
    letters = {ord(letter) for formula in formulas for letter in html.unescape(re.sub(r"<[^>]*>", "", formula))}
    assert letters - {*known} <= {ord(blank) for blank in " \n\t"}
    assert (site / "assets" / "stix-two-math.woff").stat().st_size < 200_000


def test_the_library_pages_have_every_public_module(site):
    text = "".join(page for name, page in pages(site).items() if name.startswith("api/"))
    for package in ("aevb", "baselines"):
        for path in (ROOT / package).rglob("*.py"):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            if module not in DOORS:
                assert text.count(f'id="{module}"') == 1, module


def test_each_page_is_in_its_language_and_leads_to_the_other(site):
    for name, text in pages(site).items():
        korean = name.startswith("ko/")
        assert re.search(r'<html lang="(\w+)"', text)[1] == ("ko" if korean else "en"), name
    assert 'href="../ko/figures/figure2.html" hreflang="ko"' in pages(site)["figures/figure2.html"]
    assert 'href="../../figures/figure2.html" hreflang="en"' in pages(site)["ko/figures/figure2.html"]


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def address(site) -> Iterator[str]:
    """The site as it is published: by a server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=site)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_browser_shows_it_and_finds_words_without_an_error_or_a_request_elsewhere(address, tmp_path):
    with chromium(tmp_path / "profile") as window:
        window.get("about:blank")
        requests(window)
        for name in ("index", "algorithms/aevb", "api/bounds", "ko/figures/figure3"):
            window.get(f"{address}/{name}.html")
            assert window.execute_script("return [...document.images].every(i => i.complete && i.naturalWidth > 0)")
        for word, page in (("reparameterization", "studies/reparameterization.html"), ("픽셀", "ko/faq.html")):
            window.get(f"{address}/index.html?q={word}")
            found = "return [...document.querySelectorAll('.md-search-result__link')].map(link => link.href)"
            wait_until(lambda: any(page in link for link in window.execute_script(found)))  # noqa: B023 - used at once
        elsewhere = [url for url in requests(window) if not url.startswith((address, "data:", "blob:", "about:"))]
        errors = [entry["message"] for entry in window.get_log("browser") if entry["level"] == "SEVERE"]
    assert not elsewhere
    assert not errors


def test_nothing_but_tables_formulas_and_code_is_wider_than_a_telephone(address, tmp_path):
    width = "return document.documentElement.scrollWidth"
    with chromium(tmp_path / "profile") as window:
        resize(window, 360, 800)
        for name in ("index", "figures/figure2", "algorithms/aevb", "benchmarks", "api/learners", "ko/faq"):
            window.get(f"{address}/{name}.html")
            # Material's language menu, hidden, reaches past the edge until its script has run
            wait_until(lambda: window.execute_script(width) <= 360, what=f"fitting {name}")
