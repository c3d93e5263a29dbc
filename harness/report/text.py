"""The page's words: each text in English and in Korean, formulas and values inserted."""

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup, escape

LANGUAGES = ("en", "ko")
CATALOGUE = Path(__file__).with_name("text.toml")
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Every text by its key, in all languages; `{name}` stands for a formula or a value."""
    content: dict[str, dict[str, str]] = tomllib.loads(CATALOGUE.read_text())
    return {key: {language: text.strip() for language, text in texts.items()} for key, texts in content.items()}


def translator(environment: Environment) -> Callable[..., Markup]:
    """What templates call with a key and values: the text in all languages, of which the page shows one."""
    texts, formulas = catalogue(), vars(environment.get_template("formulas.html").module)

    def translate(key: str, **values: object) -> Markup:
        def insert(match: re.Match[str]) -> str:
            name = match[1]
            return str(escape(values[name])) if name in values else str(formulas[name]())

        if key.startswith("formula."):  # the same in all languages
            return Markup(formulas[key.removeprefix("formula.")]())
        parts = (
            f'<span lang="{language}">{PLACEHOLDER.sub(insert, texts[key][language])}</span>' for language in LANGUAGES
        )
        return Markup("".join(parts))

    return translate


def page_strings() -> Mapping[str, Mapping[str, str]]:
    """Texts that the page's own scripts write, for each language."""
    texts = {key: text for key, text in catalogue().items() if key.startswith("js.")}
    return {language: {key[3:]: text[language] for key, text in texts.items()} for language in LANGUAGES}
