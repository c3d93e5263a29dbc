"""The duel of two gradients: its problem beside SciPy, its gradients beside the library's, and who gets there first."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import multivariate_normal
from selenium.webdriver import Keys
from torch import nn

from aevb.densities import DiagonalGaussian
from aevb.estimators import lower_bound_b
from aevb.model import GaussianModel
from baselines.score_function import leave_one_out, no_baseline, score_function_bound
from tests.browser import chromium, click, find, look
from tests.machine_page import within, work
from tests.support import ROOT, wait_until

NEAR = 0.1  # nats below the best bound
FOUGHT = """const [seed, options, most, near] = arguments;
const duel = new Duel(options, seed), best = duel.copies * truth.best;
const found = Object.fromEntries(["score", "reparameterized"].map((name) => [name, null]));
for (let k = 0; k < most; k++) {
  duel.step();
  for (const name in found) if (duel[name].guess.bound > best - near) found[name] ??= duel.steps * duel.draws;
}
const { guess } = duel.reparameterized;
return { found, mean: [...guess.mean], logVar: [...guess.logVar], bound: guess.bound }"""


@pytest.fixture
def window(at_the_top):
    at_the_top.execute_script("arena.restart(1)")
    return at_the_top


class Problem:
    """The page's measurements, and the answer by NumPy and SciPy alone."""

    def __init__(self, window):
        rows = np.array(window.execute_script("return MEASURED"))
        self.weight, self.x = rows[:, :2], rows[:, 2]
        self.precision = np.eye(2) + self.weight.T @ self.weight
        self.covariance = np.linalg.inv(self.precision)
        self.mean = self.covariance @ self.weight.T @ self.x
        evidence = np.eye(len(self.x)) + self.weight @ self.weight.T
        self.log_marginal = multivariate_normal(np.zeros(len(self.x)), evidence).logpdf(self.x)
        q = multivariate_normal(self.mean, np.diag(1 / np.diag(self.precision)))
        self.best = self.log_marginal - self.divergence(q.mean, np.diag(q.cov))

    def divergence(self, mean, var):
        """KL(N(mean, var) ‖ posterior), nats."""
        off = mean - self.mean
        squares = np.diag(self.precision) @ var + off @ self.precision @ off - 2
        return 0.5 * (squares - np.log(var).sum() + np.linalg.slogdet(self.covariance)[1])

    def model(self):
        """The same as one of the library's models."""
        model = GaussianModel(2, len(self.x), (), log_var="constant", squash_mean=False).double()
        with torch.no_grad():
            model.output.weight.copy_(torch.tensor(self.weight))
            model.output.bias.zero_()
            model.log_var.bias.zero_()
        return model


class Free(nn.Module):
    """q(z|x) of one datapoint, its mean and log variance free."""

    def __init__(self, mean, log_var):
        super().__init__()
        self.mean, self.log_var = (nn.Parameter(torch.tensor(values)[None]) for values in (mean, log_var))

    def forward(self, x):
        return DiagonalGaussian(self.mean, self.log_var)


def test_the_problems_answer_is_scipys(window):
    known, truth = Problem(window), window.execute_script("return truth")
    np.testing.assert_allclose(truth["mean"], known.mean)
    np.testing.assert_allclose(truth["covariance"], known.covariance)
    assert truth["logMarginal"] == pytest.approx(known.log_marginal)
    assert truth["best"] == pytest.approx(known.best)
    assert known.log_marginal - known.best > NEAR, "a q that is the posterior would make the score function look good"


