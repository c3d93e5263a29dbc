"""The page's words: each text in English and in Korean, formulas and values inserted."""

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup, escape

LANGUAGES = ("en", "ko")
HERE = Path(__file__).parent
# Texts of the page, of what one does on it, of charts and pictures; words of results: columns, estimators, states.
CATALOGUES = tuple(HERE / f"{name}.toml" for name in ("text", "live", "charts", "pictures", "claims", "words"))
PLACEHOLDER = re.compile(r"\{(\w+)\}")
TOUCHED = re.compile(r"([^\s<>{}]*)\{(\w+)\}([^\s<>{}]*)")  # with what stands right before and after it
LETTER = re.compile(r"^([KLMN])(?= = )")
PARTICLE = re.compile(r"N_z([가-힣]+)")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Every text by its key, in all languages; `{name}` stands for a formula or a value."""
    content: dict[str, dict[str, str]] = {}
    for path in CATALOGUES:
        content |= tomllib.loads(path.read_text(encoding="utf-8"))
    return {key: {language: text.strip() for language, text in texts.items()} for key, texts in content.items()}


def translator(environment: Environment) -> Callable[..., Markup]:
    """What templates call with a key and values: the text in all languages, of which the page shows one."""
    texts, formulas = catalogue(), vars(environment.get_template("formulas.html").module)

    def translate(key: str, **values: object) -> Markup:
        def insert(match: re.Match[str]) -> str:
            before, name, after = match.groups()
            if name in values:
                return f"{before}{escape(values[name])}{after}"
            formula = f"{before}{formulas[name]()}{after}"
            # A browser may break a line beside a formula: between it and its particle, or its bracket.
            return f'<span class="unbroken">{formula}</span>' if before or after else formula

        if key.startswith("formula."):  # the same in all languages
            return Markup(formulas[key.removeprefix("formula.")]())
        parts = (
            f'<span lang="{language}">{TOUCHED.sub(insert, texts[key][language])}</span>' for language in LANGUAGES
        )
        return Markup("".join(parts))

    return translate


def plain(key: str, language: str, **values: object) -> str:
    """A text without markup in one language, for attributes."""
    return PLACEHOLDER.sub(lambda match: str(values[match[1]]), catalogue()[key][language])


def words(translate: Callable[..., Markup]) -> Callable[[object], Markup]:
    """What templates call with a word of the results, to have it in all languages.

    A text that has no entry is taken apart at its commas; numbers in it stand as # in the entry. What has none at all
    is a name, and stays as it is.
    """
    texts, size = catalogue(), str(translate("formula.nz"))

    def word(text: object) -> Markup:
        if isinstance(text, Markup):
            return text
        content = str(text)
        if f"word.{content}" in texts:
            both = str(translate(f"word.{content}"))
            whole = PARTICLE.sub(rf'<span class="unbroken">{size}\1</span>', both)
            return Markup(whole.replace("N_z", size))
        key = f"word.{NUMBER.sub('#', content)}"
        if key in texts:
            spans = str(translate(key)).split("#")
            numbers = 2 * NUMBER.findall(content)  # both languages have the same
            return Markup("".join(a + str(escape(b)) for a, b in zip(spans, [*numbers, ""], strict=True)))
        if ", " in content:
            return Markup(", ").join(map(word, content.split(", ")))
        return Markup(LETTER.sub(r"<i>\1</i>", str(escape(content)).replace("N_z", size)))

    return word


def page_strings() -> Mapping[str, Mapping[str, str]]:
    """Texts that the page's own scripts write, for each language."""
    texts = {key.removeprefix("js."): text for key, text in catalogue().items() if key.startswith(("js.", "word."))}
    return {language: {key: text[language] for key, text in texts.items()} for language in LANGUAGES}
