"""The command line: every option with its help."""

import argparse
from pathlib import Path

from harness.claims.roster import NAMES as CLAIMS
from harness.command.parsing import EVALUATE, Help, Parser, address, method, place_of_files, whole
from harness.experiments.methods import METHODS
from harness.experiments.paper import DEMOS, EXPERIMENTS, FIGURE2, PICTURES
from harness.experiments.protocols import one_value_each
from harness.store.invocation import invocation

DESCRIPTION = """Reproduce the experiments of "Auto-Encoding Variational Bayes"
(Kingma & Welling 2013, arXiv:1312.6114)."""
EXAMPLES = """examples:
  python reproduce.py --figure 2
      lower bounds, six to ten minutes on two cores
  python reproduce.py --figure 2 --dataset mnist --latent 10
      one panel
  python reproduce.py --figure 2 --seed 0 1 2
      three seeds for each curve, drawn as a band
  python reproduce.py --figure 2 --dataset faces.npy
      your own array, N×D or N×H×W with values in [0, 1]
  python reproduce.py --figure 2 --protocol author+binarization=dynamic
      any choice, by name
  python reproduce.py --figure 3 --re-estimate
      marginal likelihoods, and how far off they are
  python reproduce.py --figure 4
      manifolds of models with two latents
  python reproduce.py --demo denoise --dataset frey_face
      what a trained model is good for
  python reproduce.py --study choices
      what each choice of the protocol is worth
  python reproduce.py --study marginal
      estimators of log p(x) against exact values
  python reproduce.py --study reparameterization
      the noise of gradients, with the trick and without
  python reproduce.py --claims C4 C8
      what the paper says, and whether it holds
  python reproduce.py --report
      all that is in the store, as one HTML file
  python reproduce.py --benchmark --device cpu cuda
      how fast each method and estimator is
  python reproduce.py --benchmark --to-target
      how long ten seeds of each method take to a bound
  python reproduce.py --benchmark --against HEAD~1
      is this tree slower or faster than that commit?
  python reproduce.py evaluate factors:model --data rows.npy
      log p(x) of your own model, by every estimator
  python reproduce.py --check --junit check.xml
      has anything drifted? for continuous integration
"""
STUDIES = {
    "choices": "what each choice that the paper leaves open is worth",
    "gaps": "where the nats go: between the bound and log p(x), and in each latent",
    "marginal": "estimators of log p(x) against exact values",
    "models": "noise of trained models' bound, and how smooth they are",
    "reparameterization": "noise of the gradient with the trick and without",
    "step-sizes": "which step size the paper's rule picks for each curve",
}


TASKS = """(--figure N | --demo NAME | --study NAME |
                    --claims [C ...] | --report | --list | --benchmark |
                    --verify RUN [RUN ...] | --migrate | --publish |
                    --check)"""


