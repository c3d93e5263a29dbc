"""Every distribution that section 2.4 of the paper names, with the noise and the function that draw it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from aevb.reparameterization import composition, inverse_cdf, location_scale

Family = Literal["inverse CDF", "location-scale", "composition"]

# Kingma & Welling 2013, section 2.4.
STATEMENTS: Mapping[Family, str] = {
    "inverse CDF": "Tractable inverse CDF. In this case, let ε ~ U(0, I), and let g_φ(ε, x) be the inverse CDF of "
    "q_φ(z|x).",
    "location-scale": 'For any "location-scale" family of distributions we can choose the standard distribution (with '
    "location = 0, scale = 1) as the auxiliary variable ε, and let g(.) = location + scale · ε.",
    "composition": "It is often possible to express random variables as different transformations of auxiliary "
    "variables.",
}


@dataclass(frozen=True)
class Reparameterization:
    """How one distribution is drawn.

    Attributes:
        family: one of the paper's three.
        distribution: its name.
        draw: parameters, then noise, to a draw.
        noise: law of the noise.
    """

    family: Family
    distribution: str
    draw: Callable[..., Tensor]
    noise: str

    @property
    def statement(self) -> str:
        """What the paper says of the family."""
        return STATEMENTS[self.family]


def _rows(family: Family, *rows: tuple[str, Callable[..., Tensor], str]) -> tuple[Reparameterization, ...]:
    return tuple(Reparameterization(family, *row) for row in rows)


UNIFORM = "uniform on (0, 1)"

REPARAMETERIZATIONS: tuple[Reparameterization, ...] = (
    *_rows(
        "inverse CDF",
        ("Exponential", inverse_cdf.exponential, UNIFORM),
        ("Cauchy", inverse_cdf.cauchy, UNIFORM),
        ("Logistic", inverse_cdf.logistic, UNIFORM),
        ("Rayleigh", inverse_cdf.rayleigh, UNIFORM),
        ("Pareto", inverse_cdf.pareto, UNIFORM),
        ("Weibull", inverse_cdf.weibull, UNIFORM),
        ("Reciprocal", inverse_cdf.reciprocal, UNIFORM),
        ("Gompertz", inverse_cdf.gompertz, UNIFORM),
        ("Gumbel", inverse_cdf.gumbel, UNIFORM),
        ("Erlang", inverse_cdf.erlang, UNIFORM),
    ),
    *_rows(
        "location-scale",
        ("Laplace", location_scale.location_scale, "Laplace(0, 1)"),
        ("Elliptical", location_scale.elliptical, "spherical, such as N(0, I)"),
        ("Student's t", location_scale.location_scale, "Student's t with the same degrees of freedom"),
        ("Logistic", location_scale.location_scale, "Logistic(0, 1)"),
        ("Uniform", location_scale.location_scale, UNIFORM),
        ("Triangular", location_scale.location_scale, "triangular on (0, 1) with the same relative mode"),
        ("Gaussian", location_scale.location_scale, "N(0, 1)"),
    ),
    *_rows(
        "composition",
        ("Log-Normal", composition.log_normal, "N(0, 1)"),
        ("Gamma", composition.gamma, f"{UNIFORM}, one for each exponential"),
        ("Dirichlet", composition.dirichlet, f"{UNIFORM}, one for each coordinate"),
        ("Beta", composition.beta, f"{UNIFORM}, two"),
        ("Chi-Squared", composition.chi_squared, UNIFORM),
        ("F", composition.f, f"{UNIFORM}, two"),
    ),
)
