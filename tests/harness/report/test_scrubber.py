"""The scrubber over training time, in a browser: the machine as it was, when that was, and what is told of it."""

import numpy as np
import pytest
import torch
from selenium.webdriver.common.keys import Keys

from tests.browser import look, resize
from tests.machine_page import LAPTOP, PHONE, hold, next_frame, state, within
from tests.report_store import EARLIER, SAMPLES, settle
from tests.support import wait_until

MINUS = "\N{MINUS SIGN}"


@pytest.fixture
def window(at_the_top):
    return at_the_top


def slider(window):
    return window.find_element("css selector", "#machine-stage")


def told(window, name):
    return window.find_element("css selector", f"#machine-{name}").text


def bound_of_the_curve(store, samples):
    curve = store.models["mnist-2"].folder.read_curve()
    return curve[(curve["split"] == "test") & (curve["samples"] == samples)]["lower_bound"].item()


def test_the_slider_goes_back_in_training_with_all_of_the_machine(window, store):
    plane = look(window, "#machine-plane")
    slider(window).send_keys(Keys.HOME)
    next_frame(window)
    now, before = state(window), store.models[f"mnist-2@{EARLIER}"]
    q = before.encoder(torch.tensor(now["x"][None], dtype=torch.float32))
    np.testing.assert_allclose(now["mean"], q.mean[0].numpy(), atol=1e-2)
    drawn = window.execute_script("return [...machine.main.decoded.mean]")
    expected = before.model.pixel_mean(torch.tensor(now["z"][None], dtype=torch.float32))[0]
    np.testing.assert_allclose(drawn, expected.numpy(), rtol=0, atol=1 / 255)
    assert look(window, "#machine-plane") != plane
    slider(window).send_keys(Keys.END)
    next_frame(window)
    assert np.abs(state(window)["mean"] - now["mean"]).max() > 0.1


def test_models_that_do_not_go_back_with_it_say_so(window):
    def tiles():
        return [tile.text.split("\n")[-1] for tile in window.find_elements("css selector", "#machine-rebuilds figure")]

    place = "return document.querySelector('#inspector').getBoundingClientRect().top"
    before, now = window.execute_script(place), tiles()
    slider(window).send_keys(Keys.HOME)
    next_frame(window)
    assert tiles()[1:] == [f"{EARLIER:,} samples", "fully trained"]
    assert window.execute_script(place) == before
    slider(window).send_keys(Keys.END)
    next_frame(window)
    assert tiles() == now


def test_beside_it_stand_the_samples_and_the_curves_bound(window, store):
    for key, samples in ((Keys.HOME, EARLIER), (Keys.END, SAMPLES)):
        slider(window).send_keys(key)
        next_frame(window)
        bound = f"{bound_of_the_curve(store, samples):.1f}".replace("-", MINUS)
        for language, seen, then in (("en", f"{samples:,} samples", f"test bound {bound} nats"),
                                     ("ko", f"샘플 {samples:,}개", f"테스트 하한 {bound}nat")):  # fmt: skip
            window.execute_script("setLanguage(arguments[0])", language)
            assert told(window, "samples") == seen
            assert told(window, "then") == then
            assert slider(window).get_attribute("aria-valuetext") == f"{seen}, {then}"
        window.execute_script("setLanguage('en')")


def test_who_does_not_see_the_plane_is_told_how_far_the_codes_have_spread(window, store):
    slider(window).send_keys(Keys.HOME)
    next_frame(window)
    described = window.find_element("css selector", "#machine-plane").get_attribute("aria-describedby").split()
    text = " ".join(window.find_element("id", name).get_attribute("textContent") for name in described)
    first, second = store.models[f"mnist-2@{EARLIER}"].encoded["mean"].std(0, correction=0).tolist()
    assert f"{EARLIER:,} samples" in text
    assert f"(the encoder’s mean) {first:.2f} across, {second:.2f} upwards" in text


@pytest.mark.parametrize("size", [LAPTOP, (820, 1180), PHONE])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_it_stands_with_its_plane_and_crowds_nothing(window, size, language):
    resize(window, *size)
    window.execute_script("setLanguage(arguments[0])", language)
    if size == LAPTOP:
        assert within(window, "#machine-stage")
        assert within(window, "#inspector")
    window.execute_script("document.querySelector('#machine-plane').scrollIntoView()")
    box, plane, page = window.execute_script(
        """const of = (selector) => document.querySelector(selector).getBoundingClientRect().toJSON();
        return [of(".at-stages"), of(".at-plane"), document.documentElement.scrollWidth]"""
    )
    assert page <= size[0]
    assert box["left"] >= 0
    assert box["right"] <= size[0]
    assert -8 <= box["top"] - plane["bottom"] < 40, "right below the plane"
    assert window.find_element("css selector", "#machine-stage").size["width"] > 100
    window.execute_script("setLanguage('en')")


def test_a_finger_drags_it(window):
    resize(window, *PHONE)
    window.execute_script("arguments[0].scrollIntoView({ block: 'center' })", slider(window))
    width = slider(window).size["width"]
    hold(window, "#machine-stage", [(width // 2 - 8, 0), (8 - width // 2, 0)], touch=True)
    assert told(window, "samples") == f"{EARLIER:,} samples"


def test_the_time_that_is_shown_is_in_the_address(window, store):
    slider(window).send_keys(Keys.HOME)
    wait_until(lambda: f"training=mnist%2C{EARLIER}" in window.current_url)
    window.get(window.current_url)
    settle(window, store)
    next_frame(window)
    assert window.execute_script("return machine.main.model.samples") == EARLIER
    assert told(window, "samples") == f"{EARLIER:,} samples"
    slider(window).send_keys(Keys.END)
    wait_until(lambda: "training" not in window.current_url)


@pytest.mark.parametrize("asked", ["frey_face,100", "mnist,7", "nobody,10", "mnist"])
def test_an_address_that_asks_for_what_is_not_there_gets_the_last_time(window, store, asked):
    page = store.page.as_uri()
    window.get(f"{page}?training={asked}")
    settle(window, store)
    assert window.execute_script("return machine.main.model.samples") == SAMPLES
    window.get(page)
    settle(window, store)


def test_where_a_dataset_has_one_time_alone_there_is_no_scrubber(window):
    window.find_element("css selector", 'input[name="dataset"][value="frey_face"]').click()
    try:
        wait_until(lambda: window.execute_script("return machine.dataset === 'frey_face' && machine.joint !== null"))
        assert not slider(window).is_displayed()
        assert window.find_element("id", "machine-plane-then").get_attribute("textContent") == ""
    finally:
        window.find_element("css selector", 'input[name="dataset"][value="mnist"]').click()
    assert slider(window).is_displayed()
