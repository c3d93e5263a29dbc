"""What is called as laws call it, on one thread; what cannot be is told how."""

import pytest
import torch
from torch import nn

from aevb.estimators import lower_bound_b
from aevb.testing import LawBroken, check_bound, check_decoder, check_learner


def minus_the_bound(model, encoder, x, eps):
    return -lower_bound_b(model, encoder, x, eps)


def of_bernoulli_pixels(model, encoder, x, eps):
    return torch.nn.functional.binary_cross_entropy(model.pixel_mean(encoder(x).mean), x, reduction="none").sum(-1)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: check_bound(minus_the_bound), r"below log p\(x\) in mean, got \+.* a loss in place of a bound"),
        (lambda: check_bound(of_bernoulli_pixels), r"a bound must answer, got RuntimeError: .* with a GaussianModel"),
        (lambda: check_bound(lambda x: x), "a bound must answer, got TypeError: .* bound\\(model, encoder, x, eps\\)"),
        (lambda: check_decoder(nn.Linear), r"a decoder's class must answer, got TypeError: .* decoder\(n_latent,"),
        (
            lambda: check_learner(lambda model: None),
            r"a learner's class must answer, got TypeError: .* learner\(model,",
        ),
    ],
)
def test_what_cannot_be_called_as_a_law_calls_it_is_told_how(call, says):
    with pytest.raises(LawBroken, match=says):
        call()


def test_laws_run_on_one_thread_and_leave_the_others_be():
    seen, threads = [], torch.get_num_threads()

    def watched(model, encoder, x, eps):
        seen.append(torch.get_num_threads())
        return lower_bound_b(model, encoder, x, eps)

    torch.set_num_threads(2)
    try:
        check_bound(watched)
        assert {*seen} == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
