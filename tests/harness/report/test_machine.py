"""A person's way through the first viewport: draw, see q move, drag ε, see the rebuilt image change."""

import re
from decimal import Decimal

import numpy as np
import pytest
import torch
from selenium.webdriver import Keys

from harness.report.page import render
from harness.store.shelves import Shelves
from tests.browser import chromium, look, resize
from tests.machine_page import LAPTOP, PHONE, THREE, drag, draw, next_frame, state, within
from tests.report_store import command
from tests.support import wait_until


@pytest.fixture
def window(at_the_top):
    return at_the_top


@pytest.mark.parametrize("size", [LAPTOP, PHONE])
def test_one_draws_a_three_and_q_moves_then_drags_the_noise_and_the_rebuilt_image_changes(size, window, store):
    resize(window, *size)
    next_frame(window)
    for part in ("x", "eps", "close", "plane", "xhat"):
        assert within(window, f"#machine-{part}"), part
    pictures = {part: look(window, f"#machine-{part}") for part in ("close", "plane", "eps", "xhat")}
    before = state(window)
    touch = size == PHONE
    draw(window, THREE, touch=touch)
    drawn = state(window)
    assert np.abs(drawn["mean"] - before["mean"]).max() > 0.1
    for part in ("close", "plane"):
        assert look(window, f"#machine-{part}") != pictures[part], part
    assert look(window, "#machine-eps") == pictures["eps"], "noise does not depend on the image"
    q = store.models["mnist-2"].encoder(torch.tensor(drawn["x"][None], dtype=torch.float32))
    np.testing.assert_allclose(drawn["mean"], q.mean[0].numpy(), atol=1e-2)
    rebuilt = look(window, "#machine-xhat")
    drag(window, "#machine-eps", (0, 0), (25, -18), touch=touch)
    after = state(window)
    side = window.find_element("css selector", "#machine-eps").size["width"]
    np.testing.assert_allclose(after["eps"], np.array([25, 18]) / side * 6.6, atol=0.1)
    np.testing.assert_allclose(after["z"], after["mean"] + after["deviation"] * after["eps"], atol=1e-5)
    np.testing.assert_array_equal(after["mean"], drawn["mean"])
    assert look(window, "#machine-xhat") != rebuilt
    assert window.execute_script("return [scrollX, scrollY]") == [0, 0]
    assert window.execute_script("return document.documentElement.scrollWidth <= innerWidth")


def test_on_a_laptop_all_of_the_machine_is_seen_at_once(window):
    for selector in (".machine-head", ".flow", "#machine-rebuilds", "#machine-limits", "#inspector"):
        assert within(window, selector), selector


def test_a_drawn_digit_is_fitted_as_mnist_has_its_digits(window):
    draw(window, THREE)
    x = state(window)["x"].reshape(28, 28)
    rows, columns = np.nonzero(x > 0.5)
    assert 18 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 21
    centre = [np.average(np.arange(28), weights=x.sum(axis)) for axis in (0, 1)]
    np.testing.assert_allclose(centre, 13.5, atol=0.5)


@pytest.mark.parametrize("canvas", ["close", "plane"])
def test_z_goes_where_it_is_dragged_and_the_noise_follows(canvas, window):
    x, y, half = window.execute_script(
        "const { centre, half } = arguments[0] === 'close' ? machine.lens : machine.main.model.view;"
        "return [...centre, half]",
        canvas,
    )
    side = window.find_element("css selector", f"#machine-{canvas}").size["width"]
    drag(window, f"#machine-{canvas}", (10, 10), (30, -50))
    now = state(window)
    np.testing.assert_allclose(now["z"], [x + 40 / side * 2 * half, y + 40 / side * 2 * half], atol=0.03 * half)
    np.testing.assert_allclose(now["eps"], (now["z"] - now["mean"]) / now["deviation"], rtol=1e-3)


@pytest.mark.parametrize(("canvas", "moved"), [("eps", "eps"), ("close", "z"), ("plane", "z")])
def test_keys_move_what_the_pointer_moves(canvas, moved, window):
    element = window.find_element("css selector", f"#machine-{canvas}")
    start = state(window)[moved]
    element.send_keys(Keys.ARROW_RIGHT)
    next_frame(window)
    step = state(window)[moved] - start
    assert step[0] > 0
    np.testing.assert_allclose(step[1], 0, atol=1e-6)
    element.send_keys(Keys.SHIFT, Keys.ARROW_DOWN)
    next_frame(window)
    np.testing.assert_allclose(state(window)[moved] - start, [step[0], -5 * step[0]], rtol=1e-3)
    assert window.execute_script("return getComputedStyle(arguments[0]).outlineStyle", element) == "solid"
    element.send_keys(Keys.HOME)
    next_frame(window)
    np.testing.assert_array_equal(state(window)["eps"], 0)


