from dataclasses import replace

import torch

from harness.runs.build import load, prepare
from harness.runs.streams import stream
from tests.support import small_config, write_array

PURPOSES = ("weights", "chains", "training", "evaluation", "binarization of train", "binarization of test")


def test_no_two_purposes_or_seeds_share_a_stream():
    seeds = [*range(200), 2**31, 2**32 - 1]
    draws = {tuple(torch.randint(2**31, (3,), generator=stream(p, s)).tolist()) for p in PURPOSES for s in seeds}
    assert len(draws) == len(PURPOSES) * len(seeds)


def test_the_same_purpose_and_seed_give_the_same_stream():
    one, other = (torch.randn(5, generator=stream("training", 3)) for _ in range(2))
    assert torch.equal(one, other)


def test_torch_alone_would_have_them_share_one():
    # Why seeds are hashed. Should torch mend this, the hash does no harm.
    one, other = (torch.randn(5, generator=torch.Generator().manual_seed(s)) for s in (7, 7 + 2**32))
    assert torch.equal(one, other)


def test_the_binarized_test_set_does_not_depend_on_how_many_points_train(tmp_path):
    array = write_array(tmp_path)
    config = small_config(array, "author+binarization=static")
    few, many = (
        prepare(replace(config, n_train=n), load(config, array), torch.device("cpu")).test_points for n in (50, 0)
    )
    assert torch.equal(few, many)
