"""What the page computes of its models, beside torch, in a real browser."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from aevb.data import load_dataset
from aevb.densities import standard_normal_log_density
from harness.report.weights import BEYOND, TABLE, content_of, view_of
from tests.report_store import EARLIER, published

NAMES = ("mnist-2", "mnist-5", "frey_face-2", f"mnist-2@{EARLIER}")


@pytest.fixture
def window(opened):
    return opened


def each(window, body, name, rows):
    """What the page answers to each row: `body` is JavaScript of `model` and `row`."""
    script = f"const model = models[arguments[0]]; return arguments[1].map((row) => {{ {body} }})"
    return np.array(window.execute_script(script, name, [torch.as_tensor(row).tolist() for row in rows]))


def images(store, name, generator):
    """Test images of MNIST; of faces what the model makes."""
    model = store.models[name].model
    z = torch.randn(20, model.n_latent, generator=generator)
    return load_dataset("mnist").test[:20] if name.startswith("mnist") else model.pixel_mean(z)


@pytest.mark.parametrize("name", NAMES)
def test_the_pages_decoder_is_torchs(name, window, store, generator):
    model = store.models[name].model
    z = 1.5 * torch.randn(50, model.n_latent, generator=generator)
    drawn = each(window, "return [...decode(model, row).mean]", name, z)
    expected = model.pixel_mean(z)
    assert expected.std(0).mean() > 0.05, "pictures must differ from place to place for this to mean anything"
    np.testing.assert_allclose(drawn, expected.numpy(), atol=1e-2)


@pytest.mark.parametrize("name", NAMES)
def test_the_pages_encoder_and_kl_are_torchs(name, window, store, generator):
    x = images(store, name, generator)
    answered = each(window, "const q = encode(model, row); return [[...q.mean], [...q.deviation]]", name, x)
    q = store.models[name].encoder(x)
    np.testing.assert_allclose(answered[:, 0], q.mean.numpy(), atol=1e-2)
    np.testing.assert_allclose(answered[:, 1], q.log_var.div(2).exp().numpy(), atol=1e-2)
    found = each(window, "return divergence(encode(model, row))", name, x)
    np.testing.assert_allclose(found, q.kl_to_standard_normal().numpy(), atol=1e-2)


@pytest.mark.parametrize("name", NAMES)
def test_the_pages_reconstruction_is_torchs(name, window, store, generator):
    x, model = images(store, name, generator), store.models[name].model
    z = torch.randn(20, model.n_latent, generator=generator)
    body = "return logLikelihood(row.slice(model.nLatent), decode(model, row.slice(0, model.nLatent)))"
    found = each(window, body, name, torch.cat([z, x], 1))
    np.testing.assert_allclose(found, model.log_likelihood(x, z).numpy(), rtol=0, atol=1e-2)


def nodes(store, side):
    """Places on the posterior's grid with so many along a side, row by row, upwards; and the area of a cell."""
    return nodes_of(view_of(store.models["mnist-2"]), side)


def nodes_of(view, side):
    """The same of any view of a plane."""
    half = BEYOND * view.half
    x, y = (torch.linspace(middle - half, middle + half, side) for middle in view.centre)
    return torch.stack([x.repeat(side), y.repeat_interleave(side)], 1), (2 * half / (side - 1)) ** 2


def test_the_grid_of_the_true_posterior_is_torchs(window, store):
    model, (z, _) = store.models["mnist-2"].model, nodes(store, TABLE)
    x = load_dataset("mnist").test[:3]
    body = """const { n, values } = jointSurface(likelihoodSurface(model, Float32Array.from(row)));
    return [...values].filter((_, k) => k % n % 2 === 0 && Math.floor(k / n) % 2 === 0)"""
    found = each(window, body, "mnist-2", x)
    expected = torch.stack([model.log_joint(image, z) for image in x])
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-2)


def test_between_the_nodes_the_surface_is_a_cubic_spline(window, store, generator):
    model, (z, _) = store.models["mnist-2"].model, nodes(store, TABLE)
    image = load_dataset("mnist").test[0]
    values = model.log_likelihood(image, z).numpy().astype(float).reshape(TABLE, TABLE)
    places = 1 + (TABLE - 3) * torch.rand(40, 2, generator=generator)  # in cells, x and y
    body = "return likelihoodSurface(model, Float32Array.from(row.slice(2))).at(row.slice(0, 2))"
    corner, cell = z[0], (z[1] - z[0])[0]
    found = each(window, body, "mnist-2", torch.cat([corner + cell * places, image.expand(40, -1)], 1))
    expected = map_coordinates(values, places.numpy().T[::-1], order=3, mode="mirror")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-2)


