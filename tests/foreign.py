"""What is read of a run that others may have changed."""

from harness.experiments.paper import FIGURE2
from harness.runs.job import Job
from harness.store.collect import collect
from harness.store.scan import newest_array
from harness.store.shelves import Shelves, state_of


def look_at(job: Job) -> None:
    """What `--list` and figures read of a run: nothing is raised."""
    folder, shelves = job.folder, Shelves(job.root.parent)
    shelves.curves(FIGURE2, job.config.protocol, {})
    newest_array([folder])
    collect([folder], ("dataset",), "lower_bound")
    state_of(folder), folder.device_type(), folder.model_samples(), folder.estimated_samples()
