"""Points for tests of single tasks, written short."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograd_check.course.probe import Convention, Probe, Sample


def probe(
    name: str,
    *,
    hyper: Mapping[str, Any] | None = None,
    convention: Convention | None = None,
    mentions: tuple[str, ...] | None = None,
    **primals: Sample,
) -> Probe:
    """A `Probe` whose primals are written as keywords: `probe("batch of one", x=normal().of(1, 3))`."""
    return Probe(name, primals, dict(hyper or {}), convention, mentions)
