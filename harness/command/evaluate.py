"""`aevb evaluate`: log p(x) of somebody's model, or of a stored one, by every estimator; is a likelihood right?"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aevb.errors import UserError
from aevb.places import did_you_mean_place, is_place, strangers_code
from harness.command.parsing import EVALUATE, Help, Parser, place_of_files, whole
from harness.store.columns import fold, format_table
from harness.store.files import unusable
from harness.store.invocation import invocation, program

if TYPE_CHECKING:  # options are read, and refused, before anything that takes seconds to import
    import pandas as pd

    from aevb.evaluation import Evaluation

DESCRIPTION = "Estimate log p(x) of a model by every estimator that it allows, with errors, and whether to trust them."
EXAMPLES = """examples:
  python reproduce.py evaluate factors:model --data rows.npy
      your own model, the module factors.py in this folder
  python reproduce.py evaluate mnist-nz2-aevb-seed0 --points 50
      a run that is stored, on the test points of its data

what is at MODEL, or returned when that is called without arguments:
  an object with log_joint(x, z), a number for each z, and n_latent;
  or that and q(z|x), a function from x to (mean, log_var) or to a
  Normal or MultivariateNormal of torch.distributions
"""
TELLS = (
    "log p(x): nats, mean over the points; ±: its error by the finite number of draws; over points: the standard error "
    "by the finite number of points; ESS: median. Untrusted estimates are in the mean too; points without an estimate "
    "are not."
)
RESULTS = Path("results")
SURE = 3.0  # standard errors


def parser(name: str) -> argparse.ArgumentParser:
    """The command line of `evaluate`."""
    p = Parser(
        prog=f"{name} {EVALUATE}", description=DESCRIPTION, formatter_class=Help, allow_abbrev=False,
        epilog=EXAMPLES.replace("python reproduce.py", invocation()),
    )  # fmt: skip
    p.add_argument("model", metavar="MODEL", help="package.module:name of a model, or a run: folder, its name, or id")
    p.add_argument(
        "--data",
        metavar="D",
        help=".npy file, whose rows may be any numbers, or what --dataset takes: its test points; of a run on Frey "
        "Face also the folder of frey_rawface.mat",
    )
    p.add_argument(
        "--points", type=whole(1), metavar="N", help="how many rows, the first ones (20, or as many as there are)"
    )
    p.add_argument("--samples", type=whole(25), default=1000, metavar="K", help="draws for each point (1000)")
    p.add_argument(
        "--temperatures", type=whole(2), default=300, metavar="T", help="of annealed importance sampling, AIS (300)"
    )
    p.add_argument("--chains", type=whole(2), default=16, metavar="C", help="of AIS, for each point (16)")
    p.add_argument("--seed", type=whole(0), default=0, metavar="S", help="of the draws (0)")
    p.add_argument("--results", type=place_of_files, default=RESULTS, metavar="DIR", help="where the run is kept")
    p.add_argument("--decoder", metavar="P", help="package.module:Class of the run's decoder, where it is yours")
    p.add_argument("--csv", type=place_of_files, metavar="FILE", help="write every point's estimates too")
    return p


def main(arguments: Sequence[str]) -> int:
    """Run `evaluate`; returns the exit status: 0 done, 2 wrong request, 130 interrupted."""
    try:
        _evaluate(parser(program()).parse_args(arguments))
    except UserError as error:
        print(f"{program()}: error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.filename is None:  # of a stream
            raise
        print(f"{program()}: error: {unusable(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command begins anew", file=sys.stderr)
        return 130
    return 0


def _evaluate(options: argparse.Namespace) -> None:
    import torch

    from aevb.evaluation import evaluate
    from aevb.marginal.annealing import Annealing, sigmoidal_schedule
    from harness.command import subject
    from harness.command.refusals import check_results
    from harness.command.waiting import waiting
    from harness.runs.streams import stream
    from harness.store.files import check_file, write_text

    if options.csv is not None:
        check_file(options.csv, "--csv", b"point,estimator,")
    check_results(options.results)
    if is_place(options.model):
        if options.decoder is not None or options.results != RESULTS:
            raise UserError("--decoder and --results are for a run, and MODEL is a place: leave them out")
        model, q, x = subject.from_place(options.model, options.data, options.points)
    elif ":" in options.model:
        raise UserError(
            f"MODEL must be package.module:name, of letters, digits and underscores, or a run, got {options.model!r}: "
            f"put it in a file of this folder, and name it so{did_you_mean_place(options.model)}"
        )
    else:
        if options.results != RESULTS and not options.results.is_dir():
            raise UserError(
                f"--results must name a folder that is there, for here a run is only read, got {options.results}: "
                "correct it, or leave it out"
            )
        model, q, x = subject.from_run(options.model, options.data, options.points, options.results, options.decoder)
    torch.set_num_threads(1)  # numbers repeat, and small models are no slower
    with (
        waiting() as tell,
        strangers_code(
            lambda what: UserError(f"a model must be evaluated wherever z is; {options.model} raised {what}: mend it")
        ),
    ):
        annealing = Annealing(sigmoidal_schedule(options.temperatures), n_chains=options.chains)
        draws = stream(EVALUATE, options.seed)
        found = evaluate(model, x, draws, q=q, n_samples=options.samples, annealing=annealing, on_progress=tell)
    print(format_table(tabulate(found)))
    if found.bound is not None and found.bound_error is not None:
        error = float(found.bound_error.square().sum().sqrt()) / len(found.bound)
        print(f"lower bound by q: {_with_error(float(found.bound.mean()), error)} nats")
    print(*map(fold, verdicts(found)), fold(TELLS), sep="\n")
    if options.csv is not None:
        write_text(options.csv, by_point(found).to_csv(index=False))
        print(f"wrote {options.csv}")


def tabulate(found: "Evaluation") -> "pd.DataFrame":
    """As text, a row for each estimator."""
    import pandas as pd

    rows = []
    for name, each in found.estimates.items():
        there = ~each.log_likelihood.isnan()
        value, n, of = each.log_likelihood[there], int(there.sum()), len(there)
        error = float(each.standard_error[there].square().sum().sqrt()) / n if n else math.nan
        rows.append(
            {
                "estimator": name,
                "log p(x)": f"{float(value.mean()):.3f}" if n else "–",
                "±": f"{error:.2g}" if n else "–",
                "over points": f"{float(value.std()) / math.sqrt(n):.2g}" if n > 1 else "–",
                "ESS": f"{float(each.ess[there].median()):.0f}" if n else "–",
                "trusted": f"{int(each.trusted.sum())} of {of}" + (f", {of - n} without" if n < of else ""),
            }
        )
    return pd.DataFrame(rows)


def by_point(found: "Evaluation") -> "pd.DataFrame":
    """Columns point, estimator, log_likelihood and standard_error (nats), ess, trusted; the bound as an estimator."""
    import pandas as pd

    parts = [
        pd.DataFrame(
            {
                "point": range(len(each.trusted)), "estimator": name,
                **{field: getattr(each, field).numpy()
                   for field in ("log_likelihood", "standard_error", "ess", "trusted")},
            }
        )
        for name, each in found.estimates.items()
    ]  # fmt: skip
    if found.bound is not None and found.bound_error is not None:
        nats = {"log_likelihood": found.bound.numpy(), "standard_error": found.bound_error.numpy()}
        parts.append(pd.DataFrame({"point": range(len(found.bound)), "estimator": "lower bound", **nats}))
    return pd.concat(parts, ignore_index=True)


def verdicts(found: "Evaluation") -> list[str]:
    """Which estimators disagree, by three standard errors; where none do, the two that are farthest apart."""
    known = [row for row in found.apart() if not math.isnan(row[2])]
    if not known:
        return [
            "no two estimators are trusted at one point: take more --samples and --temperatures, or a q closer to the "
            "posterior"
        ]
    lines = {abs(off) / error: f"{one} − {other} is {_with_error(off, error)} nats" for one, other, off, error in known}
    if apart := [line for sigmas, line in lines.items() if sigmas > SURE]:
        return [f"estimators DISAGREE where both are trusted: {line}" for line in apart]
    return [f"estimators agree where they are trusted; farthest apart: {lines[max(lines)]}"]


def _with_error(value: float, error: float) -> str:
    return f"{value:.3f} ± {error:.2g}"
