"""Jobs on a Slurm cluster whose machines mount the study's folder, through submitit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from softbridge.study.elsewhere.jobs import Came, Job, attempt, lost


@dataclass(frozen=True)
class Slurm:
    """Submit jobs as one array of Slurm's (https://github.com/facebookincubator/submitit).

    Arguments:
        partition: the partition; null takes the cluster's own choice.
        cpus: cores of a job.
        gpus: GPUs of a job.
        memory: gigabytes of a job; null takes the cluster's own choice.
        minutes: the limit of a job's time; one that reaches it is submitted again, and goes on.
        at_once: the most jobs that run at once.
        retries: how often a job is submitted again that was lost or reached its time.
        cluster: `local` starts processes on this machine, and `debug` runs in this process, to try what will happen.
    """

    name: ClassVar[str] = "slurm"
    package: ClassVar[str] = "submitit"

    partition: str | None = None
    cpus: int = 1
    gpus: int = 0
    memory: int | None = None
    minutes: int = 240
    at_once: int = 256
    retries: int = 3
    cluster: Literal["slurm", "local", "debug"] = "slurm"

    def carry(self, jobs: Sequence[Job], logs: Path) -> Iterator[tuple[Job, Came]]:
        """Yield each job as it ends, with what it came to; its script and output stand in the folder of logs."""
        import submitit

        executor = submitit.AutoExecutor(folder=logs, cluster=self.cluster)
        asked = {"slurm_partition": self.partition, "mem_gb": self.memory, "gpus_per_node": self.gpus or None}
        executor.update_parameters(
            name="softbridge",
            timeout_min=self.minutes,
            cpus_per_task=self.cpus,
            slurm_array_parallelism=self.at_once,
            **{key: value for key, value in asked.items() if value is not None},
        )
        waiting = dict(zip(executor.map_array(attempt, jobs), jobs, strict=True))
        times: Counter[str] = Counter()
        while waiting:
            for handle in submitit.helpers.as_completed(list(waiting)):
                job = waiting.pop(handle)
                try:
                    yield job, handle.result()
                except submitit.core.utils.UncompletedJobError as error:
                    times[str(job.part)] += 1
                    if isinstance(error, submitit.core.utils.FailedJobError):
                        raise  # a defect, with the worker's traceback
                    if times[str(job.part)] > self.retries:
                        yield job, lost(job, times[str(job.part)], str(handle.state))
                    else:
                        waiting[executor.submit(attempt, job)] = job
