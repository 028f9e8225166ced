"""Hand-written gradients, verified and explained. The public names; importing this package does not import torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from autograd_check.errors import AutogradCheckError, CourseError, SubmissionError

if TYPE_CHECKING:
    from autograd_check.api import check_vjp, compare, gradcheck, gradcheck_all, gradgradcheck
    from autograd_check.report.gradient_error import GradientError
    from autograd_check.report.result import Report, Reports
    from autograd_check.verify.finding import Diagnosis, Finding, Mismatch, Status

__all__ = [
    "AutogradCheckError",
    "CourseError",
    "Diagnosis",
    "Finding",
    "GradientError",
    "Mismatch",
    "Report",
    "Reports",
    "Status",
    "SubmissionError",
    "check_vjp",
    "compare",
    "gradcheck",
    "gradcheck_all",
    "gradgradcheck",
]

_HOMES = {
    "check_vjp": "api",
    "compare": "api",
    "gradcheck": "api",
    "gradcheck_all": "api",
    "gradgradcheck": "api",
    "GradientError": "report.gradient_error",
    "Report": "report.result",
    "Reports": "report.result",
    "Diagnosis": "verify.finding",
    "Finding": "verify.finding",
    "Mismatch": "verify.finding",
    "Status": "verify.finding",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: the mathematics needs torch, a course's status does not."""
    if name in _HOMES:
        globals()[name] = found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
