from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest, t

from aevb import shipped
from aevb.errors import UserError
from harness.experiments.paper_curves import read_published
from harness.figures import compare as module
from harness.figures.compare import compare, first_at, label, over_seeds, scientific, stretches, value_at, with_one_more

FIGURE3 = ("dataset", "n_train", "method", "split")


def as_ours(published: pd.DataFrame, seed: int = 0, shift: float = 0.0, value: str = "lower_bound") -> pd.DataFrame:
    """The paper's curves as if they had been measured here, `shift` nats higher."""
    ours = published.assign(protocol="paper", seed=seed, standard_error=0.25, seconds=1.0)
    return ours.assign(**{value: ours[value] + shift})


def curve(values: list[float], samples: list[float], **columns: object) -> pd.DataFrame:
    row = {"protocol": "paper", "dataset": "mnist", "n_latent": 3, "method": "aevb", "split": "test", "seed": 0}
    return pd.DataFrame({**row, "samples": samples, "lower_bound": values, "standard_error": 0.5, **columns})


def test_value_at_is_exact_on_a_line_in_log10() -> None:
    samples = np.array([2e4, 3e5, 7e6, 1e8])
    at = np.array([2e4, 1e5, 1e6, 5e7, 1e8])
    np.testing.assert_allclose(value_at(samples, 3 * np.log10(samples) - 170, at), 3 * np.log10(at) - 170, rtol=1e-14)


def test_value_at_never_extrapolates() -> None:
    found = value_at([1e5, 1e6], [1.0, 2.0], [9.99e4, 1e5 * (1 - 5e-7), 1e6 * (1 + 5e-7), 1.001e6])
    np.testing.assert_array_equal(found, [np.nan, 1.0, 2.0, np.nan])
    assert np.isnan(value_at([], [], [1e6])).all()


def test_a_curve_is_as_high_as_a_bound_where_it_first_is() -> None:
    samples, nats = [1e4, 1e5, 1e6, 1e7], [-200.0, -150.0, -160.0, -120.0]
    for bound in (-199.0, -150.0, -130.0, -120.0):
        assert value_at(samples, nats, first_at(samples, nats, bound)) == pytest.approx(bound, rel=1e-12)
    assert first_at(samples, nats, -150.0) == 1e5
    assert first_at(samples, nats, -300.0) == first_at(samples, nats, -200.0) == 1e4, "at the first point or before"
    assert np.isnan([first_at(samples, nats, -100.0), first_at([], [], -100.0)]).all()


@pytest.mark.parametrize(
    ("figure", "key", "value"),
    [(2, module.KEY, "lower_bound"), (3, FIGURE3, "marginal_log_likelihood")],
)
def test_the_paper_does_not_differ_from_itself(figure: int, key: tuple[str, ...], value: str) -> None:
    paper = read_published(figure)
    table = compare(as_ours(paper, value=value), paper, at=(1e6, 1e7), key=key, value=value)
    assert (table["difference"] == 0).all()
    curves = paper.groupby(list(key))["samples"].agg(["min", "max"])
    reached = ((curves["min"] <= 1e6) & (curves["max"] >= 1e6)).sum() + (
        (curves["min"] <= 1e7) & (curves["max"] >= 1e7)
    ).sum()
    assert len(table) == reached


def test_a_shift_of_the_curves_is_the_difference() -> None:
    paper = read_published(2)
    np.testing.assert_allclose(compare(as_ours(paper, shift=2.5), paper)["difference"], 2.5, rtol=1e-10)


def test_seeds_are_averaged_and_their_spread_gives_the_standard_error() -> None:
    ends = {0: (-140.0, -130.0), 1: (-141.0, -127.0), 2: (-145.0, -124.0)}
    runs = [curve([-150.0, *values], [1e5, 1e6, 1e7], seed=seed) for seed, values in ends.items()]
    runs[2] = runs[2].iloc[:2]  # this one has not reached 10^7
    table = compare(pd.concat(runs), read_published(2)).set_index("samples")
    assert list(table.index) == [1e6, 1e7]
    assert list(table["seeds"]) == [3, 2]
    np.testing.assert_allclose(table["ours"], [-142.0, -128.5])
    # Variances with n − 1: (4 + 1 + 9) / 2 = 7 and (2.25 + 2.25) / 1 = 4.5.
    np.testing.assert_allclose(table["standard_error"], [np.sqrt(7 / 3), np.sqrt(4.5 / 2)])


def test_the_error_of_a_difference_covers_what_the_papers_one_seed_may_be_off():
    """Where the paper's run is one like ours, two standard errors miss its distance as seldom as they should."""
    rng, n = np.random.default_rng(0), 5
    runs, paper = rng.normal(0, 3, (n, 4000)), rng.normal(0, 3, 4000)
    mean, spread, seeds = over_seeds(runs)
    assert kstest((mean - paper) / with_one_more(spread, seeds), t(n - 1).cdf).pvalue > 1e-3


