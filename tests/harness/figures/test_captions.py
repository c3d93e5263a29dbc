"""What captions say of seeds, held to curves whose seeds and ends are known."""

import pandas as pd
import pytest

from harness.figures.captions import caption, seeds_shown


def curves(*ends, **columns):
    """A curve of as many seeds as there are ends; seed 0 is the first."""
    rows = [
        {"dataset": "mnist", "n_latent": 3, "method": "aevb", "split": split, "seed": seed, "samples": samples}
        for split in ("train", "test")
        for seed, end in enumerate(ends)
        for samples in (1e5, end)
    ]
    return pd.DataFrame(rows).assign(**columns)


FIVE = (1e8, 1e7, 1e7, 1e6, 1e6)


@pytest.mark.parametrize(
    ("drawn", "by", "told"),
    [
        ([curves(1e6)], "dataset", "seed 0; up to 10⁶ training samples"),
        ([curves(1e6, 1e6), curves(3e7, 3e7, method="mcem")], "dataset",
         "seeds 0, 1: mean, band and each of them (thin); up to 3·10⁷ training samples"),
        ([curves(1e6), curves(1e7, seed=1, n_latent=5)], "dataset",
         "one seed of each curve; up to 10⁷ training samples"),
        ([curves(*FIVE)], "dataset",
         "mean, band and each seed (thin) of up to 5 seeds to 10⁶ samples, 3 to 10⁷, 1 to 10⁸"),
        ([curves(*FIVE), curves(1e7, 1e7, n_latent=5)], "dataset",
         "mean, band and each seed (thin) of up to 5 seeds to 10⁶ samples, 3 to 10⁷, 1 to 10⁸"),
        ([curves(1e7, 1e7, dataset="a.npy"), curves(*FIVE), curves(*FIVE[:3], dataset="frey_face")], "dataset",
         "mean, band and each seed (thin) of up to 5 seeds to 10⁶ samples, 3 to 10⁷, 1 to 10⁸ (MNIST); "
         "3 to 10⁷, 1 to 10⁸ (Frey Face); 2 to 10⁷ (a.npy)"),
        ([curves(1e6, method=name) for name in ("rws", "stl", "dreg", "iwae")] + [curves(1e8, 1e6)], "method",
         "mean, band and each seed (thin) of up to 2 seeds to 10⁶ samples, 1 to 10⁸ (AEVB); 1 to 10⁶ (all others)"),
        ([curves(1e6, method="iwae"), curves(1e6, method="wake_sleep"), curves(1e6, 1e6)], "method",
         "mean, band and each seed (thin) of up to 2 seeds to 10⁶ samples (AEVB); 1 to 10⁶ (wake-sleep, IWAE)"),
    ],
)  # fmt: skip
def test_a_caption_says_how_many_seeds_go_how_far(drawn, by, told):
    assert seeds_shown(pd.concat(drawn), by) == told


def test_no_line_of_a_caption_is_longer_than_its_figure():
    many = pd.concat(curves(*FIVE[k:], dataset=f"a_long_name_of_data_{k}.npy") for k in range(5))
    lines = caption(["author"], many, many.assign(published=True), "estimated", 12).splitlines()
    assert len(lines) > 1
    assert max(map(len, lines)) <= 14 * 12
    assert "published with the project, not computed here" in " ".join(lines)
