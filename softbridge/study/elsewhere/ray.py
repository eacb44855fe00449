"""Jobs on Ray: on the cores of this machine, or on a cluster whose machines mount the study's folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from softbridge.study.elsewhere.jobs import Came, Job, attempt, lost


@dataclass(frozen=True)
class Ray:
    """Carry jobs out as Ray's tasks (Moritz et al., OSDI 2018; https://docs.ray.io).

    Ray itself runs a task again whose worker is lost.

    Arguments:
        address: the cluster's; null takes that of RAY_ADDRESS, and starts Ray on this machine where there is none.
        cpus: cores of a job.
        gpus: GPUs of a job; 0.5 lets two jobs share one.
        retries: how often a job runs again whose worker was lost.
    """

    name: ClassVar[str] = "ray"
    package: ClassVar[str] = "ray"

    address: str | None = None
    cpus: int = 1
    gpus: float = 0.0
    retries: int = 3

    def carry(self, jobs: Sequence[Job], logs: Path) -> Iterator[tuple[Job, Came]]:
        """Yield each job as it ends, with what it came to; Ray keeps its logs in a place of its own."""
        import ray

        if not ray.is_initialized():
            ray.init(address=self.address, log_to_driver=False, include_dashboard=False)
        needs: dict[str, Any] = {"num_cpus": self.cpus, "num_gpus": self.gpus, "max_retries": self.retries}
        task = ray.remote(**needs)(attempt)
        waiting = {task.remote(job): job for job in jobs}
        while waiting:
            (done, *_), _ = ray.wait(list(waiting), num_returns=1)
            job = waiting.pop(done)
            try:
                yield job, ray.get(done)
            except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError) as error:
                yield job, lost(job, self.retries + 1, type(error).__name__)
