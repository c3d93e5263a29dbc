import numpy as np
import pytest
import torch
from scipy.stats import bernoulli, chisquare, norm

from aevb.decoders import fresh_decoder
from aevb.encoder import GaussianEncoder
from aevb.errors import ArgumentError
from aevb.model import BernoulliModel, GaussianModel
from aevb.trained import build, describe


def as_numpy(layer):
    return layer.weight.detach().numpy(), layer.bias.detach().numpy()


def draw(generator, *shape):
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("hidden", [(), (7,), (7, 5, 6)])
def test_bernoulli_model_is_the_papers_appendix_c1(hidden, generator):
    model = BernoulliModel(3, 11, hidden, init_std=0.5, generator=generator).double()
    z = draw(generator, 4, 3)
    h = z.numpy()
    for layer in list(model.hidden)[::2]:
        weight, bias = as_numpy(layer)
        h = np.tanh(h @ weight.T + bias)
    weight, bias = as_numpy(model.output)
    y = 1 / (1 + np.exp(-(h @ weight.T + bias)))
    x = (draw(generator, 4, 11) > 0).double()
    np.testing.assert_allclose(model.pixel_mean(z).detach(), y, rtol=1e-12)
    np.testing.assert_allclose(model.log_likelihood(x, z).detach(), bernoulli(y).logpmf(x.numpy()).sum(-1), rtol=1e-10)


@pytest.mark.parametrize("log_var", ["hidden", "latent", "constant"])
def test_gaussian_model_takes_its_log_variance_from_where_it_says(log_var, generator):
    model = GaussianModel(3, 11, (7,), log_var=log_var, init_std=0.5, generator=generator).double()
    z, x = draw(generator, 4, 3), draw(generator, 4, 11)
    weight, bias = as_numpy(model.hidden[0])
    h = np.tanh(z.numpy() @ weight.T + bias)
    weight, bias = as_numpy(model.output)
    mean = 1 / (1 + np.exp(-(h @ weight.T + bias)))
    log_var_bias = model.log_var.bias.detach().numpy()
    source = {"hidden": h, "latent": z.numpy()}.get(log_var)
    log_sigma2 = log_var_bias if source is None else source @ model.log_var.weight.detach().numpy().T + log_var_bias
    expected = norm(mean, np.exp(0.5 * log_sigma2)).logpdf(x.numpy()).sum(-1)
    np.testing.assert_allclose(model.log_likelihood(x, z).detach(), expected, rtol=1e-10)


def test_an_unknown_log_variance_source_is_refused():
    with pytest.raises(ValueError, match="must be one of"):
        GaussianModel(3, 11, log_var="output")


def test_encoder_multiplies_the_log_variance_head_before_the_bias(generator):
    encoder = GaussianEncoder(11, 3, (7,), zero_log_var=False, init_std=0.5, generator=generator).double()
    x = draw(generator, 4, 11)
    weight, bias = as_numpy(encoder.hidden[0])
    h = np.tanh(x.numpy() @ weight.T + bias)
    q = encoder(x)
    for result, layer, factor in ((q.mean, encoder.mean, 1.0), (q.log_var, encoder.log_var, 0.1)):
        weight, bias = as_numpy(layer)
        np.testing.assert_allclose(result.detach(), factor * (h @ weight.T) + bias, rtol=1e-10)


def test_softplus_layers_are_the_logarithm_of_one_plus_the_exponential(generator):
    model = BernoulliModel(3, 11, (7,), activation="softplus", init_std=0.5, generator=generator).double()
    encoder = GaussianEncoder(11, 3, (7,), activation="softplus", init_std=0.5, generator=generator).double()
    z, x = draw(generator, 4, 3), torch.rand(4, 11, generator=generator).double()
    for network, head, given, found in (
        (model, model.output, z, model.logits(z)),
        (encoder, encoder.mean, x, encoder(x).mean),
    ):
        weight, bias = as_numpy(network.hidden[0])
        h = np.log1p(np.exp(given.numpy() @ weight.T + bias))
        weight, bias = as_numpy(head)
        np.testing.assert_allclose(found.detach(), h @ weight.T + bias, rtol=1e-10)


@pytest.mark.parametrize("cls", [BernoulliModel, GaussianModel])
def test_output_biases_start_at_zero_if_asked_for_and_nothing_else_changes(cls, generator):
    models = []
    for zero in (False, True):
        generator.manual_seed(0)
        models.append(cls(2, 6, (5,), zero_output_bias=zero, generator=generator))
    outputs = [name for name, _ in models[0].named_parameters() if name in ("output.bias", "log_var.bias")]
    for name, parameter in models[0].named_parameters():
        other = models[1].get_parameter(name)
        assert torch.all(other == 0) if name in outputs else torch.equal(parameter, other)
    assert len(outputs) == (1 if cls is BernoulliModel else 2)


@pytest.mark.parametrize("kind", [BernoulliModel, GaussianModel])
def test_a_description_builds_the_same_networks(kind, generator):
    model = kind(2, 6, (5, 4), activation="softplus", init_std=0.5, generator=generator)
    encoder = GaussianEncoder(6, 2, (5, 4), activation="softplus", init_std=0.5, generator=generator)
    again, encoder_again = build(describe(model, encoder))
    x, z = torch.rand(3, 6, generator=generator), torch.randn(3, 2, generator=generator)
    torch.testing.assert_close(again.log_likelihood(x, z), model.log_likelihood(x, z))
    torch.testing.assert_close(encoder_again(x).mean, encoder(x).mean)
    torch.testing.assert_close(encoder_again(x).log_var, encoder(x).log_var)


