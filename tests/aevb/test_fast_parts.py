"""What the hand-written steps are made of, against the textbook's formulas."""

import pytest
import torch
from torch import nn

from aevb.ascent import Ascent, AscentOptions
from aevb.encoder import GaussianEncoder
from aevb.fast.activation import Tanh, TanhBySigmoid, fast_activation
from aevb.fast.decoder import FastBernoulli, fast_decoder
from aevb.fast.encoder import FastEncoder
from aevb.fast.log_of_product import LogOfProduct
from aevb.layers import ACTIVATIONS
from aevb.model import BernoulliModel

EVERYWHERE = torch.cat(
    [torch.linspace(-20, 20, 400_001), torch.logspace(-30, 38, 1000), -torch.logspace(-30, 38, 1000)]
)


def test_tanh_by_way_of_the_sigmoid_is_as_exact_as_float32_near_one():
    activation = TanhBySigmoid()
    got = activation.forward(activation.gain * EVERYWHERE)
    assert float((got - EVERYWHERE.double().tanh()).abs().max()) < 2e-7
    assert activation.forward(torch.tensor([torch.nan])).isnan()


def test_tanh_by_way_of_the_sigmoid_is_for_float32_alone():
    kinds = [type(fast_activation(nn.Tanh(), torch.zeros(1, dtype=dtype))) for dtype in (torch.float32, torch.float64)]
    assert kinds == [TanhBySigmoid, Tanh]


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 5e-7), (torch.float64, 1e-14)])
def test_every_activation_has_its_value_and_its_derivative(name, dtype, tolerance):
    a = torch.linspace(-100, 100, 4001, dtype=torch.float64)
    expected = ACTIVATIONS[name]()(a)
    slope = {"tanh": 1 - a.tanh() ** 2, "softplus": a.sigmoid()}[name]
    activation = fast_activation(ACTIVATIONS[name](), a.to(dtype))
    for _ in range(2):  # a second step must not find what the first has left
        got = activation.forward((activation.gain * a).to(dtype)).clone()
        torch.testing.assert_close(got.double(), expected, rtol=tolerance, atol=tolerance)
        dy = torch.full_like(got, 3.0)
        activation.backward(dy)
        torch.testing.assert_close(dy.double(), 3 * slope, rtol=tolerance, atol=6 * tolerance)


@pytest.mark.parametrize("layer", [nn.ReLU(), nn.Softplus(beta=2)])
def test_an_activation_without_a_twin_is_told(layer):
    with pytest.raises(TypeError, match=rf"got {layer.__class__.__name__}\(.*\): use autograd's"):
        fast_activation(layer, torch.zeros(1))


@pytest.mark.parametrize("width", [1, 7, 14, 20, 560, 784])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_logarithm_of_products_is_the_sum_of_logarithms(width, dtype, generator):
    values = 0.5 + 0.5 * torch.rand(3, 40, width, generator=generator).to(dtype)
    values[0, 0], values[0, 1] = 0.5, 1.0
    expected = values.double().log().sum(-1)
    got = LogOfProduct(values)()
    # A rounding for each value, half a unit in the last place of 1 at most, and a few for sums of `width` nats.
    torch.testing.assert_close(got.double(), expected, rtol=0, atol=width * torch.finfo(dtype).eps)


@pytest.mark.parametrize("scale", [1.0, 30.0, 300.0])
def test_the_bernoulli_bound_is_exact_where_pixels_are_certain(scale, generator):
    model = BernoulliModel(3, 784, (50,), init_std=0.1, generator=generator)
    with torch.no_grad():
        model.output.weight.mul_(scale)
    x, z = torch.rand(20, 784, generator=generator).round(), torch.randn(20, 3, generator=generator)
    decoder = FastBernoulli(model, (20,))
    decoder.forward(z)
    expected = model.double().log_likelihood(x.double(), z.double())
    torch.testing.assert_close(decoder.log_likelihood(x).double(), expected.detach(), rtol=2e-6, atol=1e-4)


def test_dreams_are_the_models_own(generator):
    model = BernoulliModel(3, 50, (9,), init_std=1.0, generator=generator)
    z, noise = torch.randn(200, 3, generator=generator), torch.rand(200, 50, generator=generator)
    decoder = FastBernoulli(model, (200,))
    decoder.forward(z)
    noise[0] = decoder._mean[0]  # on the edge
    near = (noise - model.pixel_mean(z)).abs() < 1e-6
    assert torch.equal(decoder.sample(noise)[~near], model.pixels_at(z, noise)[~near])
    assert not decoder.sample(noise)[0].any()


@pytest.mark.parametrize("hidden", [(), (7,)], ids=str)
@pytest.mark.parametrize("runs", [(), (2,)], ids=str)
def test_both_heads_from_one_product_are_the_encoders(hidden, runs, generator):
    encoder = GaussianEncoder(9, 3, hidden, init_std=0.5, zero_log_var=False, generator=generator).double()
    x = torch.rand(*runs, 6, 9, generator=generator).double()
    weights = (
        torch.randn(*runs, 6, 3, generator=generator).double(),
        torch.randn(*runs, 6, 3, generator=generator).double(),
    )
    q = encoder(x)
    objective = (weights[0] * q.mean + weights[1] * q.log_var).sum()
    gradients = torch.autograd.grad(objective, list(encoder.parameters()))
    if runs:
        for module in encoder.modules():
            for name, value in list(module._parameters.items()):
                setattr(module, name, nn.Parameter(value.detach().expand(*runs, *value.shape).clone()))
    with torch.no_grad():
        fast = FastEncoder(encoder, (*runs, 1, 6, 3))
        fast.forward(x)
        torch.testing.assert_close(fast.mean, q.mean)
        torch.testing.assert_close(fast.log_var, q.log_var)
        fast.d_mean.copy_(weights[0])
        fast.d_log_var.copy_(weights[1])
        fast.backward()
    for parameter, expected in zip(encoder.parameters(), gradients, strict=True):
        assert parameter.grad.is_contiguous()  # torch's fused Adagrad takes it for that
        torch.testing.assert_close(parameter.grad.sum(0) if runs else parameter.grad, expected)


def test_what_a_gpu_computes_of_the_bernoulli_bound_is_the_models(generator):
    model = BernoulliModel(3, 20, (7,), init_std=8.0, generator=generator)
    z, x = 5 * torch.randn(50, 3, generator=generator), torch.rand(50, 20, generator=generator)
    decoder = fast_decoder(model, (50,))
    decoder.forward(z)
    assert decoder._logits.abs().max() > 20
    torch.testing.assert_close(decoder._in_few_launches(x), model.log_likelihood(x, z).detach(), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("prior_weight", [0.0, 3.0])
def test_adagrad_is_the_same_where_torch_has_no_fused_one(prior_weight, generator, monkeypatch):
    ends = []
    for fused in (True, False):
        monkeypatch.setattr("aevb.ascent._is_fused_on", lambda kind, fused=fused: fused)
        model = BernoulliModel(3, 20, (7,), generator=torch.Generator().manual_seed(1))
        ascent = Ascent(AscentOptions(step_size=0.1, warm_up=1, prior_weight=prior_weight), theta=model)
        gradients = torch.Generator().manual_seed(2)
        for _ in range(5):
            for parameter in model.parameters():
                parameter.grad = torch.randn(parameter.shape, generator=gradients)
            ascent.climb(prior_scale=0.5)
        ends.append([*(p.detach() for p in model.parameters()), *ascent.accumulators])
    for one, other in zip(*ends, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)
