"""Lessons as data: what a lesson asks, how its course is loaded, and the files that students get.

The words of a lesson's specification are imported from here, `from autograd_check.course import Layer, Lesson, at, edit`, when
they are first asked for: a course at a glance needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograd_check.causes import Cause
    from autograd_check.course.claims import (
        Claim,
        Planted,
        Properties,
        Property,
        Unanswered,
        agrees,
        all_hold,
        answer,
        close,
        flat,
        number,
        two,
    )
    from autograd_check.course.draws import (
        away_from_zero,
        columns,
        distinct,
        half_zeros,
        integers,
        labels,
        nest,
        normal,
        rows_of_probability,
        shaped,
        transposed,
        uniform,
    )
    from autograd_check.course.networks import network, relu_network
    from autograd_check.course.regimes import (
        CONVOLUTIONS,
        DROPOUTS,
        ELEMENTWISE,
        NORMALISATIONS,
        PAIRS,
        POOLINGS,
        POOLS,
        ROWS,
        SMOOTH,
        VIEWS,
        WINDOWS,
    )
    from autograd_check.course.spec import (
        UNSEEN_INDEX,
        UNSEEN_STATE,
        UNSEEN_TERM,
        Benchmark,
        Checker,
        Initialiser,
        Lesson,
        Scalar,
        Specimen,
        WriteTheTest,
        drop,
        edit,
        planted,
        standard,
        variant,
        wrong,
    )
    from autograd_check.course.tasks import Layer, Plain, Stateful, Stochastic, UpdateRule, rival
    from autograd_check.course.trains import He, Trains, line, reaches, two_classes
    from autograd_check.course.words import at, convention, edge, mismatched, reach, refused, run, stability

__all__ = [
    "CONVOLUTIONS",
    "DROPOUTS",
    "ELEMENTWISE",
    "NORMALISATIONS",
    "PAIRS",
    "POOLINGS",
    "POOLS",
    "ROWS",
    "SMOOTH",
    "UNSEEN_INDEX",
    "UNSEEN_STATE",
    "UNSEEN_TERM",
    "VIEWS",
    "WINDOWS",
    "Benchmark",
    "Cause",
    "Checker",
    "Claim",
    "He",
    "Initialiser",
    "Layer",
    "Lesson",
    "Plain",
    "Planted",
    "Properties",
    "Property",
    "Scalar",
    "Specimen",
    "Stateful",
    "Stochastic",
    "Trains",
    "Unanswered",
    "UpdateRule",
    "WriteTheTest",
    "agrees",
    "all_hold",
    "answer",
    "at",
    "away_from_zero",
    "close",
    "columns",
    "convention",
    "distinct",
    "drop",
    "edge",
    "edit",
    "flat",
    "half_zeros",
    "integers",
    "labels",
    "line",
    "mismatched",
    "nest",
    "network",
    "normal",
    "number",
    "planted",
    "reach",
    "reaches",
    "refused",
    "relu_network",
    "rival",
    "rows_of_probability",
    "run",
    "shaped",
    "stability",
    "standard",
    "transposed",
    "two",
    "two_classes",
    "uniform",
    "variant",
    "wrong",
]

_HOMES = {
    "autograd_check.causes": "Cause",
    "autograd_check.course.claims": "Claim Planted Properties Property Unanswered agrees all_hold answer close flat number two",
    "autograd_check.course.draws": "away_from_zero columns distinct half_zeros integers labels nest normal rows_of_probability shaped transposed uniform",
    "autograd_check.course.networks": "network relu_network",
    "autograd_check.course.regimes": "CONVOLUTIONS DROPOUTS ELEMENTWISE NORMALISATIONS PAIRS POOLINGS POOLS ROWS SMOOTH VIEWS WINDOWS",
    "autograd_check.course.spec": "UNSEEN_INDEX UNSEEN_STATE UNSEEN_TERM Benchmark Checker Initialiser Lesson Scalar Specimen WriteTheTest drop edit planted standard variant wrong",
    "autograd_check.course.tasks": "Layer Plain Stateful Stochastic UpdateRule rival",
    "autograd_check.course.trains": "He Trains line reaches two_classes",
    "autograd_check.course.words": "at convention edge mismatched reach refused run stability",
}


def __getattr__(name: str) -> Any:
    """Import a word when it is first asked for."""
    for home, names in _HOMES.items():
        if name in names.split():
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
