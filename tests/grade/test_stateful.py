"""Layers that carry a state: any state, any way of returning it; wrong ones show in a later call; rivals are conventions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from autograd_check.causes import Cause
from autograd_check.course.draws import normal
from autograd_check.course.spec import Convention, Rival, Run, Stateful
from autograd_check.errors import WireError
from autograd_check.grade.context import Context
from autograd_check.grade.kinds import check_task
from autograd_check.requests import StateAfter
from autograd_check.run.decoder import Decoder
from autograd_check.run.encoder import Encoder
from autograd_check.run.in_process import InProcess
from autograd_check.verify.candidate import Point
from autograd_check.verify.finding import Finding, Kind, Status
from tests.probes import probe


def oracle(x: Tensor, state: Any, *, train: bool) -> Any:
    """Training: x minus its mean, and the means add up. Otherwise x minus what they have added up to."""
    total = torch.zeros(x.shape[1], dtype=x.dtype) if state is None else state
    mean = x.mean(0)
    return (x - mean, total + mean.detach()) if train else (x - total, total)


def rival(x: Tensor, state: Any, *, train: bool) -> Any:
    out, new = oracle(x, state, train=train)
    return out, (new + x.mean(0).detach() if train else new)


def run(name: str, *modes: bool) -> Run:
    calls = [probe(f"call {n}", x=normal().of(4 + n, 3), hyper={"train": train}) for n, train in enumerate(modes, 1)]
    return Run(name, tuple(calls))


CENTRE = Stateful(
    "centre",
    ("x",),
    oracle,
    (run("first", True, False), run("second", True, True, False, True, False)),
    rivals=(Rival(Convention(Cause.CONSTANT_FACTOR, "the means are to be added once."), rival),),
    refuses=(
        probe(
            "one row",
            x=normal().of(1, 3),
            hyper={"train": True},
            mentions=(),
            convention=Convention(Cause.NOT_REFUSED, "one row is its own mean."),
        ),
    ),
)


def forward(x: Tensor, state: Any, *, train: bool) -> Any:
    if train and len(x) == 1:
        raise ValueError("one row")
    out, new = oracle(x, state, train=train)
    return out, new, train


def backward(dout: Tensor, train: bool) -> Tensor:
    return dout - dout.mean(0) if train else dout.clone()


def judge(seed: int = 0, **functions: Callable[..., Any]) -> list[Finding]:
    with InProcess.of({"centre_forward": forward, "centre_backward": backward, **functions}) as candidate:
        return check_task(CENTRE, Context(candidate, seed))


def bad(findings: list[Finding]) -> set[tuple[str, str, str]]:
    return {(f.check, f.subject, f.diagnosis.cause if f.diagnosis else "") for f in findings if f.status is Status.FAILED}


def form(arrange: Callable[[Any, Any, Any], Any]) -> Callable[..., Any]:
    def layer(x: Tensor, state: Any, *, train: bool) -> Any:
        return arrange(*forward(x, state, train=train))

    return layer


class Kept:
    def __init__(self, total: Tensor) -> None:
        self.total = total


def with_object(x: Tensor, state: Any, *, train: bool) -> Any:
    out, total, cache = forward(x, None if state is None else state.total, train=train)
    return out, Kept(total), cache


def in_place(x: Tensor, state: Any, *, train: bool) -> Any:
    state = {"total": torch.zeros(x.shape[1], dtype=x.dtype)} if state is None else state
    out, total, cache = forward(x, state["total"].clone(), train=train)
    state["total"].copy_(total)
    return out, {"state": state, "train": cache}


@pytest.mark.parametrize(
    "functions",
    [
        {},
        {"centre_forward": form(lambda out, state, cache: [out, state, cache])},
        {"centre_forward": form(lambda out, state, cache: ((out, state), cache))},
        {"centre_forward": with_object},
        {"centre_forward": in_place, "centre_backward": lambda dout, cache: backward(dout, cache["train"])},
    ],
    ids=["three values", "a list", "a pair and the cache", "an object", "in place, the state in the cache"],
)
def test_every_way_of_returning_the_state_is_accepted(functions: dict[str, Any]) -> None:
    for seed in range(3):
        findings = judge(seed, **functions)
        assert {f.status for f in findings} == {Status.PASSED}, bad(findings)


def wrong(change: Callable[[Tensor, Any, bool], Any] | None) -> Callable[..., Any]:
    """The right layer with another state handed on."""

    def layer(x: Tensor, state: Any, *, train: bool) -> Any:
        out, new, cache = forward(x, state, train=train)
        return out, change(x, state, train) if change else new, cache

    return layer


def test_a_wrong_state_shows_in_a_later_call() -> None:
    lost = judge(centre_forward=wrong(lambda x, state, train: x.mean(0) if train else state))
    assert ("value", "out", "forward_wrong") in bad(lost)
    assert {f.probe for f in lost if f.status is Status.FAILED and f.check == "value"} <= {
        "second: call 3", "second: call 5"
    }  # fmt: skip
    drifting = judge(centre_forward=wrong(lambda x, state, train: oracle(x, state, train=True)[1]))
    assert ("value", "out", "forward_wrong") in bad(drifting)


def test_gradients_are_judged_in_each_mode() -> None:
    assert bad(judge(centre_backward=lambda dout, train: dout - dout.mean(0))) >= {("autograd", "dx", "missing_term")}
    assert bad(judge(centre_backward=lambda dout, train: dout.clone())) >= {("autograd", "dx", "missing_term")}


def test_a_rival_definition_is_a_convention() -> None:
    def twice(x: Tensor, state: Any, *, train: bool) -> Any:
        return *rival(x, state, train=train), train

    findings = judge(centre_forward=twice)
    assert ("definition", "centre_forward", "constant_factor") in bad(findings)
    assert {f.kind for f in findings if f.status is Status.FAILED} == {Kind.CONVENTION}
    message = next(f.message for f in findings if f.check == "definition")
    assert message == "everything is right for another definition: the means are to be added once."
    also_wrong = judge(centre_forward=twice, centre_backward=lambda dout, train: -backward(dout, train))
    assert ("autograd", "dx", "sign") in bad(also_wrong)
    assert "definition" not in {f.check for f in also_wrong}


def test_what_is_to_be_refused() -> None:
    def accepting(x: Tensor, state: Any, *, train: bool) -> Any:
        return *oracle(x, state, train=train), train

    found = [f for f in judge(centre_forward=accepting) if f.status is Status.FAILED]
    assert [f.diagnosis.cause for f in found if f.diagnosis] == ["not_refused"]
    assert found[0].message == "centre_forward accepts x (1, 3), but must raise ValueError: one row is its own mean."


def test_a_layer_that_returns_no_state_is_told_so() -> None:
    findings = judge(centre_forward=form(lambda out, state, cache: (out, cache)))
    assert "centre_forward must return (out, state, cache); it returned 2 values" in findings[0].message
    assert "it returned None" in judge(centre_forward=lambda x, state, *, train: None)[0].message
    assert "it returned one Tensor" in judge(centre_forward=lambda x, state, *, train: x)[0].message


def test_unwritten_and_missing_functions() -> None:
    def unwritten(x: Tensor, state: Any, *, train: bool) -> Any:
        raise NotImplementedError

    assert {f.status for f in judge(centre_forward=unwritten)} == {Status.TODO}
    with InProcess.of({"other": forward}) as candidate:
        assert {f.check for f in check_task(CENTRE, Context(candidate, 0))} == {"defined"}


def test_a_state_after_calls_crosses_the_boundary() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    encoder = Encoder()
    body = encoder.encode(StateAfter((Point({"x": x}, {"train": True}), Point({"x": x + 1}, {"train": False}))))
    entries, pieces, _ = encoder.table()
    table, payload = json.loads(json.dumps(entries)), bytearray(b"".join(pieces))
    back = Decoder(table, payload, reply=False).decode(body)
    assert isinstance(back, StateAfter)
    assert [point.hyper for point in back.calls] == [{"train": True}, {"train": False}]
    assert torch.equal(back.calls[1].primals["x"], x + 1)
    with pytest.raises(WireError, match="known kind"):
        Decoder(table, payload).decode(body)


def test_two_layers_have_a_state_each() -> None:
    kept: dict[str, Any] = {}

    def singleton(x: Tensor, state: Any, *, train: bool) -> Any:
        if state is None:
            kept["total"] = None
        out, kept["total"], cache = forward(x, kept["total"], train=train)
        return out, "my state", cache

    findings = judge(centre_forward=singleton)
    assert {cause for _, _, cause in bad(findings)} == {"stale_state"}
    (found,) = [f for f in findings if f.status is Status.FAILED and f.kind is Kind.VALUE]
    assert found.probe == "two layers in turn"
    assert found.diagnosis is not None
    assert "each must have a state of its own" in found.diagnosis.says
