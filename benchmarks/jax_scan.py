"""What a user of JAX would write: a jitted `lax.scan` over steps, and `jax.vmap` over runs in it where there are many.

Import it before anything has imported JAX: the flags that keep XLA on one thread on a CPU are read once, and so is
which devices there are. On a GPU products are in full float32, as torch's are: JAX's own choice there is TF32, which
rounds their factors to 11 bits. All else is JAX's own choice, but that memory is not taken all at once, since torch
needs some of it too. JAX is no requirement of this project.
"""

import os
from importlib.metadata import entry_points

import torch

SEES_CUDA = torch.cuda.is_available() and any("cuda" in plugin.name for plugin in entry_points(group="jax_plugins"))
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ.setdefault("JAX_PLATFORMS", "cuda,cpu" if SEES_CUDA else "cpu")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

PRECISION = {"cpu": None, "cuda": "highest"}  # of products; None leaves it to JAX


class JaxLoop:
    """Minibatches of a training set; many steps are one call into XLA.

    Args:
        train: the training set, shape (N, pixel).
        n_latent: N_z.
        n_hidden: hidden units.
        batch_size: M.
        step_size: Adagrad's η.
        device: "cpu" or "cuda".
        runs: that take their steps together, by `jax.vmap`; 0 is one run without it.
    """

    def __init__(
        self, train: np.ndarray, n_latent: int, n_hidden: int, batch_size: int, step_size: float,
        *, device: str = "cpu", runs: int = 0,
    ) -> None:  # fmt: skip
        rng = np.random.default_rng(0)
        d, self._runs = train.shape[1], (runs,) if runs else ()
        sizes = {
            "encoder": (d, n_hidden), "mean": (n_hidden, n_latent), "log_var": (n_hidden, n_latent),
            "decoder": (n_latent, n_hidden), "output": (n_hidden, d),
        }  # fmt: skip
        where = jax.devices(device)[0]
        with jax.default_device(where):
            parameters = {
                name: (jnp.asarray(rng.normal(0, 0.01, (*self._runs, *size)), jnp.float32),
                       jnp.zeros((*self._runs, size[1]), jnp.float32))
                for name, size in sizes.items()
            }  # fmt: skip
            made = parameters, jax.tree.map(jnp.zeros_like, parameters), jax.random.key(0), jnp.asarray(train)
        # What is put on a device is computed with there.
        placed = jax.block_until_ready(jax.device_put(made, where))
        self._parameters, self._state, self._key, self._train = placed
        self._precision = PRECISION[device]
        self._settings = {"batch_size": batch_size, "step_size": step_size}

    def advance(self, n_steps: int) -> np.ndarray:
        """Take so many steps and wait for them; each minibatch's mean bound, nats, shape (step,) or (step, run)."""
        with jax.default_matmul_precision(self._precision):
            self._key, key = jax.random.split(self._key)
            self._parameters, self._state, bounds = _steps(
                self._parameters,
                self._state,
                jax.random.split(key, (n_steps, *self._runs)),
                self._train,
                **self._settings,
            )
        return np.asarray(bounds)


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
    def step(carry: Any, key: Any) -> Any:
        parameters, state = carry
        rows, noise = jax.random.split(key)
        x = train[jax.random.randint(rows, (batch_size,), 0, len(train))]
        eps = jax.random.normal(noise, (batch_size, parameters["decoder"][0].shape[0]))
        bound, gradient = jax.value_and_grad(_bound)(parameters, x, eps)
        state = jax.tree.map(lambda s, g: s + g * g, state, gradient)
        parameters = jax.tree.map(lambda p, g, s: p + step_size * g / jnp.sqrt(s + 1e-8), parameters, gradient, state)
        return (parameters, state), bound / batch_size

    of_all = jax.vmap(step) if keys.ndim > 1 else step
    (parameters, state), bounds = jax.lax.scan(of_all, (parameters, state), keys)
    return parameters, state, bounds
