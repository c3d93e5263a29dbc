"""MkDocs' hook: numbers come from the published results, formulas become MathML, links work here and in a checkout."""

import os
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from docs.making import equations, formulas, modules, notebook, published  # noqa: E402 - `mkdocs` alone does not look here

OUTSIDE = ("CHANGELOG.md", "CONTRIBUTING.md")  # pages that lie in the project's own folder
REFERENCE = "results/reference"
SHOWN = ("figure2", "figure3", "figure4", "figure5", "demos", "studies", "benchmarks")  # of what is published
LANGUAGES = {"en": "English", "ko": "한국어"}
NO_REPORT = (
    "<p>This copy of the site was built without the page: <code>python reproduce.py --report</code> makes it.</p>"
)
WITH_FORMULAS: list[str] = []  # pages of the site that is being built
_ALTERNATE = re.compile(r'<link rel="alternate"[^>]*>')
_TARGET = re.compile(r"(?<=\]\()[^)\s#]+")


def on_startup(**_: Any) -> None:
    """Printed tables have the width that they have in the smallest terminal, whatever this one is."""
    os.environ["COLUMNS"] = "80"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Where the project is published, whoever publishes it says so, and the site's foot has a link there."""
    if address := config.extra.get("repository"):
        config.extra["social"] = [{"icon": "fontawesome/brands/git-alt", "link": address, "name": "Source"}]
    return config


def on_post_build(*, config: MkDocsConfig) -> None:
    """The formulas' font, once it is known what they have in them."""
    formulas.write_font(WITH_FORMULAS, Path(config.site_dir) / formulas.FONT)
    WITH_FORMULAS.clear()


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add what the pages show and what lies elsewhere: published results, changes, the notebook and the report."""
    shown = [path for folder in SHOWN for path in sorted((ROOT / REFERENCE / folder).rglob("*.*"))]
    for path in [*(ROOT / name for name in OUTSIDE), *shown]:
        files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    files.append(File.generated(config, "notebook.md", content=notebook.as_page(ROOT / "docs" / notebook.FILE)))
    report = ROOT / "results" / "report.html"
    text = report.read_text(encoding="utf-8") if report.exists() else NO_REPORT
    files.append(File.generated(config, "report.html", content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in the tables that the page asks for, as in `{{ summary(2) }}`, and turn links into the site's."""
    environment = Environment(undefined=StrictUndefined, comment_start_string="{##", keep_trailing_newline=True)
    tables = {**published.TABLES, "equations": equations.table, "other_modules": modules.others}
    text = environment.from_string(markdown).render(tables)
    return _TARGET.sub(lambda found: _in_site(found.group(), page.file.src_uri), text)


def on_page_content(html: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Formulas as MathML, which browsers draw without any script."""
    page_as_shown = formulas.as_mathml(html)
    if "<math " in page_as_shown:
        WITH_FORMULAS.append(page_as_shown)
    return page_as_shown


def on_page_context(context: dict[str, Any], *, page: Page, config: MkDocsConfig, nav: Any) -> dict[str, Any]:
    """The page's language, and the same page in the other one where it is there."""
    name = page.file.src_uri
    config.theme["language"] = "ko" if name.startswith("ko/") else "en"
    plain = name.removeprefix("ko/")
    config.extra["alternate"] = []
    for language, folder in (("en", ""), ("ko", "ko/")):
        twin = f"{folder}{plain}" if (ROOT / "docs" / folder / plain).exists() else f"{folder}index.md"
        link = f"{twin.removesuffix('.md')}.html"
        config.extra["alternate"].append({"name": LANGUAGES[language], "lang": language, "link": link})
    return context


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Without the head's links to other languages: Material's script takes them for the top of sites of their own."""
    return _ALTERNATE.sub("", output)


def _in_site(target: str, page: str) -> str:
    """A link between files of the checkout as one between files of the site, where docs/ is the top."""
    if "://" in target:
        return target
    real = page if page in OUTSIDE else f"docs/{page}"
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(real), target))
    if not (ROOT / wanted).is_file():  # of the site alone, or of nothing: MkDocs tells which
        return target
    return posixpath.relpath(wanted.removeprefix("docs/"), posixpath.dirname(page))
