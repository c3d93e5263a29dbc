"""Weights to multiples of a step, so that what a layer answers changes least.

Each input's weights are rounded in turn, and those of the inputs that are left make up for it, as far as the inputs go
together: optimal brain quantization, in the order and with the factorization of Frantar et al. (2022, GPTQ). Pixels of
digits, or hidden units over a plane, go together so much that this is worth two or three bits of every weight.
"""

import torch
from jaxtyping import Float
from torch import Tensor

DAMPING = 1e-2  # of the inputs' mean square, for inputs unlike those given
BLOCK = 32  # inputs after which those that are left hear of what was rounded


def multiples_of(
    step: float, weight: Float[Tensor, "out in"], inputs: Float[Tensor, "example in"] | None = None
) -> Float[Tensor, "out in"]:
    """Whole numbers; times the step they are near the weights, or where inputs are given, W·inputs near what it was.

    Args:
        step: what the whole numbers are to be multiplied by.
        weight: W.
        inputs: examples of what the layer is applied to; without any, each weight goes to its nearest multiple.
    """
    if inputs is None:
        return (weight.double() / step).round()
    inputs = inputs.double()
    square = inputs.T @ inputs / len(inputs)
    square += DAMPING * square.diagonal().mean() * torch.eye(len(square), dtype=torch.float64)
    order = square.diagonal().argsort(descending=True)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(square[order][:, order]))
    upper = torch.linalg.cholesky(inverse, upper=True)
    passed_on = upper / upper.diagonal()[:, None]
    left, whole = weight.double().T[order].contiguous(), weight.new_zeros(weight.T.shape, dtype=torch.float64)
    for start in range(0, len(left), BLOCK):
        end = min(start + BLOCK, len(left))
        for j in range(start, end):
            whole[j] = (left[j] / step).round()
            left[j] -= whole[j] * step
            left[j + 1 : end] -= torch.outer(passed_on[j, j + 1 : end], left[j])
        left[end:] -= passed_on[start:end, end:].T @ left[start:end]
    return torch.empty_like(whole).index_copy(0, order, whole).T
