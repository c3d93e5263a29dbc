"""Auto-Encoding Variational Bayes: models, encoders, estimators and learners."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aevb.trained import Trained


def load(dataset: str, *, n_latent: int, method: str = "aevb", seed: int = 0, samples: int | None = None) -> "Trained":
    """A trained model and its encoder that come with the project.

    ``model, encoder, origin = aevb.load("mnist", n_latent=2)``

    Their parameters take no gradients. To train on, call ``model.requires_grad_(True)`` and
    ``encoder.requires_grad_(True)`` before a learner is made of them. Models that you trained are read by
    `aevb.trained.build`.

    Args:
        dataset: "mnist" or "frey_face".
        n_latent: N_z, size of z.
        method: the algorithm that trained it.
        seed: of its run.
        samples: training samples after which it was kept; None for the last one.

    Returns:
        `aevb.trained.Trained`: p(z) p(x|z), q(z|x), and the run that they come from.

    Raises:
        UserError: there is none like this; the message has those that there are.
        DataError: its file is not what was published.
    """
    from aevb.trained import load_published  # torch takes seconds, and readers of results do without

    return load_published(dataset, n_latent, method=method, seed=seed, samples=samples)
