"""The walk between two images and the restoring of a damaged one, beside torch, as a reader has them."""

import numpy as np
import pytest
import torch
from selenium.webdriver import Keys

from aevb.data import load_dataset
from tests.browser import click, find, look, resize
from tests.machine_page import LAPTOP, PHONE, hold
from tests.support import wait_until

LOWER = np.arange(784) >= 392


@pytest.fixture
def window(at_the_top):
    return at_the_top


def tensor(values):
    return torch.tensor(np.array(values), dtype=torch.float32)


def picked(digit):
    """The test image that stands for a digit."""
    mnist = load_dataset("mnist")
    return mnist.test[int((mnist.labels["test"] == digit).nonzero()[0])].numpy()


def choose(window, part, dataset, size):
    """A dataset, and a model by its number of latent variables."""
    if part == "walk":
        window.execute_script(f"document.querySelector('input[name=walk-dataset][value={dataset}]').click()")
    window.execute_script(f"document.querySelector('#{part}-sizes input[value=\"{size}\"]').click()")


@pytest.mark.parametrize(("dataset", "size"), [("mnist", 2), ("mnist", 5), ("frey_face", 2)])
def test_half_way_is_what_torch_decodes_half_way_and_the_mean_of_the_pixels(dataset, size, window, store):
    choose(window, "walk", dataset, size)
    click(window, "#walk-from button:nth-child(2)")
    click(window, "#walk-to button:nth-child(7)")
    images, along, fade = window.execute_script(
        "const { along, fade } = walk.at(0.5); return [walk.images.map((x) => [...x]), [...along], [...fade]]"
    )
    if dataset == "mnist":
        np.testing.assert_allclose(images, [picked(1), picked(6)], atol=1e-6)
    kept, x = store.models[f"{dataset}-{size}"], tensor(images)
    expected = kept.model.pixel_mean(kept.encoder(x).mean.mean(0))
    assert (kept.model.pixel_mean(kept.encoder(x).mean) - expected).abs().max() > 0.02, "the ends must differ"
    np.testing.assert_allclose(along, expected.detach().numpy(), atol=1e-2)
    np.testing.assert_allclose(fade, x.mean(0).numpy(), atol=1e-5)
    choose(window, "walk", "mnist", 5)


def test_a_slider_and_keys_walk_and_the_address_keeps_the_place(window):
    choose(window, "walk", "mnist", 5)
    slider = find(window, "#walk-t")
    before = look(window, "#walk-along"), look(window, "#walk-fade")
    slider.send_keys(Keys.END)
    assert (look(window, "#walk-along"), look(window, "#walk-fade")) != before
    assert window.execute_script("return walk.t") == 1
    slider.send_keys(Keys.ARROW_LEFT)
    assert window.execute_script("return walk.t") == pytest.approx(0.99)
    assert find(window, "#walk-share").text == "99 %"
    wait_until(
        lambda: window.execute_script("return new URLSearchParams(location.search).get('walk')?.endsWith(',99')")
    )


def test_the_walk_is_played_to_its_end(window):
    slider = find(window, "#walk-t")
    slider.send_keys(Keys.END)
    for _ in range(10):
        slider.send_keys(Keys.ARROW_LEFT)
    click(window, "#walk-play")
    wait_until(lambda: window.execute_script("return walk.t") == 1)
    wait_until(lambda: not window.execute_script("return document.querySelector('#walk.running')"))


def test_what_is_drawn_above_can_be_walked_to_and_restored(window):
    choose(window, "walk", "mnist", 5)
    for row in ("#walk-to", "#restore-picks"):
        click(window, f"{row} button:last-child")
    window.execute_script("machine.setX(Float32Array.from({ length: 784 }, (_, k) => Number(k % 28 === 14)))")
    wait_until(lambda: window.execute_script("return walk.images[1][14] === 1 && restore.work.x[14] === 1"))

    def wait_for(walked_to, restored):
        script = "return [walk.images[1], restore.work.x].map((x) => [...x])"
        expected = [picked(walked_to), picked(restored)]
        wait_until(lambda: np.allclose(window.execute_script(script), expected, atol=1e-6))

    window.execute_script("document.querySelector('[data-pick=\"7\"]').click()")
    wait_for(7, 7)
    click(window, "#restore-picks button:nth-child(1)")
    wait_for(7, 0)
    click(window, "#walk-to button:nth-child(4)")
    wait_for(3, 0)


@pytest.mark.parametrize("size", [2, 5])
def test_a_step_of_restoring_is_torchs_and_known_pixels_stay(size, window, store, generator):
    kept = store.models[f"mnist-{size}"]
    x = load_dataset("mnist").test[3]
    known = torch.rand(784, generator=generator) < 0.6
    filled = torch.where(known, x, torch.rand(784, generator=generator))
    eps = torch.randn(size, generator=generator)
    script = """const [name, x, known, filled, eps] = arguments;
    const step = restoreStep(models[name], Float32Array.from(x), known, Float32Array.from(filled), eps);
    return [[...step.z], [...step.filled]]"""
    given = [values.tolist() for values in (x, known, filled, eps)]
    z, restored = window.execute_script(script, f"mnist-{size}", *given)
    expected = kept.encoder(filled[None]).at(eps[None])
    np.testing.assert_allclose(z, expected[0].detach().numpy(), atol=1e-2)
    decoded = torch.where(known, x, kept.model.pixel_mean(expected)[0])
    np.testing.assert_allclose(restored, decoded.detach().numpy(), atol=1e-2)
    np.testing.assert_array_equal(np.array(restored)[known.numpy()], x.numpy()[known.numpy()])