def parser(description: str = DESCRIPTION, name: str = "reproduce.py") -> argparse.ArgumentParser:
    """The command line."""
    p = Parser(
        prog=name,
        description=description,
        epilog=EXAMPLES.replace("python reproduce.py", invocation()),
        usage=f"%(prog)s [-h] {TASKS} [options]\n   or: %(prog)s {EVALUATE} [-h] MODEL [options]",
        formatter_class=Help,
        allow_abbrev=False,
    )
    task = p.add_mutually_exclusive_group(required=True)
    figures = [*EXPERIMENTS, *PICTURES]
    task.add_argument(
        "--figure", type=int, choices=figures, metavar="N", help="figure of the paper to reproduce, 2 to 5"
    )
    task.add_argument("--demo", choices=DEMOS, metavar="NAME", help="what a trained model can do: " + ", ".join(DEMOS))
    studies = "\n".join(f"{name}: {what}" for name, what in STUDIES.items())
    task.add_argument("--study", choices=STUDIES, metavar="NAME", help=studies)
    task.add_argument(
        "--claims", nargs="*", type=str.upper, choices=CLAIMS, metavar="C", help="what the paper says, whether it holds"
    )
    task.add_argument(
        "--report", action="store_true", help="one HTML file with all that the store holds, and a model to take apart"
    )
    task.add_argument("--list", action="store_true", help="what can be reproduced, what is done, what it would cost")
    task.add_argument(
        "--benchmark", action="store_true", help="time the methods and the estimators, some minutes; in a checkout"
    )
    task.add_argument(
        "--verify", nargs="+", metavar="RUN", help="compute stored runs anew, and compare: folder, its name, or id"
    )
    task.add_argument("--migrate", action="store_true", help="bring results of older versions over to this one")
    task.add_argument(
        "--publish", action="store_true", help="maintainers: copy this store's runs into the project's own results"
    )
    task.add_argument("--check", action="store_true", help="short runs against committed values; status 1 on a drift")
    what = p.add_argument_group("what to run")
    what.add_argument(
        "--dataset",
        nargs="+",
        default=(),
        metavar="D",
        help="mnist, frey_face, a .npy/.npz file, or your own loader as package.module:function",
    )
    what.add_argument("--latent", nargs="+", type=whole(1), default=(), metavar="N", help="sizes of z")
    what.add_argument("--train", nargs="+", type=whole(1), default=(), metavar="N", help="training points in figure 3")
    what.add_argument("--points", nargs=2, type=whole(0), metavar=("I", "J"), help="test images to interpolate between")
    what.add_argument(
        "--method",
        nargs="+",
        type=method,
        default=(),
        metavar="M",
        help=f"{', '.join(METHODS)}, or your own learner as package.module:Class; for --claims the one to ask in "
        "AEVB's place, for --verify the code of yours that a run may import",
    )
    what.add_argument(
        "--scale",
        choices=FIGURE2.scales,
        default="quick",
        help="how far to go: smoke (seconds), quick (minutes) or paper (half a day)",
    )
    what.add_argument("--samples", type=whole(1), metavar="N", help="samples for each curve, instead of the scale's")
    what.add_argument(
        "--protocol",
        type=one_value_each,
        default="author",
        metavar="P",
        help="author (default) or paper, and +field=value",
    )
    what.add_argument("--seed", nargs="+", type=whole(0), default=(0,), metavar="S", help="a run for each (0)")
    how = p.add_argument_group("how to run it")
    how.add_argument(
        "--device", nargs="+", choices=["auto", "cpu", "cuda"], default=("auto",), help="several for --benchmark"
    )
    how.add_argument(
        "--engine", choices=["fast", "reference"], default="fast", help="gradients written by hand, or autograd's"
    )
    how.add_argument(
        "--workers", type=whole(1), metavar="N", help="parallel processes (one for each core; for --check one)"
    )
    how.add_argument("--cluster", type=address, metavar="ADDRESS", help="compute on the workers of this Dask scheduler")
    how.add_argument(
        "--results", type=place_of_files, default=Path("results"), metavar="DIR", help="where results are kept"
    )
    how.add_argument(
        "--data", type=place_of_files, metavar="DIR", help="where to look for Frey Face (or AEVB_DATA_DIR)"
    )
    how.add_argument("--plot-only", action="store_true", help="draw what is stored, compute nothing")
    how.add_argument(
        "--force", action="store_true", help="compute finished runs again; --benchmark: time all cases again"
    )
    how.add_argument("--re-estimate", action="store_true", help="figure 3: estimate log p(x) by better means too")
    how.add_argument("--dry-run", action="store_true", help="say what would be computed, and stop")
    how.add_argument("--to-target", action="store_true", help="--benchmark: train ten seeds up to a bound, and resume")
    how.add_argument("--against", metavar="COMMIT", help="--benchmark: measure that commit and this tree in turns")
    how.add_argument(
        "--fail-if-slower", action="store_true", help="--benchmark --against: status 1 where a case is slower"
    )
    how.add_argument("--junit", type=place_of_files, metavar="FILE", help="--check: write JUnit XML too")
    how.add_argument("--update-reference", action="store_true", help="--check: compute the committed values anew")
    return p
