"""The bound's gradient without its score term, which adds noise where q is nearly the posterior."""

from jaxtyping import Float
from torch import Tensor, nn

from aevb.aevb import AEVB
from aevb.ascent import AscentOptions
from aevb.estimators import Encoder, check_noise, posterior_of
from aevb.model import GenerativeModel


def sticking_the_landing_bound(
    model: GenerativeModel,
    encoder: Encoder,
    x: Float[Tensor, "batch pixel"],
    eps: Float[Tensor, "L batch latent"],
) -> Float[Tensor, " batch"]:
    """Estimator A's value, with a gradient of φ that takes the path through z alone.

    What is left out, −∇_φ log q(z|x) at a fixed z, has mean zero. Without it the gradient vanishes, draw by draw, where
    q is the posterior. Arguments, result and errors as `aevb.estimators.lower_bound_a`.

    Source: Roeder, Wu & Duvenaud 2017.
    """
    check_noise(model, x, eps)
    q = posterior_of(encoder, x, model.n_latent, "detach")
    z = q.at(eps)
    return (model.log_joint(x, z) - q.detach().log_density(z)).mean(0)


class StickingTheLanding(AEVB):
    """`aevb.aevb.AEVB` with `sticking_the_landing_bound`.

    Args:
        model: p(z) p(x|z), with parameters θ.
        encoder: q(z|x), with parameters φ.
        n_datapoints: N, size of the training set, which scales the prior on θ.
        options: how the parameters climb.
        n_samples: L, noise samples for each datapoint.

    Source: Roeder, Wu & Duvenaud 2017.
    """

    def __init__(
        self,
        model: GenerativeModel,
        encoder: nn.Module,
        n_datapoints: int,
        options: AscentOptions = AscentOptions(),
        *,
        n_samples: int = 1,
    ) -> None:
        super().__init__(
            model, encoder, n_datapoints, options, estimator=sticking_the_landing_bound, n_samples=n_samples
        )
