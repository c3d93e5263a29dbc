"""The report in a real browser, opened from disk as a reader opens it."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from selenium.webdriver import ActionChains, Keys

from aevb.data import load_dataset
from harness.experiments.paper import EXPERIMENTS
from harness.figures.compare import label, scientific
from tests.browser import chromium, click, find, look, requests, resize
from tests.report_store import make_store
from tests.support import ROOT

SCRIPT = "return arguments[1].map(values => {})"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def window(store, tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as window:
        resize(window, 1280, 900)
        window.get("about:blank")  # away from the browser's own first page, which may still be asking for things
        requests(window)
        window.get(store.page.as_uri())
        yield window


def test_no_request_leaves_the_page_and_nothing_goes_wrong(window, store):
    for selector in (
        "#sample",
        "#manifold",
        "#manifold",
        "#play",
        "#theme",
        "#theme",
        "#digits button",
        "#trick-again",
    ):
        click(window, selector)
    wanted = [address for address in requests(window) if not address.startswith("data:")]
    assert wanted == [store.page.as_uri()]
    assert window.get_log("browser") == []


@pytest.mark.parametrize("dataset", ["mnist", "frey_face"])
def test_the_pages_decoder_is_torchs(dataset, window, store, generator):
    z = 1.5 * torch.randn(100, 2, generator=generator)
    drawn = window.execute_script(SCRIPT.format("[...decode(arguments[0], values)]"), dataset, z.tolist())
    expected = store.models[dataset].model.pixel_mean(z)
    assert expected.std(0).mean() > 0.05, "pictures must differ from place to place for this to mean anything"
    np.testing.assert_allclose(np.array(drawn), expected.numpy(), atol=1e-2)


def test_the_pages_encoder_is_torchs(window, store):
    x = load_dataset("mnist").test[:20]
    moments = "(q => [[...q.mean], [...q.deviation]])(encode(arguments[0], values))"
    answered = np.array(window.execute_script(SCRIPT.format(moments), "mnist", x.tolist()))
    q = store.models["mnist"].encoder(x)
    np.testing.assert_allclose(answered[:, 0], q.mean.numpy(), atol=1e-2)
    np.testing.assert_allclose(answered[:, 1], q.log_var.div(2).exp().numpy(), atol=1e-2)


def test_test_points_lie_where_torch_encodes_them(window, store):
    drawn = window.execute_script("return [...models.mnist.points.z]")
    mean = store.models["mnist"].encoder(load_dataset("mnist").test[:3000]).mean
    np.testing.assert_allclose(np.array(drawn).reshape(-1, 2), mean.numpy(), rtol=1e-3, atol=1e-3)
    labels = window.execute_script("return [...models.mnist.points.label]")
    assert labels == load_dataset("mnist").labels["test"][:3000].tolist()
    assert window.execute_script("return models.frey_face.points") is None, "without data there are no points"


def test_dragging_moves_z_to_the_place_under_the_pointer_and_the_picture_follows(window):
    click(window, 'input[name="model"][value="frey_face"]')
    plane = find(window, "#plane")
    before = look(window, "#image"), look(window, "#plane")
    drag = ActionChains(window, duration=20).move_to_element_with_offset(plane, -150, 100).click_and_hold()
    drag.move_by_offset(220, -160).release().perform()
    # Without test points the plane goes from -3.5 to 3.5, upwards.
    expected = np.array([70, 60]) / plane.size["width"] * 7
    np.testing.assert_allclose(window.execute_script("return explorer.z"), expected, atol=0.02)
    assert look(window, "#image") != before[0]
    assert look(window, "#plane") != before[1]


@pytest.mark.parametrize("dataset", ["frey_face", "mnist"])
def test_keys_move_z_and_the_picture_follows(dataset, window):
    click(window, f'input[name="model"][value="{dataset}"]')
    plane, z = find(window, "#plane"), np.array(window.execute_script("return explorer.z"))
    pictures = [look(window, "#image")]
    for keys, step in (((Keys.ARROW_LEFT,), (-0.1, 0)), ((Keys.SHIFT, Keys.ARROW_DOWN), (0, -0.5))):
        plane.send_keys(*keys)
        z = z + step
        np.testing.assert_allclose(window.execute_script("return explorer.z"), z, atol=1e-6)
        pictures.append(look(window, "#image"))
    assert len({*pictures}) == 3


def test_a_path_goes_from_one_chosen_point_to_the_other(window):
    click(window, 'input[name="model"][value="mnist"]')
    strip = look(window, "#strip")
    window.execute_script("explorer.go([-0.5, 0.25])")
    click(window, "#set-a")
    window.execute_script("explorer.go([1, -0.75])")
    click(window, "#set-b")
    assert look(window, "#strip") != strip
    window.execute_script("explorer.go([0, 0])")
    click(window, "#play")
    places = window.execute_async_script(
        "const done = arguments[0], seen = [], began = performance.now();"
        "(function watch() { seen.push(explorer.z); performance.now() - began > 3400 ? done(seen)"
        " : requestAnimationFrame(watch); })()"
    )
    share = (np.array(places) - [-0.5, 0.25]) / [1.5, -1]
    np.testing.assert_allclose(share[5:, 0], share[5:, 1], atol=1e-6)  # on the straight line
    assert (np.diff(share[5:, 0]) >= 0).all()
    np.testing.assert_allclose(places[-1], [1, -0.75])


def test_samples_from_the_prior_are_new_each_time(window):
    click(window, "#sample")
    first = look(window, "#strip"), window.execute_script("return explorer.z")
    click(window, "#sample")
    assert look(window, "#strip") != first[0]
    assert window.execute_script("return explorer.z") != first[1]


def test_a_drawn_digit_is_fitted_as_mnist_has_its_digits_then_encoded_and_rebuilt(window, store):
    click(window, "#clear")
    pad = find(window, "#draw")
    stroke = ActionChains(window, duration=20).move_to_element_with_offset(pad, -60, -70).click_and_hold()
    stroke.move_by_offset(70, 10).move_by_offset(-30, 90).release().perform()
    pixels = window.execute_script(
        "return [...document.querySelector('#seen').getContext('2d').getImageData(0, 0, 28, 28).data]"
    )
    x = 1 - np.array(pixels).reshape(28, 28, 4)[:, :, 0] / 255
    rows, columns = np.nonzero(x > 0.5)
    assert 18 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 21
    centre = [np.average(np.arange(28), weights=x.sum(axis)) for axis in (0, 1)]
    np.testing.assert_allclose(centre, 13.5, atol=0.5)
    mean = store.models["mnist"].encoder(torch.tensor(x.reshape(1, -1), dtype=torch.float32)).mean[0]
    np.testing.assert_allclose(window.execute_script("return explorer.z"), mean.numpy(), atol=0.05)
    assert look(window, "#rebuilt") == look(window, "#image")


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

    light, plane = luminance(), look(window, "#plane")
    click(window, "#theme")
    assert luminance() < 150 < 700 < light
    assert look(window, "#plane") != plane
    click(window, "#theme")
    assert luminance() == light


@pytest.mark.parametrize(("figure", "size"), [(2, "n_latent"), (3, "n_train")])
def test_pointing_at_a_curve_tells_what_the_table_says(figure, size, window):
    count = 1e6
    table = pd.read_csv(ROOT / f"results/reference/figure{figure}/comparison.csv")
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
    (run,) = (store.results / "runs").glob("mnist-nz3-aevb-seed0-*")
    environment = json.loads((run / "environment.json").read_text())[0]
    for known in (environment["commit"], environment["started"], environment["packages"]["torch"], run.name):
        assert known in told
    window.find_element("css selector", "dialog .close").click()
    assert not window.find_element("css selector", "dialog").is_displayed()
