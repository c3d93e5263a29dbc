"""CUDA graphs: many small kernels as one launch."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


class Graph:
    """A function of tensors on a CUDA device, recorded once and then replayed as a single launch.

    Small minibatches leave a GPU waiting for its next launch; a recording of many steps has none in between. What the
    function reads beside its inputs, such as parameters, is read and written in place at every replay; what it does in
    Python happens once, when it is recorded, and that recording computes nothing.

    Args:
        function: of named tensors, on one device, without looking at any value from Python. It must have run before,
            so that whatever it allocates once is there.
        inputs: of the shapes that all replays will have.
    """

    def __init__(self, function: Callable[[Mapping[str, Tensor]], Tensor], inputs: Mapping[str, Tensor]) -> None:
        self._inputs = {name: tensor.clone() for name, tensor in inputs.items()}
        self._graph = torch.cuda.CUDAGraph()
        # What other threads do meanwhile is no business of this recording.
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
            self._output = function(self._inputs)

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The function of these inputs; waits for nothing."""
        for name, tensor in inputs.items():
            self._inputs[name].copy_(tensor)
        self._graph.replay()
        return self._output.clone()
