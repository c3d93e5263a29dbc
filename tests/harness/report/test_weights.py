"""What the page's fixed-point weights, its table and its quotes are worth beside the library."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

import aevb
from aevb.data import load_dataset
from aevb.densities import standard_normal_log_density
from aevb.model import GaussianModel
from aevb.trained import published_models
from harness.pictures.models import Trained
from harness.report.models import MAX_CHARACTERS, file_name, read_models
from harness.report.quote import LIBRARY, quote, quotes
from harness.report.weights import FINE, ROUGH, TABLE, export, export_earlier, view_of
from tests.report_store import inflated, published
from tests.support import ROOT

SIZES = [entry["n_latent"] for entry in published_models() if entry["dataset"] == "mnist"]


def unpacked(layer: dict) -> torch.Tensor:
    """Weights of a layer as the page has them; of two without anything between them, their product."""
    if "inner" in layer:
        outer = {key: value for key, value in layer.items() if key != "inner"}
        return unpacked(outer) @ unpacked(layer["inner"])
    shape = layer["nOut"], layer["nIn"]
    if "exact" in layer:
        return values(layer["exact"]).reshape(shape)
    folded = np.zeros(shape, np.int32)
    for plane in np.frombuffer(inflated(layer["weight"]), np.uint8).reshape(-1, *shape):
        folded = (folded << 8) | plane
    return torch.tensor(((folded >> 1) ^ -(folded & 1)) * layer["step"], dtype=torch.float32)


def values(text: str) -> torch.Tensor:
    """Float32 as the page has them."""
    return torch.tensor(np.frombuffer(base64.b64decode(text), "<f4").copy())


def as_on_the_page(rounded: Trained, content: dict) -> Trained:
    """The model with what the page has of its weights."""
    model, encoder = rounded.model, rounded.encoder
    model.hidden[0].weight.data = unpacked(content["decoder"]["hidden"][0])
    model.output.weight.data = unpacked(content["decoder"]["output"])
    model.output.bias.data = values(content["decoder"]["output"]["bias"])
    if isinstance(model, GaussianModel):
        model.log_var.weight.data = unpacked(content["decoder"]["logVar"]) / model.log_var_factor
        model.log_var.bias.data = values(content["decoder"]["logVar"]["bias"])
    encoder.hidden[0].weight.data = unpacked(content["encoder"]["hidden"][0])
    encoder.mean.weight.data = unpacked(content["encoder"]["mean"])
    encoder.log_var.weight.data = unpacked(content["encoder"]["logVar"]) / encoder.log_var_factor
    return rounded


# Nats of the image that fares worst. The plane's model has its numbers told to a tenth, the others to one.
@pytest.mark.parametrize(
    ("n_latent", "step", "nats"), [(n, *((FINE, 1e-2) if n == 2 else (ROUGH, 0.1))) for n in SIZES]
)
def test_fixed_point_weights_rebuild_as_the_models_do(n_latent, step, nats, tmp_path, generator):
    truth = published(n_latent)
    export(truth, tmp_path / "model.json", step=step)
    rounded = as_on_the_page(published(n_latent), json.loads((tmp_path / "model.json").read_text()))
    x = load_dataset("mnist").test[:200]
    eps = torch.randn(200, n_latent, generator=generator)
    moments, bounds, images = [], [], []
    for each in (truth, rounded):
        q = each.encoder(x)
        z = q.at(eps)
        moments.append(torch.stack([q.mean, q.log_var.div(2).exp()]))
        bounds.append(each.model.log_likelihood(x, z) - q.kl_to_standard_normal())
        images.append(each.model.pixel_mean(z))
    assert (moments[1] - moments[0]).abs().max() < 1e-2
    assert (images[1] - images[0]).abs().max() < 1e-2
    off = (bounds[1] - bounds[0]).abs()
    assert 0 < off.max() < nats
    assert off.mean() < nats / 5


def test_frames_of_fixed_point_weights_are_those_of_the_model(tmp_path, generator):
    truth = published(20, "frey_face")
    export(truth, tmp_path / "model.json", step=ROUGH)
    rounded = as_on_the_page(published(20, "frey_face"), json.loads((tmp_path / "model.json").read_text()))
    frames = truth.model.pixel_mean(torch.randn(200, 20, generator=generator))
    places = [each.encoder(frames).mean for each in (truth, rounded)]
    off = rounded.model.pixel_mean(places[1]) - truth.model.pixel_mean(places[0])
    assert off.abs().max() < 1 / 256, "a level of grey"


@pytest.mark.parametrize("dataset", ["mnist", "frey_face"])
def test_in_its_smallest_form_a_model_is_the_same_all_over_the_plane(dataset, tmp_path, generator):
    truth, view = published(2, dataset), view_of(published(2, dataset))
    export_earlier(truth, tmp_path / "earlier.json", view)
    content = json.loads((tmp_path / "earlier.json").read_text())
    small = as_on_the_page(published(2, dataset), content)
    weights = truth.model.output.weight.numel()
    assert len(content["decoder"]["output"]["weight"]) < weights, "less than half of what they are in float16"
    z = torch.tensor(view.centre) + view.half * (2 * torch.rand(2_000, 2, generator=generator) - 1)
    drawn, expected = small.model.pixel_mean(z), truth.model.pixel_mean(z)
    assert (drawn - expected).abs().max() < 1 / 255
    z = torch.randn(2_000, 2, generator=generator)  # farther out σ of a face's pixels is a millionth in places
    x = truth.model.pixels_at(z, truth.model.pixel_noise(len(z), generator))
    nats = (small.model.log_likelihood(x, z) - truth.model.log_likelihood(x, z)).abs()
    assert 0 < nats.max() < 0.5
    points = np.frombuffer(base64.b64decode(content["points"]["z"]), "<i2").reshape(-1, 2) * content["points"]["step"]
    np.testing.assert_allclose(points, truth.encoded["mean"].numpy(), rtol=0, atol=1e-3)
    moved = (small.encoder(expected).mean - truth.encoder(expected).mean).square().sum(1).mean().sqrt()
    assert moved < view.half / 128, "on average no farther than a pixel of a small plane"


def test_the_table_and_the_logits_are_the_likelihood_of_any_image(tmp_path, generator):
    kept = published(2)
    export(kept, tmp_path / "model.json")
    content = json.loads((tmp_path / "model.json").read_text())
    table, centre = content["table"], content["view"]["centre"]
    rest = np.frombuffer(base64.b64decode(table["softplus"]), "<f4").reshape(TABLE, TABLE)
    i, j = torch.randint(TABLE, (2, 50), generator=generator)
    z = torch.tensor(centre) - table["half"] + torch.stack([i, j], 1) * 2 * table["half"] / (TABLE - 1)
    x = load_dataset("mnist").test[:50]
    expected = kept.model.log_likelihood(x, z)
    found = (x * kept.model.logits(z)).sum(1) - torch.tensor(rest[j, i])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-2)


def test_the_table_is_fine_enough_to_draw_by_and_its_nodes_for_the_sum_over_the_posterior(tmp_path, generator):
    """What is told of the posterior the decoder itself answers at the nodes: `test_machine_values` holds it to 0.01."""
    kept = published(2)
    export(kept, tmp_path / "model.json")
    content = json.loads((tmp_path / "model.json").read_text())
    half, centre = content["table"]["half"], torch.tensor(content["view"]["centre"])

    def grid(side: int) -> torch.Tensor:
        x, y = (torch.linspace(middle - half, middle + half, side) for middle in centre.tolist())
        return torch.stack([x.repeat(side), y.repeat_interleave(side)], 1)

    def log_likelihoods(z: torch.Tensor) -> torch.Tensor:
        """Of each image at each place, which is decoded once for all of them."""
        logits = kept.model.logits(z)
        return images @ logits.T - torch.nn.functional.softplus(logits).sum(1)

    def log_sums(side: int) -> torch.Tensor:
        """log p(x) of each image by a sum over a grid."""
        z, area = grid(side), (2 * half / (side - 1)) ** 2
        parts = [log_likelihoods(part) + standard_normal_log_density(part) for part in z.split(5_000)]
        return torch.cat(parts, 1).double().logsumexp(1) + np.log(area)

    images = load_dataset("mnist").test[:10]
    values = log_likelihoods(grid(TABLE)).double().numpy().reshape(-1, TABLE, TABLE)
    for image, surface in zip(images, values, strict=True):
        z = kept.encoder(image[None]).at(torch.randn(50, 2, generator=generator))
        places = ((z - centre + half) / (2 * half) * (TABLE - 1)).double().numpy()
        between = map_coordinates(surface, places.T[::-1], order=3, mode="mirror")
        np.testing.assert_allclose(between, kept.model.log_likelihood(image, z).numpy(), rtol=0, atol=0.2)
    torch.testing.assert_close(log_sums(2 * TABLE - 1), log_sums(4 * TABLE), rtol=0, atol=1e-2)


def test_earlier_models_come_last_and_only_as_there_is_room(tmp_path):
    def write(dataset: str, n_latent: int, samples: int, size: int, earlier: int | None = None) -> str:
        content = {"dataset": dataset, "nLatent": n_latent, "samples": samples}
        text = json.dumps(content | {"weights": "x" * size})
        name = file_name(dataset, n_latent, earlier)
        (tmp_path / name).write_text(text)
        return name.removesuffix(".json")

    large = MAX_CHARACTERS // 5
    wanted = [write(*each, large) for each in (("mnist", 2, 10**6), ("mnist", 5, 10**6), ("frey_face", 2, 10**6))]
    write("mnist", 2, 10**5, large, 10**5)
    wanted.append(write("mnist", 2, 10**4, large, 10**4))
    assert [*read_models(tmp_path)] == wanted


@pytest.mark.parametrize("part", quotes())
def test_what_is_quoted_stands_in_the_library_at_that_line(part):
    for each in quotes()[part]:
        lines = (ROOT / each.file).read_text().splitlines()
        quoted = each.text.splitlines()
        found = [line.strip() for line in lines[each.line - 1 : each.line - 1 + len(quoted)]]
        assert found == [line.strip() for line in quoted]
        assert each.coloured.striptags() == " ".join(each.text.split())


def test_a_quote_that_is_gone_is_missed():
    assert Path(aevb.__file__).parent == LIBRARY
    with pytest.raises(LookupError, match="must have 'no such thing' in DiagonalGaussian"):
        quote("densities.py", "DiagonalGaussian.at", "no such thing")