@pytest.mark.parametrize("copies", [1, 3])
def test_the_bound_is_log_p_less_the_divergence_and_its_slope_the_derivative(copies, window):
    known, rng = Problem(window), np.random.default_rng(0)
    mean, log_var = rng.normal(size=(2, copies, 2))
    script = """const guess = new Guess(arguments[0].length / 2);
    guess.mean.set(arguments[0]);
    guess.logVar.set(arguments[1]);
    return [guess.bound, guess.slope]"""
    bound, slope = window.execute_script(script, mean.ravel().tolist(), log_var.ravel().tolist())
    gaps = [known.divergence(m, np.exp(v)) for m, v in zip(mean, log_var, strict=True)]
    assert bound == pytest.approx(copies * known.log_marginal - sum(gaps))
    steps = [known.divergence(mean[0] + step, np.exp(log_var[0])) for step in (*1e-5 * np.eye(2), *-1e-5 * np.eye(2))]
    np.testing.assert_allclose(slope, -(np.array(steps[:2]) - steps[2:]) / 2e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("call", "bound"),
    [
        ("guess.reparameterized(draws)", lower_bound_b),
        ("guess.score(draws)", lambda *given: score_function_bound(*given, no_baseline)),
        ("guess.score(draws, leaveOneOut)", lambda *given: score_function_bound(*given, leave_one_out)),
    ],
)
def test_both_gradients_are_the_librarys_with_the_same_noise(call, bound, window):
    known, rng = Problem(window), np.random.default_rng(1)
    mean, log_var = rng.normal(size=(2, 2))
    eps = rng.normal(size=(5, 2))
    script = f"""const guess = new Guess(1), draws = arguments[2].map((eps) => Float64Array.from(eps));
    guess.mean.set(arguments[0]);
    guess.logVar.set(arguments[1]);
    const {{ mean, logVar }} = {call};
    return [[...mean], [...logVar]]"""
    found = window.execute_script(script, mean.tolist(), log_var.tolist(), eps.tolist())
    encoder = Free(mean, log_var)
    bound(known.model(), encoder, torch.tensor(known.x)[None], torch.tensor(eps)[:, None]).sum().backward()
    np.testing.assert_allclose(found, [encoder.mean.grad[0].numpy(), encoder.log_var.grad[0].numpy()], rtol=1e-9)


@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize("seed", range(1, 6))
def test_reparameterization_ends_at_the_optimum_and_gets_there_in_fewer_draws(seed, baseline, window):
    known, options = Problem(window), {"draws": 1, "stepSize": 0.3, "baseline": baseline, "copies": 1}
    ended = window.execute_script(FOUGHT, seed, options, 600, NEAR)
    np.testing.assert_allclose(ended["mean"], known.mean, atol=0.2)
    np.testing.assert_allclose(np.exp(ended["logVar"]), 1 / np.diag(known.precision), rtol=0.5)
    assert known.best - NEAR < ended["bound"] <= known.best
    ours, other = (ended["found"][name] for name in ("reparameterized", "score"))
    assert other is None or ours < other


def test_with_many_draws_the_end_is_the_optimum(window):
    known, options = Problem(window), {"draws": 100, "stepSize": 0.3, "baseline": False, "copies": 10}
    ended = window.execute_script(FOUGHT, 1, options, 600, NEAR)
    np.testing.assert_allclose(np.reshape(ended["mean"], (10, 2)), np.tile(known.mean, (10, 1)), atol=0.08)
    np.testing.assert_allclose(np.exp(ended["logVar"]), np.tile(1 / np.diag(known.precision), 10), rtol=0.12)
    assert ended["bound"] == pytest.approx(10 * known.best, abs=NEAR)


def test_the_variance_is_what_theory_says(window):
    known = Problem(window)
    script = """const duel = new Duel({}, 7), { guess } = duel.reparameterized;
    const drawn = Array.from({ length: 5000 }, () => guess.reparameterized(duel.noise()));
    return varianceOf(drawn.map(({ mean }) => ({ mean, logVar: [] })))"""
    curvature = known.precision - np.eye(2)  # of log p(x|z); σ = 1 at the start
    assert window.execute_script(script) == pytest.approx((curvature**2).sum(1).mean(), rel=0.08)


def test_one_starts_pauses_steps_and_starts_over(window):
    find(window, "#duel")
    steps = "return arena.duel.steps"
    click(window, "#duel-step")
    assert window.execute_script(steps) == 1
    assert find(window, "#duel-drawn").text == "1"
    before = look(window, "#duel-score")
    find(window, "#duel-play").send_keys(Keys.SPACE)
    assert find(window, "#duel-play").text == "Pause"
    wait_until(lambda: window.execute_script(steps) > 3)
    click(window, "#duel-play")
    stopped = window.execute_script(steps)
    assert find(window, "#duel-play").text == "Start"
    assert look(window, "#duel-score") != before
    told = window.find_element("css selector", "#duel-told").get_attribute("textContent")
    assert f"After {stopped} draws" in told
    assert window.execute_script("return arena.duel.score.bounds.length") == stopped + 1
    click(window, "#duel-restart")
    assert window.execute_script(steps) == 0