def test_the_two_terms_are_those_of_the_model_and_their_difference_the_bound(window, store):
    drag(window, "#machine-eps", (0, 0), (20, 10))
    now, kept = state(window), store.models["mnist-2"]
    x, z = (torch.tensor(now[name][None], dtype=torch.float32) for name in ("x", "z"))
    rec, kl = kept.model.log_likelihood(x, z).item(), kept.encoder(x).kl_to_standard_normal().item()
    for name, value in {"rec": rec, "kl": kl, "bound": rec - kl}.items():
        told = window.find_element("css selector", f"#machine-{name}").text
        # The bound in print is that of the terms in print.
        assert float(told.replace("\N{MINUS SIGN}", "-")) == pytest.approx(value, abs=0.11 if name == "bound" else 0.06)


SUMS = """const texts = (selector) => [...document.querySelectorAll(selector)].map((each) => each.textContent);
(async (done) => {
const found = [];
for (let k = 0; k < 40; k++) {
  machine.setEps([2 * Math.sin(k), 2 * Math.cos(2 * k)]);
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const told = {};
  for (const name of ["rec", "kl", "bound", "marginal", "mean", "gap"]) told[name] = texts(`#machine-${name}`)[0];
  told.sums = ["kl", "bound", "gap", "rebuilds"].flatMap((part) => {
    document.querySelector(`button.part[data-part=${part}]`).focus();
    return texts(`[data-panel=${part}] output`)[0].split("; ");
  });
  found.push({ ...told, tiles: texts("#machine-rebuilds output") });
}
done(found);
})(arguments[0])"""


def exact(text):
    """A number in print, or a sum or difference of two."""
    first, *rest = text.replace("\N{MINUS SIGN}", "-").split()
    return Decimal(first) + (Decimal(rest[1]) * (1 if rest[0] == "+" else -1) if rest else 0)


def test_what_is_printed_as_a_sum_adds_up_to_the_last_digit(window):
    window.set_script_timeout(60)
    found = window.execute_async_script(SUMS)
    assert len({each["rec"] for each in found}) > 30
    for each in found:
        assert exact(each["rec"]) - exact(each["kl"]) == exact(each["bound"])
        assert exact(each["marginal"]) - exact(each["mean"]) == exact(each["gap"])
        assert each["sums"][1].split(" = ")[0] == each["bound"]
        for text in each["sums"]:
            one, other = text.split(": ")[-1].split(" = ")
            assert exact(one) == exact(other), text
        for tile, text in zip(each["tiles"][1:], each["sums"][3:], strict=True):
            assert abs(exact(tile) - exact(text.split(" = ")[1])) <= Decimal("0.5")


SAID = """return [...document.querySelectorAll(".said")].filter((e) => e.checkVisibility()).map((e) => e.innerText)"""


@pytest.mark.parametrize("way", ["prior", "hand"])
def test_where_z_is_not_made_of_noise_no_noise_and_no_bound_is_told(way, window):
    def told():
        return [window.find_element("css selector", f"#machine-{name}").text for name in ("noise", "rec", "bound")]

    before = told()
    if way == "prior":
        window.find_element("css selector", "#machine-sample").click()
    else:
        window.execute_script("machine.setZ(machine.main.q.mean.map((mu, k) => mu + 10 * machine.main.q.deviation[k]))")
    next_frame(window)
    assert told() == ["–"] * 3
    (said,) = window.execute_script(SAID)
    assert ("prior" in said) == (way == "prior")
    assert float(window.execute_script("return getComputedStyle(document.querySelector('.at-x')).opacity")) < 1
    window.execute_script("machine.setEps([0, 0])")
    next_frame(window)
    assert told() == before
    assert said not in window.execute_script(SAID)


def test_a_line_says_how_the_bar_is_read_and_what_it_is_for_faces(window):
    (said,) = window.execute_script(SAID)
    assert "Shorter is better" in said
    window.execute_script("machine.choose('frey_face')")
    try:
        wait_until(lambda: "log-density" in "".join(window.execute_script(SAID)))
        assert len(window.execute_script(SAID)) == 1
    finally:
        window.execute_script("machine.choose('mnist')")


def test_codes_of_test_images_lie_over_the_plane_and_move_nothing_on_the_page(window):
    places = "return [...document.querySelectorAll('.block, #inspector')].map((e) => e.getBoundingClientRect().top)"
    wait_until(lambda: look(window, "#machine-plane") == (next_frame(window), look(window, "#machine-plane"))[1])
    before, plane = window.execute_script(places), look(window, "#machine-plane")
    window.find_element("css selector", "#machine-dots").click()
    next_frame(window)
    assert look(window, "#machine-plane") != plane
    assert window.execute_script(places) == before
    window.find_element("css selector", "#machine-dots").click()
    next_frame(window)
    assert look(window, "#machine-plane") == plane, "it has not been painted anew"


