"""A module of learners as strangers write them: some work, and each other one lacks something."""

from tests.stranger import FILES

STRANGER = (
    FILES["beta.py"]
    + """

class Otherwise:
    def step(self):
        pass


class Disordered(AEVB):
    def __init__(self, encoder, model, n_datapoints, options):
        pass


class Greedy(AEVB):
    def __init__(self, model, encoder, n_datapoints, options, greed):
        super().__init__(model, encoder, n_datapoints, options)


class Leaving(AEVB):
    def __init__(self, *arguments, **named):
        raise SystemExit(0)


class Narrow(AEVB):
    def step(self, batch, generator):
        return super().step(batch, generator)


class Silent(AEVB):
    def step(self, batch, generator, noise=None):
        super().step(batch, generator, noise)


class Mean(AEVB):
    def step(self, batch, generator, noise=None):
        return StepInfo(super().step(batch, generator, noise).bound.mean(), len(batch.x))


class Counting(AEVB):
    def step(self, batch, generator, noise=None):
        return StepInfo(super().step(batch, generator, noise).bound, 5 * len(batch.x))


class Forgetful(AEVB):
    def state_dict(self):
        return None


class Unsaved(AEVB):
    def state_dict(self):
        return {"function": print, **super().state_dict()}


class Blind(AEVB):
    def step(self, batch, generator, noise=None):
        info = super().step(batch, generator, noise)
        self.encoder = None
        return info


class Wordy(AEVB):
    def diagnostics(self):
        return {"mood": "good"}


class Alone:
    n_normal = 0

    def __init__(self, model, encoder, n_datapoints, options):
        self.model, self.encoder = model, encoder
        self.own = AEVB(model, encoder, n_datapoints, options)

    def step(self, batch, generator, noise=None):
        assert noise is None
        return self.own.step(batch, generator)

    def diagnostics(self):
        return {}

    def state_dict(self):
        return self.own.state_dict()

    def load_state_dict(self, state):
        self.own.load_state_dict(state)


class Net(torch.nn.Module):
    def __init__(self, n_pixels, n_latent):
        super().__init__()
        self.layer = torch.nn.Linear(n_pixels, 2 * n_latent)

    def forward(self, x):
        return DiagonalGaussian(*self.layer(x).chunk(2, -1))


class Encoding(AEVB):
    def __init__(self, model, encoder, n_datapoints, options):
        super().__init__(model, Net(model.n_pixels, model.n_latent), n_datapoints, options)


class Unsure(Alone):
    n_normal, dreams = None, False


class Heir(LearnerState):
    def __init__(self, model, encoder, n_datapoints, options):
        self.model, self.encoder = model, encoder
        self.own = AEVB(model, encoder, n_datapoints, options)

    def _parts(self):
        return {"own": self.own}

    step = Alone.step


class Late(AEVB):
    taken = 0

    def step(self, batch, generator, noise=None):
        self.taken += 1
        info = super().step(batch, generator, noise)
        return info if self.taken < 9 else self.late(info)


class LateNothing(Late):
    def late(self, info):
        return None


class LateMean(Late):
    def late(self, info):
        return StepInfo(info.bound.mean(), info.samples)


class LateRaising(Late):
    def late(self, info):
        raise ValueError("boom")


class LateLosing(Late):
    def late(self, info):
        with torch.no_grad():
            for parameter in self.model.parameters():
                parameter.fill_(float("nan"))
        return info


number = 3
"""
).replace(
    "from aevb.learner import AscentOptions\n",
    "import torch\nfrom aevb.densities import DiagonalGaussian\n"
    "from aevb.learner import AscentOptions, LearnerState, StepInfo\n",
)
