"""The same jobs on a Dask cluster that runs already. Its workers have this package installed; the course is sent to them.

A worker's process keeps the course, unpacked, and one zygote, and grades one file at a time: start workers with
`--nthreads 1`. Dask may deliver a batch twice, which changes nothing: a result is kept under its key.
"""

from __future__ import annotations

import io
import tempfile
import threading
import zipfile
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from distributed import Client, WorkerPlugin, get_worker

from autograd_check.course.files import digest
from autograd_check.errors import AutogradCheckError
from autograd_check.grade.jobs import Graded, Job, Setup
from autograd_check.grade.pool import Workshop

CONNECTING = 15.0
"""Seconds within which a scheduler must answer."""

BUNDLED = ("solutions", "lessons")
PLUGIN = "autograd-check"


class Place(WorkerPlugin):
    """What a worker is given: the course as an archive. A worker that joins later is given it as well."""

    def __init__(self, setup: Setup, bundle: bytes) -> None:
        self.name = f"{PLUGIN} {digest(repr(setup))[:12]} {digest(bundle.hex())[:12]}"
        self.idempotent = True
        self._setup = setup
        self._bundle = bundle
        self._held: _Held | None = None

    def setup(self, worker: Any) -> None:
        """Unpack the course; the workshop opens with the first job."""
        self._held = _Held()
        with zipfile.ZipFile(io.BytesIO(self._bundle)) as archive:
            archive.extractall(self._held.folder.name)

    def teardown(self, worker: Any) -> None:
        """End the zygote and forget the course."""
        if self._held is not None:
            self._held.close()
            self._held = None

    def grade(self, jobs: Sequence[Job]) -> list[Graded]:
        """Grade jobs, one at a time in this process."""
        held = self._held
        if held is None:
            raise RuntimeError("this worker was given no course")
        with held.lock:
            if held.workshop is None:
                held.workshop = Workshop.open(replace(self._setup, root=held.folder.name))
            return [held.workshop.grade(job) for job in jobs]


@dataclass
class _Held:
    """What a worker's process keeps."""

    folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="autograd_check_")
    )
    lock: threading.Lock = field(default_factory=threading.Lock)
    workshop: Workshop | None = None

    def close(self) -> None:
        if self.workshop is not None:
            self.workshop.zygote.close()
        self.folder.cleanup()


def grade_on_worker(plugin: str, jobs: Sequence[Job]) -> list[Graded]:
    """Grade jobs in the workshop of the worker that this runs on."""
    place = get_worker().plugins[plugin]
    if not isinstance(place, Place):
        raise RuntimeError("this worker was given no course")
    return place.grade(jobs)


class Cluster:
    """The workers of a cluster, as a `Crew`. Raises `AutogradCheckError` where the scheduler does not answer."""

    batch = 25

    def __init__(self, address: str, setup: Setup) -> None:
        try:
            self._client = Client(address, timeout=CONNECTING, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise AutogradCheckError(f"no scheduler answers at {address}: {error}") from error
        self._place = Place(setup, bundle(Path(setup.root)))
        self._client.register_plugin(self._place)
        self._executor = self._client.get_executor(retries=2, pure=False)

    @property
    def window(self) -> int:
        """Two batches for every thread that there is now; four where no worker has come yet."""
        return 2 * sum(self._client.nthreads().values()) or 4

    def submit(self, jobs: Sequence[Job]) -> Future[list[Graded]]:
        """Hand out a batch."""
        if self._client.status in ("closed", "closing"):
            raise AutogradCheckError("the scheduler is gone; what was graded is kept, and the same command goes on from there")
        future: Future[list[Graded]] = self._executor.submit(grade_on_worker, self._place.name, jobs)
        return future

    def close(self) -> None:
        """Leave the cluster as it was."""
        if self._client.status == "running":
            self._client.unregister_worker_plugin(self._place.name)
        self._client.close(timeout=CONNECTING)


def bundle(root: Path) -> bytes:
    """The course as an archive of its python files, the same bytes for the same files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in BUNDLED:
            archive.writestr(zipfile.ZipInfo(f"{part}/"), b"")
            for path in sorted((root / part).rglob("*.py")):
                info = zipfile.ZipInfo(path.relative_to(root).as_posix())
                archive.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return packed.getvalue()