def test_an_unknown_activation_is_refused():
    with pytest.raises(ArgumentError, match="`activation` must be one of tanh, softplus"):
        GaussianEncoder(6, 2, (5,), activation="relu")


def test_a_fresh_author_encoder_has_unit_variance(generator):
    encoder = GaussianEncoder(11, 3, (7,), generator=generator)
    assert torch.all(encoder(torch.rand(4, 11)).log_var == 0)


def test_initial_weights_and_biases_have_the_stated_standard_deviation(generator):
    model = BernoulliModel(50, 2000, (500,), init_std=0.01, generator=generator)
    for parameter in model.parameters():
        n = parameter.numel()
        assert abs(float(parameter.detach().std()) / 0.01 - 1) < 5 / (2 * n) ** 0.5
        assert abs(float(parameter.detach().mean())) < 5 * 0.01 / n**0.5


@pytest.mark.parametrize("cls", [BernoulliModel, GaussianModel])
def test_sampled_pixels_have_the_models_mean(cls, generator):
    model = cls(2, 6, (5,), init_std=1.0, generator=generator).double()
    z = draw(generator, 1, 2).expand(100_000, 2)
    x = model.sample_pixels(z, generator)
    error = x.std(0) / len(x) ** 0.5
    assert torch.all((x.mean(0) - model.pixel_mean(z[:1])[0]).abs() < 5 * error)


def test_gaussian_samples_have_the_models_variance(generator):
    model = GaussianModel(2, 6, (5,), init_std=1.0, generator=generator).double()
    z = draw(generator, 1, 2).expand(100_000, 2)
    variance = model.pixels(z[:1]).log_var.exp()[0]
    assert torch.all((model.sample_pixels(z, generator).var(0) / variance - 1).abs() < 5 * (2 / 1e5) ** 0.5)


@pytest.mark.parametrize("log_var", ["latent", "hidden"])
def test_the_log_variance_head_is_scaled_before_its_bias_is_added(log_var, generator):
    model = GaussianModel(2, 3, (4,), log_var=log_var, log_var_factor=0.1, zero_log_var=True, generator=generator)
    z = torch.randn(5, 2, generator=generator)
    assert (model.pixels(z).log_var == 0).all()
    with torch.no_grad():
        model.log_var.weight.normal_(generator=generator)
        model.log_var.bias.normal_(generator=generator)
    source = z if log_var == "latent" else model.hidden(z)
    expected = 0.1 * (source @ model.log_var.weight.T) + model.log_var.bias
    torch.testing.assert_close(model.pixels(z).log_var, expected)


def test_pixel_noise_is_uniform_on_its_grid_and_one_pixels_says_nothing_of_anothers(generator):
    noise = BernoulliModel(2, 7).double().pixel_noise(200_001, generator)  # no multiple of four
    steps = noise * 2**16 - 0.5
    assert noise.shape == (200_001, 7)
    assert torch.equal(steps, steps.round())
    assert (steps.min(), steps.max()) == (0, 2**16 - 1)
    counts = torch.bincount(steps.long().flatten(), minlength=2**16)
    assert chisquare(counts.numpy()).pvalue > 1e-4
    four = steps.flatten()[: 4 * (steps.numel() // 4)].view(-1, 4).T
    for values in (four, four % 2, four % 256, (four / 256).floor()):  # of one draw
        off_diagonal = torch.corrcoef(values) - torch.eye(4)
        assert off_diagonal.abs().max() < 5 / four.shape[1] ** 0.5


class Own(GaussianModel):
    """Its output has the weights of torch's own."""

    def __init__(self, *sizes, scale=1.0, **layers):
        super().__init__(*sizes, **layers)
        self.given = {"scale": scale, **layers}
        self.output = torch.nn.Linear(sizes[2][-1], sizes[1])


def fresh(kind, seed=0, **own):
    source, layers = torch.Generator().manual_seed(seed), {"init_std": 0.3, "log_var": "latent"}
    return fresh_decoder(kind, 2, 6, (4,), source, layers=layers, own=own)


def test_all_weights_of_a_fresh_decoder_are_those_of_its_generator():
    weights = []
    for seed, everybodys in ((0, 1), (0, 2), (3, 1)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(everybodys)
            before = torch.get_rng_state()
            weights.append([p.detach() for p in fresh(Own, seed).parameters()])
            assert torch.equal(torch.get_rng_state(), before)
    for one, again, other in zip(*weights, strict=True):
        assert torch.equal(one, again)
        assert not torch.equal(one, other)


def test_a_fresh_decoder_is_given_what_its_constructor_takes():
    given = fresh(Own, scale=2.0).given
    assert {*given} == {"scale", "init_std", "generator"}
    assert (given["scale"], given["init_std"]) == (2.0, 0.3)
    assert fresh(GaussianModel).log_var_input == "latent"
    fresh(BernoulliModel)
