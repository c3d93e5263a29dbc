"""Lines of the library that the page quotes, taken from its source: none is typed here."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from aevb import shipped

LIBRARY = Path(shipped.__file__).parent
# Symbols of the page for names in the code.
SYMBOLS = {
    "x": "x", "mean": "mu", "log_var": "sigma", "eps": "eps", "z": "z", "n_latent": "z", "pixel_mean": "xhat",
    "logits": "xhat", "log_likelihood": "xhat", "kl_to_standard_normal": "kl",
}  # fmt: skip


@dataclass(frozen=True)
class Quote:
    """A statement of the library.

    Attributes:
        file: its path in the repository.
        line: where it begins.
        text: as it is there, less the indentation.
    """

    file: str
    line: int
    text: str

    @property
    def coloured(self) -> Markup:
        """The text, names in the colours of their symbols."""

        def paint(match: re.Match[str]) -> str:
            symbol = SYMBOLS.get(match[0])
            return f'<span class="c-{symbol}">{match[0]}</span>' if symbol else match[0]

        # Not what is called on a result, as `.mean(0)`. No entity of `escape` is a name that has a symbol.
        return Markup(re.sub(r"(?<!\)\.)(?<![&\w])[A-Za-z_]\w*", paint, str(escape(self.text))))


def quote(file: str, function: str, having: str) -> Quote:
    """The last statement of a function, or of a class's method, that has these characters.

    Raises:
        LookupError: there is none.
    """
    path = LIBRARY / file
    source = path.read_text(encoding="utf-8")
    body: list[ast.stmt] = ast.parse(source).body
    for name in function.split("."):
        body = next((node.body for node in body if getattr(node, "name", "") == name and hasattr(node, "body")), [])
    for node in reversed(body):
        text = ast.get_source_segment(source, node) or ""
        if having in text and not _is_docstring(node):
            return Quote(f"{LIBRARY.name}/{file}", node.lineno, text)
    raise LookupError(f"{path} must have {having!r} in {function}: name a statement that is there")


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def quotes() -> dict[str, list[Quote]]:
    """What computes each part of the machine; where the decoder decides it, Bernoulli's and then the Gaussian's."""
    return {
        "x": [
            quote("data/mnist.py", "_dataset", "points ="),
            quote("model.py", "GaussianModel.pixel_mean", "return"),  # faces are made
        ],
        "encoder": [quote("encoder.py", "GaussianEncoder.forward", "self.hidden(")],
        "moments": [quote("encoder.py", "GaussianEncoder.forward", "return")],
        "eps": [quote("estimators.py", "standard_normal", "return")],
        "z": [quote("densities.py", "DiagonalGaussian.at", "return")],
        "posterior": [quote("model.py", "GenerativeModel.log_joint", "return")],
        "plane": [quote("densities.py", "standard_normal_log_density", "return")],
        "decoder": [
            quote("model.py", "BernoulliModel.logits", "return"),
            quote("model.py", "GaussianModel.pixels", "self.output("),
        ],
        "xhat": [
            quote("model.py", "BernoulliModel.pixel_mean", "return"),
            quote("model.py", "GaussianModel.pixel_mean", "return"),
        ],
        "rec": [
            quote("model.py", "BernoulliModel.log_likelihood", "return"),
            quote("model.py", "GaussianModel.log_likelihood", "return"),
        ],
        "kl": [quote("densities.py", "DiagonalGaussian.kl_to_standard_normal", "return")],
        "bound": [quote("estimators.py", "lower_bound_b", "return")],
        "gap": [quote("model.py", "GenerativeModel.log_joint", "return")],  # what is summed up
        "rebuilds": [quote("model.py", "GenerativeModel.__init__", "hidden_stack(")],
    }
