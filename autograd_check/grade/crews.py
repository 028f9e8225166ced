"""Who does the jobs of a class: processes of this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from autograd_check.grade.jobs import Setup
from autograd_check.grade.pool import Crew, LocalPool


@contextmanager
def hired(setup: Setup, jobs: int, scheduler: str | None = None) -> Iterator[Crew]:
    """A crew until the end of the block; then everybody is sent home at once, whatever they are doing.

    Raises `AutogradCheckError` where the scheduler does not answer, `ModuleNotFoundError` without the extra `cluster`.
    """
    crew: Crew
    if scheduler is None:
        crew = LocalPool(setup, jobs)
    else:
        from autograd_check.grade.cluster import Cluster  # an extra

        crew = Cluster(scheduler, setup)
    try:
        yield crew
    finally:
        crew.close()