def test_models_with_more_latent_variables_stand_beside_with_their_bounds(window, store):
    tiles = window.find_elements("css selector", "#machine-rebuilds figure")
    assert [re.sub(r"\s", "", tile.find_element("css selector", "b").text) for tile in tiles] == ["x", "Nz=2", "Nz=5"]
    window.execute_script("machine.setEps([0.5, -0.25])")
    next_frame(window)
    kept, x = store.models["mnist-5"], torch.tensor(state(window)["x"][None], dtype=torch.float32)
    eps = torch.tensor([window.execute_script("return [...machine.eps].slice(0, 5)")])
    q = kept.encoder(x)
    bound = kept.model.log_likelihood(x, q.at(eps)) - q.kl_to_standard_normal()
    told = tiles[2].find_element("css selector", "output").text
    assert float(told.replace("\N{MINUS SIGN}", "-")) == pytest.approx(bound.item(), abs=0.61)


def test_faces_are_those_that_a_model_makes_and_get_a_posterior_too(window, store):
    window.find_element("css selector", 'input[name="dataset"][value="frey_face"]').click()
    try:
        wait_until(lambda: window.execute_script("return machine.dataset === 'frey_face' && machine.joint !== null"))
        z, value, x = window.execute_script(
            "const joint = machine.joint; return [joint.node(7, 4), joint.values[joint.n * 4 + 7], [...machine.x]]"
        )
        model = store.models["frey_face-2"].model
        expected = model.log_joint(torch.tensor([x]), torch.tensor([z], dtype=torch.float32)).item()
        assert value == pytest.approx(expected, abs=0.1)
        assert not window.find_element("css selector", "#machine-stage").is_displayed()
    finally:
        window.find_element("css selector", 'input[name="dataset"][value="mnist"]').click()


def test_a_page_without_the_planes_model_shows_what_it_has(store, tmp_path):
    results = tmp_path / "results"
    (results / "models").mkdir(parents=True)
    (results / "runs").symlink_to(store.results / "runs")
    (results / "models" / "mnist-5.json").write_bytes((store.results / "models" / "mnist-5.json").read_bytes())
    page = tmp_path / "page.html"
    page.write_text(render(Shelves(results), "author", command))
    with chromium(tmp_path / "profile") as window:
        window.get(page.as_uri())
        wait_until(lambda: window.execute_script("return Boolean(machine.main?.decoded)"))
        assert not window.find_element("css selector", "#machine-plane").is_displayed()
        assert "python reproduce.py --report" in window.find_element("css selector", ".at-bound").text
        before = look(window, "#machine-xhat")
        drag(window, "#machine-eps", (0, 0), (30, 20))
        assert look(window, "#machine-xhat") != before
        assert window.get_log("browser") == []


def test_a_hand_on_z_moves_the_front_model_alone_until_the_next_image(window):
    bounds = "return machine.sides.slice(1).map((side) => side.rec - side.kl)"
    before, others = state(window), window.execute_script(bounds)
    assert others
    drag(window, "#machine-plane", (0, 0), (45, -45))
    moved = state(window)
    assert np.abs(moved["eps"] - before["eps"]).max() > 1, "z was moved far"
    assert window.execute_script(bounds) == others, "the other models keep the noise"
    window.find_element("css selector", "#machine-picks button:nth-child(2)").click()
    next_frame(window)
    renewed = state(window)
    assert (renewed["x"] != before["x"]).any()
    np.testing.assert_array_equal(renewed["eps"], before["eps"])
    np.testing.assert_allclose(renewed["z"], renewed["mean"] + renewed["deviation"] * before["eps"], atol=1e-5)


def test_every_face_to_pick_is_better_known_to_the_last_model_than_to_the_first(browser, fresh_report):
    browser.get((fresh_report.folder / "results" / "report.html").as_uri())
    all_there = "return Object.values(models).filter((model) => model.dataset === 'frey_face').length >= 2"
    wait_until(lambda: browser.execute_script(all_there), seconds=60)
    browser.execute_script("machine.choose('frey_face')")
    next_frame(browser)
    leads = browser.execute_script(
        "const bound = (model, x, q = encode(model, x)) => logLikelihood(x, decode(model, q.mean)) - divergence(q);"
        "const [first, last] = [machine.sides[0].model, machine.sides.at(-1).model];"
        "return machine.picks().map((x) => bound(last, x) - bound(first, x))"
    )
    assert len(leads) == 10
    assert min(leads) >= 0