def test_log_p_of_x_is_the_sum_over_the_grid(window, store):
    x = load_dataset("mnist").test[:3]
    body = """const joint = jointSurface(likelihoodSurface(model, Float32Array.from(row)));
    const { logMarginal, mean, deviation } = summary(joint);
    return [logMarginal, ...mean, ...deviation, ...joint.values]"""
    found = each(window, body, "mnist-2", x)
    z, area = nodes(store, 2 * TABLE - 1)
    joint = torch.tensor(found[:, 5:])
    np.testing.assert_allclose(found[:, 0], joint.logsumexp(1) + np.log(area), atol=1e-2)
    share = joint.softmax(1)
    mean = share @ z.double()
    np.testing.assert_allclose(found[:, 1:3], mean, atol=1e-2)
    np.testing.assert_allclose(found[:, 3:5], (share @ z.double() ** 2 - mean**2).sqrt(), atol=1e-2)


def test_the_mean_over_the_noise_is_the_integral(window, store):
    model, deviation = store.models["mnist-2"].model, [0.08, 0.15]  # as wide as a trained encoder's q
    x = load_dataset("mnist").test[:10]
    body = f"""const surface = likelihoodSurface(model, Float32Array.from(row));
    return meanOverNoise({{ mean: [0.3, -0.5], deviation: {deviation} }}, surface)"""
    found = each(window, body, "mnist-2", x)
    place, share = (torch.tensor(values, dtype=torch.float32) for values in np.polynomial.hermite_e.hermegauss(15))
    z = torch.tensor([0.3, -0.5]) + torch.tensor(deviation) * torch.cartesian_prod(place, place)
    weight = torch.outer(share, share).flatten() / share.sum() ** 2
    expected = torch.stack([(model.log_likelihood(image, z) * weight).sum() for image in x])
    np.testing.assert_allclose(found, expected.numpy(), rtol=0, atol=1e-2)


def test_what_is_told_of_a_trained_model_is_torchs(window):
    """Of a sharp posterior a spline between nodes is not enough: the decoder itself is asked where it matters."""
    kept, x = published(2), load_dataset("mnist").test[100:112]
    body = """const [content, images, done] = arguments;
    unpackModel(content).then(async (model) => {
      const told = [];
      for (const x of images.map((row) => Float32Array.from(row))) {
        const q = encode(model, x), rough = jointSurface(likelihoodSurface(model, x));
        const { joint, mean } = await new Promise((ready) => exactByPatience(model, x, q, rough, ready));
        const rec = logLikelihood(x, decode(model, q.mean)), { logMarginal, ...posterior } = summary(joint);
        const nats = [divergence(q), rec, mean, logMarginal];
        told.push([...q.mean, ...q.deviation, ...nats, ...posterior.mean, ...posterior.deviation]);
      }
      done(told);
    })"""
    window.set_script_timeout(120)
    found = torch.tensor(window.execute_async_script(body, content_of(kept), x.tolist()))
    q, model = kept.encoder(x), kept.model
    rec = model.log_likelihood(x, q.mean)
    place, share = (torch.tensor(values) for values in np.polynomial.hermite_e.hermegauss(21))
    noise, weight = torch.cartesian_prod(place, place).float(), torch.outer(share, share).flatten() / share.sum() ** 2
    drawn = [
        model.log_likelihood(image, mu + sigma * noise)
        for image, mu, sigma in zip(x, q.mean, q.log_var.div(2).exp(), strict=True)
    ]
    z, area = nodes_of(view_of(kept), 300)
    parts = [
        (x @ a.T - torch.nn.functional.softplus(a).sum(1)) for a in (model.logits(part) for part in z.split(5_000))
    ]
    joint = torch.cat(parts, 1).double() + standard_normal_log_density(z).double()
    share = joint.softmax(1)
    at = share @ z.double()
    spread = (share @ z.double() ** 2 - at**2).sqrt()
    nats = [q.kl_to_standard_normal(), rec, torch.stack(drawn).double() @ weight, joint.logsumexp(1) + np.log(area)]
    expected = torch.cat(
        [q.mean, q.log_var.div(2).exp(), torch.stack([each.double() for each in nats], 1), at, spread], 1
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-2)


def test_test_points_lie_where_torch_encodes_them(window, store):
    drawn = window.execute_script("return [...models['mnist-2'].points.z]")
    mean = store.models["mnist-2"].encoder(load_dataset("mnist").test[:3000]).mean
    np.testing.assert_allclose(np.array(drawn).reshape(-1, 2), mean.numpy(), rtol=1e-3, atol=1e-3)
    labels = window.execute_script("return [...models['mnist-2'].points.label]")
    assert labels == load_dataset("mnist").labels["test"][:3000].tolist()
    assert window.execute_script("return models['frey_face-2'].points") is None, "without data there are no points"


def test_log_prior_is_the_librarys(window, generator):
    z = torch.randn(20, 2, generator=generator)
    found = each(window, "return logPrior(row)", "mnist-2", z)
    np.testing.assert_allclose(found, standard_normal_log_density(z).numpy(), atol=1e-5)
