"""The report in a real browser, opened from disk as a reader opens it."""

import json

import pandas as pd
import pytest
from selenium.webdriver import ActionChains, Keys

from harness.experiments.paper import EXPERIMENTS, FIGURE2
from harness.figures.compare import label, scientific
from harness.figures.show import by_methods, in_panels
from harness.store.run_folder import RunFolder
from tests.browser import click, find, look, requests, resize
from tests.support import ROOT


@pytest.fixture
def window(opened):
    resize(opened, 1280, 900)
    return opened


def test_no_request_leaves_the_page_and_nothing_goes_wrong(window, store):
    for selector in (
        "#machine-draw",
        "#machine-sample",
        "#machine-dots",
        "#machine-dots",
        "#theme",
        "#theme",
        "#machine-picks button",
        "#machine-clear",
        'input[name="dataset"][value="frey_face"]',
        "#machine-picks button:nth-child(3)",
        'input[name="dataset"][value="mnist"]',
        "#duel-step",
        "#walk-to button:nth-child(5)",
        "#restore-noise",
        "#restore-step",
    ):
        click(window, selector)
    wanted = [address for address in requests(window) if not address.startswith("data:")]
    assert wanted == [store.page.as_uri()]
    assert window.get_log("browser") == []


def test_the_language_switch_shows_one_language_and_keeps_every_formula(window):
    shown = (
        "return [...document.querySelectorAll('span[lang]')].filter(e => getComputedStyle(e).display !== 'none')"
        ".map(e => e.lang).filter((l, k, all) => all.indexOf(l) === k)"
    )
    formulas = (
        "return [...document.querySelectorAll('math')].filter(e => e.checkVisibility()).map(e => e.textContent).sort()"
    )
    english = window.execute_script(formulas)
    assert window.execute_script(shown) == ["en"]
    click(window, "[data-language=ko]")
    assert window.execute_script(shown) == ["ko"]
    assert window.execute_script(formulas) == english
    assert find(window, "html").get_attribute("lang") == "ko"
    assert "재현" in window.title
    click(window, "[data-language=en]")
    assert window.execute_script(shown) == ["en"]


def test_the_colours_switch(window):
    def luminance():
        colour = window.execute_script("return getComputedStyle(document.body).backgroundColor")
        return sum(map(float, colour.removeprefix("rgb(").rstrip(")").split(",")))

    light, plane = luminance(), look(window, "#machine-eps")
    click(window, "#theme")
    assert luminance() < 150 < 700 < light
    assert look(window, "#machine-eps") != plane
    click(window, "#theme")
    assert luminance() == light


@pytest.mark.parametrize(("figure", "size"), [(2, "n_latent"), (3, "n_train")])
def test_pointing_at_a_curve_tells_what_the_table_says(figure, size, window):
    count = 1e6
    experiment = EXPERIMENTS[figure]
    table = pd.read_csv(ROOT / f"results/reference/figure{figure}/comparison.csv")
    table = by_methods(in_panels(table, experiment), experiment)
    charts = window.find_elements("css selector", f".chart[id^='figure{figure}-']")
    panels = {(label(str(dataset)), number): rows for (dataset, number), rows in table.groupby(["dataset", size])}
    found = {title(chart): chart for chart in charts}
    assert {*found} == {(label(name), n) for name, sizes in EXPERIMENTS[figure].panels.items() for n in sizes}
    for panel, chart in found.items():
        rows = panels[panel]
        plot = find(window, f"#{chart.get_attribute('id')} .plot[data-range=ours]")
        readout = json.loads(plot.find_element("css selector", "script").get_attribute("textContent"))
        width = window.execute_script("return arguments[0].querySelector('svg').viewBox.baseVal.width", plot)
        share = readout["x"][readout["stops"].index(scientific(count))] / width
        ActionChains(window, duration=0).move_to_element_with_offset(
            plot, (share - 0.5) * plot.size["width"], 0
        ).perform()
        told = {
            line.get_attribute("data-curve"): [cell.text for cell in line.find_elements("css selector", "td")]
            for line in plot.find_elements("css selector", "[data-curve]")
        }
        for row in rows[rows["samples"] == count].itertuples():
            expected = [f"{value:z.1f}".replace("-", "\N{MINUS SIGN}") for value in (row.ours, row.paper)]
            name = f"{label(str(row.method))} {row.split}"
            assert told[name] == [text.replace("nan", "\N{EN DASH}") for text in expected]


def title(chart):
    """A chart's dataset and size."""
    dataset, _, formula = chart.find_element("css selector", "[id^=title]").text.partition(",")
    return dataset, int(formula.split("=")[1].replace(",", ""))


def test_keys_read_the_curves_too(window):
    plot = find(window, "#figure2-1 .plot")
    plot.send_keys(Keys.HOME)
    values = {plot.get_attribute("aria-valuetext")}
    for _ in range(3):
        plot.send_keys(Keys.ARROW_RIGHT)
        values.add(plot.get_attribute("aria-valuetext"))
    assert len(values) == 4
    assert plot.get_attribute("aria-valuenow") == "3"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_on_a_phone_the_page_does_not_scroll_sideways(language, window):
    resize(window, 360, 740)
    click(window, f"[data-language={language}]")
    try:
        assert window.execute_script("return document.documentElement.scrollWidth") == 360
        find(window, "#figure2-2 .plot").click()
        assert window.execute_script("return document.documentElement.scrollWidth") == 360
    finally:
        click(window, "[data-language=en]")
        resize(window, 1280, 900)


def test_every_number_tells_where_it_comes_from(window, store):
    orphans = window.execute_script(
        "return [...document.querySelectorAll('.numbers tbody td, .facts dd, .chart figcaption .origin')]"
        ".filter(cell => /\\d/.test(cell.textContent) || cell.matches('button'))"
        ".filter(cell => !(cell.closest('[data-from]')?.dataset.from ?? '').split(' ')"
        ".every(id => id && document.getElementById(id)?.matches('.source'))).map(cell => cell.outerHTML)"
    )
    assert orphans == []
    click(window, "#figure2-0 .origin")
    told = window.find_element("css selector", "dialog .records").text
    (config,) = FIGURE2.configs("author", ["mnist"], [0], methods=["aevb"], sizes=[3])
    run = RunFolder(store.results / "runs", config).path
    environment = json.loads((run / "environment.json").read_text())[0]
    for known in (environment["commit"], environment["started"], environment["packages"]["torch"], run.name):
        assert known in told
    window.find_element("css selector", "dialog .close").click()
    assert not window.find_element("css selector", "dialog").is_displayed()