def test_at_its_end_it_says_so_and_offers_to_begin_again(window):
    click(window, "#duel-step")
    assert "done" not in find(window, ".chart-of-bounds").text
    window.execute_script("while (arena.duel.steps < 600) arena.duel.step(); arena.step()")
    assert find(window, "#duel-play").text == "Again"
    assert "600: done" in find(window, ".chart-of-bounds").text
    click(window, "#duel-play")
    assert find(window, "#duel-play").text == "Pause"
    assert window.execute_script("return arena.duel.steps") < 600
    click(window, "#duel-restart")
    assert find(window, "#duel-play").text == "Start"


def test_nothing_of_it_starts_by_itself(store, tmp_path):
    with chromium(tmp_path) as window:
        window.get(store.page.as_uri() + "?duel=10,1,10,baseline")
        wait_until(lambda: window.execute_script("return Boolean(restore.work)"))
        chosen = window.execute_script(
            "return [...document.querySelectorAll('#duel input:checked')].map((e) => e.value)"
        )
        assert chosen == ["10", "1", "10", "on"]
        duel = window.execute_script("const { draws, stepSize, copies, baseline, steps } = arena.duel;"
                                     "return [draws, stepSize, copies, baseline, steps]")  # fmt: skip
        assert duel == [10, 1, 10, True, 0]
        assert window.execute_script("return [restore.work.steps, document.querySelector('.running')]") == [0, None]
        click(window, '#duel input[name="duel-draws"][value="100"]')
        wait_until(lambda: "duel=100%2C1%2C10%2Cbaseline" in window.execute_script("return location.search"))
        click(window, "#duel-play")
        window.execute_script("scrollTo(0, 0)")
        wait_until(lambda: window.execute_script("return !document.querySelector('.running')"))


def test_on_a_laptop_the_duel_is_seen_at_once(window):
    window.execute_script("document.querySelector('#duel').scrollIntoView()")
    for part in ("#duel-play", "#duel-score", "#duel-reparameterized", "#duel-chart"):
        assert within(window, part), part


def test_the_measured_ratios_are_the_studys(window):
    table = pd.read_csv(ROOT / "results/reference/studies/reparameterization/variance.csv")
    rows = table[(table["batch_size"] == 100) & (table["n_samples"] == 1)].set_index(["estimator", "stage"])
    for k, name in ((2, "score function"), (3, "score function, baseline"), (4, "reparameterization A")):
        shown = window.find_elements("css selector", f".ratios tbody tr > :nth-child({k})")
        cells = [cell.get_attribute("textContent") for cell in shown]
        assert len(cells) == 3
        for cell, ratio in zip(cells, rows.loc[name, "ratio_to_b"], strict=True):
            told = re.sub(r"·10(.*)", lambda m: f"e{superscript(m[1])}", cell.partition(" ±")[0].replace(",", ""))
            assert float(told) == pytest.approx(ratio, rel=0.01)
    ours = rows.loc["reparameterization B", "variance"]
    note = window.find_element("css selector", ".measured .note [lang=en]").get_attribute("textContent")
    told = [float(f"{a}e{superscript(b)}") for a, b in re.findall(r"(\d)·10(\S+?)[ .,]", note)]
    assert told == [float(f"{ours.iloc[k]:.0e}") for k in (0, -1)], "why the first ratios are so large"
    origin = window.find_element("css selector", "#duel .origin").get_attribute("data-from")
    assert "commit" in window.find_element("css selector", f"#{origin}").get_attribute("textContent")
    assert origin == "study-reparameterization"


def superscript(text):
    return text.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))


def test_a_step_of_it_is_short_however_much_is_computed(window, capsys):
    window.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
    choose = "document.querySelector(`#duel input[name=duel-${arguments[0]}][value='${arguments[1]}']`).click()"
    found = {}
    for copies, draws in ((1, 1), (10, 100), (1, 1)):
        window.execute_script(choose, "copies", copies)
        window.execute_script(choose, "draws", draws)
        before = work(window)
        window.execute_script("for (let k = 0; k < 30; k++) arena.step()")
        found[f"N_z = {2 * copies}, L = {draws}"] = (work(window) - before) / 30 * 1000
    with capsys.disabled():
        print("\na step of the duel:", ", ".join(f"{name}: {value:.1f} ms" for name, value in found.items()))
    assert max(found.values()) < 3 * 1000 / 60  # of a slow machine that does much else
    wait_until(lambda: window.execute_script("return arena.ratio > 0"))