def work(window):
    """x, what is known of it, what is there now, and the number of steps."""
    x, known, filled, steps = window.execute_script(
        "const { x, known, filled, steps } = restore.work; return [[...x], [...known], [...filled], steps]"
    )
    return np.array(x), np.array(known, dtype=bool), np.array(filled), steps


def test_half_of_an_image_is_covered_and_comes_back_step_by_step(window):
    choose(window, "restore", "mnist", 5)
    click(window, "#restore-picks button:nth-child(4)")
    assert not find(window, "#restore-step").is_enabled(), "nothing is lost yet"
    click(window, "#restore-half")
    x, known, filled, _ = work(window)
    np.testing.assert_array_equal(known, ~LOWER)
    assert not filled[LOWER].any()
    for _ in range(3):
        click(window, "#restore-step")
    x, known, filled, steps = work(window)
    assert steps == 3
    np.testing.assert_array_equal(filled[known], x[known])
    assert filled[LOWER].any()
    error = float(find(window, "#restore-error").text)
    assert error == pytest.approx(np.sqrt(np.mean((filled - x)[LOWER] ** 2)), abs=0.006)
    past = [tile.get_attribute("class") for tile in window.find_elements("css selector", "#restore-steps figure")]
    assert past[:4] == [""] * 4
    assert past[4:] == ["to-come"] * (len(past) - 4)
    click(window, "#restore-play")
    wait_until(lambda: work(window)[3] == 50)
    x, known, filled, _ = work(window)
    np.testing.assert_array_equal(filled[known], x[known])
    click(window, "#restore-restart")
    assert work(window)[3] == 0
    click(window, "#restore-mend")
    assert work(window)[1].all()


def test_a_new_damage_takes_the_place_of_the_old_one_and_of_the_old_steps(window):
    ink = """return [...document.querySelectorAll("#restore-steps canvas")]
      .map((canvas) => canvas.getContext("2d").getImageData(0, 0, 28, 28).data.some((value) => value))"""
    choose(window, "restore", "mnist", 5)
    click(window, "#restore-half")
    for _ in range(2):
        click(window, "#restore-step")
    assert window.execute_script(ink) == [True] * 3 + [False] * 5
    click(window, "#restore-noise")
    assert 0.4 < work(window)[1].mean() < 0.6
    assert window.execute_script(ink) == [True] + [False] * 7
    click(window, "#restore-half")
    np.testing.assert_array_equal(work(window)[1], ~LOWER)
    opacity = "return getComputedStyle(document.querySelector('#restore-steps .to-come')).opacity"
    assert window.execute_script(opacity) == "1", "its number is to be read"
    assert "0 is perfect" in find(window, "#restore .value").text


def test_noise_falls_on_about_half_of_the_pixels(window):
    click(window, "#restore-mend")
    click(window, "#restore-noise")
    x, known, filled, _ = work(window)
    assert 0.4 < known.mean() < 0.6
    np.testing.assert_array_equal(filled[known], x[known])
    assert abs(filled[~known].mean() - 0.5) < 0.1


@pytest.mark.parametrize("size", [LAPTOP, PHONE])
def test_one_rubs_out_with_mouse_finger_and_keys(size, window):
    resize(window, *size)
    click(window, "#restore-mend")
    find(window, "#restore-damaged")
    hold(window, "#restore-damaged", [(-40, 0), (40, 0)], touch=size == PHONE)
    _, known, filled, _ = work(window)
    lost = ~known.reshape(28, 28)
    side = window.find_element("css selector", "#restore-damaged").size["width"]
    first, last = (28 * (0.5 + reach / side) for reach in (-40, 40))
    assert lost[14, round(first) : round(last)].all(), "a stroke has no holes"
    assert lost.any(1).sum() <= 7
    assert not filled[lost.ravel()].any()
    click(window, "#restore-mend")
    canvas = find(window, "#restore-damaged")
    canvas.send_keys(Keys.ARROW_RIGHT)
    assert work(window)[1].all()
    canvas.send_keys(Keys.SPACE)
    _, known, _, _ = work(window)
    assert 10 < (~known).sum() < 30
    assert window.execute_script("return getComputedStyle(arguments[0]).outlineStyle", canvas) == "solid"
    resize(window, *LAPTOP)


def test_pictures_of_both_have_names(window):
    unnamed = """return [...document.querySelectorAll(".live :is(canvas, button, input)")]
      .filter((e) => e.checkVisibility() && !e.closest("[aria-hidden], button > *"))
      .filter((e) => !(e.ariaLabel || e.textContent.trim() || e.labels?.length
        || document.getElementById(e.getAttribute("aria-labelledby"))?.textContent.trim()))
      .map((e) => e.outerHTML)"""
    assert window.execute_script(unnamed) == []