def test_a_seed_that_goes_on_alone_has_the_spread_of_where_others_ended():
    mean, spread, seeds = over_seeds(np.array([[1.0, 1.0, 7.0], [3.0, 5.0, np.nan]]))
    np.testing.assert_allclose(mean, [2, 3, 7])
    np.testing.assert_allclose(spread, [np.sqrt(2), np.sqrt(8), np.sqrt(8)])
    assert [*seeds] == [2, 2, 1]
    alone = over_seeds(np.array([[1.0, 2.0]]))
    assert np.isnan(alone[1]).all()


def test_one_seed_keeps_its_own_standard_error() -> None:
    one = curve([-150.0, -130.0], [1e5, 1e7], standard_error=[0.2, 0.6])
    np.testing.assert_allclose(compare(one, read_published(2), at=[1e6])["standard_error"], [0.4])


def test_what_has_no_counterpart_is_kept_and_what_was_not_reached_is_left_out() -> None:
    own_data = curve([-90.0, -80.0], [1e4, 2e6], dataset="faces.npy")
    other_split = curve([-90.0, -80.0], [1e4, 2e6], split="train_eval")
    diverged = curve([-90.0, np.nan], [1e4, 2e6], n_latent=5)
    table = compare(pd.concat([own_data, other_split, diverged]), read_published(2))
    assert table[["dataset", "split", "samples"]].to_numpy().tolist() == [["faces.npy", "test", 1e6]]
    assert table[["paper", "difference"]].isna().all(axis=None)
    assert compare(own_data.iloc[:1], read_published(2)).empty


def test_rows_come_in_the_papers_order() -> None:
    paper = read_published(2)
    shuffled = as_ours(pd.concat([paper, paper.assign(dataset="a.npy")])).sample(frac=1, random_state=0)
    table = compare(shuffled, paper, at=[1e7])
    assert list(table["dataset"].unique()) == ["mnist", "frey_face", "a.npy"]
    first = table.head(5)[["n_latent", "method", "split"]].to_numpy().tolist()
    assert first == [[3, "aevb", "train"], [3, "aevb", "test"], [3, "wake_sleep", "train"], [3, "wake_sleep", "test"],
                     [5, "aevb", "train"]]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "narrow", "wide"),
    [
        ("stripes:load", "stripes.load", "stripes.load"),
        ("my.data.stripes:load", "stripes.load", "my.data.stripes.load"),
        ("someone.elses.data.stripes:load", "stripes.load", "elses.data.stripes.load"),
        ("handwritten:load", "handwritten…", "handwritten.load"),
        ("beta.losses:Beta", "Beta", "Beta"),
        ("stripes:load.npy", "stripes:loa…", "stripes:load.npy"),
        ("frey_face", "Frey Face", "Frey Face"),
    ],
)
def test_a_function_is_named_with_its_module_and_a_class_alone(place: str, narrow: str, wide: str) -> None:
    assert (label(place), label(place, 24)) == (narrow, wide)


def test_sample_counts_in_print() -> None:
    assert [scientific(n) for n in (1e6, 2.5e8, 19_953, 10**10)] == ["10⁶", "2.5·10⁸", "2·10⁴", "10¹⁰"]
    assert [scientific(n) for n in (1e-6, 2.5e-12)] == ["10⁻⁶", "2.5·10⁻¹²"], "the minus is raised too"


def test_a_missing_or_damaged_table_names_the_file_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = (shipped.PAPER / "figure2.csv").read_text()
    monkeypatch.setattr(shipped, "PAPER", tmp_path)
    path = tmp_path / "figure2.csv"
    bad = {
        "no such file": None,
        "columns": good.replace("n_latent", "latents"),
        "No columns": "",
        "no rows": good.splitlines()[0],
        "line 3": "\n".join([*good.splitlines()[:2], "mnist,3,aevb,test,1000000,"]),
        "line 2": "\n".join([good.splitlines()[0], "mnist,3,aevb,test,0,-150"]),
    }
    for what, content in bad.items():
        if content is not None:
            path.write_text(content)
        with pytest.raises(UserError, match=what) as raised:
            read_published(2)
        assert str(path) in str(raised.value)
        assert "git checkout" in str(raised.value)
    with pytest.raises(UserError, match="figure 4"):
        read_published(4)


def test_the_mean_of_seeds_never_jumps_where_one_of_them_ends():
    short, longer = curve([-9.0, -7.0], [1e4, 1e5]), curve([-5.0, -3.0, -2.0], [1e4, 1e5, 1e6], seed=1)
    both, alone = stretches(pd.concat([short, longer]), "lower_bound")
    assert (len(both.seeds), len(alone.seeds)) == (2, 1)
    np.testing.assert_array_equal(both.samples, [1e4, 1e5])
    np.testing.assert_array_equal(both.mean, [-7.0, -5.0])
    np.testing.assert_array_equal(both.low, [-9.0, -7.0])
    np.testing.assert_array_equal(alone.samples, [1e5, 1e6])
    np.testing.assert_array_equal(alone.mean, [-3.0, -2.0])


def test_a_seed_with_points_of_its_own_is_interpolated_and_makes_no_stretch_of_its_own():
    one, other = curve([-9.0, -7.0], [1e4, 1e6]), curve([-5.0, -4.0, -3.0], [1e4, 1e5, 1e6], seed=1)
    (part,) = stretches(pd.concat([one, other]), "lower_bound")
    np.testing.assert_allclose(part.mean, [-7.0, -6.0, -5.0])
