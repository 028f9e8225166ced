"""Cases with tensors that are not contiguous: what a slice or a transpose of a user's array is, and `.view` may not take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from autograd_check.verify.case import Case
from autograd_check.verify.tree import is_tensor, leaves, map_tensors


def non_contiguous(tensor: Tensor) -> Tensor:
    """The same entries in other memory: axes stored in reverse order, or every second entry of a longer buffer.

    A tensor with fewer than two entries has no other layout and stays as it is.
    """
    if tensor.numel() < 2:
        return tensor
    backwards = tuple(reversed(range(tensor.dim())))
    turned = tensor.permute(backwards).contiguous().permute(backwards)
    return torch.stack([tensor, tensor], -1)[..., 0] if turned.is_contiguous() else turned


def non_contiguous_cases(cases: Sequence[Case]) -> Iterator[Case]:
    """For every combination of ranks among ordinary cases, the first case of these ranks again with such tensors.

    Nothing for ranks of which some case has them already, and nothing where no tensor has another layout. A difference means
    what it means in the first of the cases that have them: an error, or a breach of that case's convention.
    """
    given = [case for case in cases if not is_contiguous(case)]
    meaning = given[0] if given else cases[0]
    seen = {_ranks(case) for case in given}
    for case in (case for case in cases if case.convention is None):
        point = replace(case.point, primals={name: map_tensors(non_contiguous, v) for name, v in case.point.primals.items()})
        if _ranks(case) not in seen and not is_contiguous(other := replace(case, point=point)):
            seen.add(_ranks(case))
            name = f"{case.name}, non-contiguous"
            yield replace(other, name=name, convention=meaning.convention, reach=meaning.reach)


def _tensors(case: Case) -> list[Any]:
    return [leaf for leaf in leaves(dict(case.point.primals)) if is_tensor(leaf)]


def _ranks(case: Case) -> tuple[int, ...]:
    return tuple(tensor.dim() for tensor in _tensors(case))


def is_contiguous(case: Case) -> bool:
    """Whether all tensors of a case are."""
    return all(tensor.layout is not torch.strided or tensor.is_contiguous() for tensor in _tensors(case))
