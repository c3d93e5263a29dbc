"""What a user of JAX would write: a jitted `lax.scan` over steps. JAX is no requirement of this project.

Import it before anything has imported JAX: the flags that keep XLA on one thread are read once.
"""

import os

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


class JaxLoop:
    """Minibatches of a training set; many steps are one call into XLA."""

    def __init__(self, train: np.ndarray, n_latent: int, n_hidden: int, batch_size: int, step_size: float) -> None:
        rng = np.random.default_rng(0)
        d = train.shape[1]
        sizes = {
            "encoder": (d, n_hidden), "mean": (n_hidden, n_latent), "log_var": (n_hidden, n_latent),
            "decoder": (n_latent, n_hidden), "output": (n_hidden, d),
        }  # fmt: skip
        self._parameters = {
            name: (jnp.asarray(rng.normal(0, 0.01, size), jnp.float32), jnp.zeros(size[1], jnp.float32))
            for name, size in sizes.items()
        }
        self._state = jax.tree.map(jnp.zeros_like, self._parameters)
        self._key = jax.random.key(0)
        self._train = jnp.asarray(train)
        self._settings = {"batch_size": batch_size, "step_size": step_size}

    def advance(self, n_steps: int) -> list[float]:
        """Take so many steps; the mean bound of each minibatch, nats."""
        self._key, key = jax.random.split(self._key)
        self._parameters, self._state, bounds = _steps(
            self._parameters, self._state, jax.random.split(key, n_steps), self._train, **self._settings
        )
        return np.asarray(bounds).tolist()


def _affine(layer: tuple[Any, Any], x: Any) -> Any:
    return x @ layer[0] + layer[1]


def _bound(parameters: dict[str, tuple[Any, Any]], x: Any, eps: Any) -> Any:
    h = jnp.tanh(_affine(parameters["encoder"], x))
    mean, log_var = _affine(parameters["mean"], h), _affine(parameters["log_var"], h)
    z = mean + jnp.exp(0.5 * log_var) * eps
    logits = _affine(parameters["output"], jnp.tanh(_affine(parameters["decoder"], z)))
    kl = -0.5 * jnp.sum(1 + log_var - mean**2 - jnp.exp(log_var))
    return jnp.sum(x * logits - jax.nn.softplus(logits)) - kl


@partial(jax.jit, static_argnames=("batch_size", "step_size"), donate_argnums=(0, 1))
def _steps(parameters: Any, state: Any, keys: Any, train: Any, *, batch_size: int, step_size: float) -> Any:
    n_latent = parameters["decoder"][0].shape[0]

    def step(carry: Any, key: Any) -> Any:
        parameters, state = carry
        rows, noise = jax.random.split(key)
        x = train[jax.random.randint(rows, (batch_size,), 0, len(train))]
        eps = jax.random.normal(noise, (batch_size, n_latent))
        bound, gradient = jax.value_and_grad(_bound)(parameters, x, eps)
        state = jax.tree.map(lambda s, g: s + g * g, state, gradient)
        parameters = jax.tree.map(lambda p, g, s: p + step_size * g / jnp.sqrt(s + 1e-8), parameters, gradient, state)
        return (parameters, state), bound / batch_size

    (parameters, state), bounds = jax.lax.scan(step, (parameters, state), keys)
    return parameters, state, bounds
