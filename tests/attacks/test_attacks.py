"""Files that try to be graded well without being right, or to take the grader down. Each is run; nothing is believed.

Every attack returns a gradient of zeros. It has failed if the grader still receives exactly that, or a clear failure; if
the grader's own functions, files and processes are as before; and if the next honest file gets its honest answer.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from autograd_check.run.deadline import PATIENCE
from autograd_check.run.zygote import Zygote
from autograd_check.verify import finding
from autograd_check.verify.candidate import Point, Question
from autograd_check.verify.tensors import equal_bits

ZEROS = """
import torch
def f_forward(x): return x * x, x
def f_backward(dout, cache): return torch.zeros_like(dout)
"""

DEADLINE = 0.4
"""Seconds of processor time: what loops without end uses them up."""

HONEST = """
def f_forward(x): return x * x, x
def f_backward(dout, x): return 2 * x * dout
"""

PATCHES = {
    "torch.allclose and torch.equal": "torch.allclose = torch.equal = torch.isclose = lambda *a, **k: True",
    "Tensor comparisons": "torch.Tensor.__eq__ = torch.Tensor.__ne__ = torch.Tensor.__lt__ = lambda *a: True",
    "torch.zeros_like": "torch.zeros_like = lambda d: d",
    "builtins": "import builtins\nbuiltins.abs = builtins.max = builtins.all = lambda *a, **k: True",
    "numpy": "import numpy\nnumpy.testing.assert_allclose = numpy.allclose = lambda *a, **k: True",
    "sys.modules": "import sys\nfor n in [n for n in sys.modules if n.startswith('autograd_check')]: sys.modules[n] = None",
    "autograd_check itself": (
        "import autograd_check.verify.finding as m\nm.Finding = m.Status = None\n"
        "import autograd_check.verify.candidate as c\nc.Outcome.ok = property(lambda self: True)"
    ),
    "the session's class": "import autograd_check.run.caller as s\ns.Session.vjp = lambda *a, **k: None",
    "atexit handlers": 'import atexit\natexit.register(lambda: print(\'{"status": "passed"}\'))',
    "printed verdicts": 'print(\'{"schema": 1, "lessons": [{"status": "passed", "score": 10}]}\')',
    "signal handlers": "import signal\nfor n in (2, 14, 15): signal.signal(n, signal.SIG_IGN)",
    "default dtype": "torch.set_default_dtype(torch.float16)",
    "exit hooks and excepthook": "import sys\nsys.excepthook = sys.unraisablehook = lambda *a: None",
    "tracing": "import sys\nsys.settrace(lambda *a: None)",
    "environment": "import os\nos.environ['PYTEST_CURRENT_TEST'] = 'passed'",
}

WRECKS = {
    "os._exit(0)": ("import os\nos._exit(0)", {"exited"}),
    "os._exit(3)": ("import os\nos._exit(3)", {"exited"}),
    "sys.exit": ("import sys\nsys.exit(0)", {"exited"}),
    "segmentation fault": ("import ctypes\nctypes.string_at(0)", {"died"}),
    "abort": ("import os\nos.abort()", {"died"}),
    "its own SIGKILL": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", {"died"}),
    "closed descriptors": ("import os\nos.closerange(0, 200)\nwhile True: pass", {"died"}),
    "endless loop": ("while True: pass", {"timed_out"}),
    "endless loop that swallows": ("while True:\n    try: pass\n    except BaseException: pass", {"timed_out"}),
    "endless loop in C": ("list(iter(int, 1))", {"timed_out", "crashed"}),
    "one long operation in C": ("import torch\nwhile True: torch.ones(3000, 3000) @ torch.ones(3000, 3000)", {"timed_out"}),
    "huge tensor": ("import torch\ntorch.ones(1 << 34)", {"crashed"}),
    "huge list": ("x = [0]\nwhile True: x += x", {"crashed", "died", "timed_out"}),
    "deep recursion": ("f = lambda: f()\nf()", {"crashed"}),
    "fork bomb": ("import os\nwhile True: os.fork()", {"crashed", "timed_out"}),
    "threads without end": (
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,)).start()",
        {"crashed", "timed_out"},
    ),
    "huge file": ("open('/tmp/autograd_check_attack', 'w').write('x' * (1 << 26))", {"crashed"}),
    "rubbish on every descriptor": (
        "import os\nfor fd in range(64):\n    try: os.write(fd, b'passed' * 100)\n    except OSError: pass",
        {"died"},
    ),
    "a frame of 2**60 bytes": (
        "import os, struct\nfor fd in range(3, 64):\n    try: os.write(fd, struct.pack('<4sIQ', b'AGC1', 10, 1 << 60))\n"
        "    except OSError: pass",
        {"crashed"},
    ),
    "a forged verdict in a frame": (
        "import os, json, struct\nbody = json.dumps({'table': [], 'body': {'dict': [['status', 'passed']]}}).encode()\n"
        "for fd in range(3, 64):\n    try: os.write(fd, struct.pack('<4sIQ', b'AGC1', len(body), 0) + body)\n"
        "    except OSError: pass",
        {"died"},
    ),
    "a pickle in a frame": (
        "import os, struct, pickle\nbody = pickle.dumps(print)\n"
        "for fd in range(3, 64):\n    try: os.write(fd, struct.pack('<4sIQ', b'AGC1', len(body), 0) + body)\n"
        "    except OSError: pass",
        {"died"},
    ),
    "json nested without end": (
        "import os, struct\nbody = b'[' * 200_000\n"
        "for fd in range(3, 64):\n    try: os.write(fd, struct.pack('<4sIQ', b'AGC1', len(body), 0) + body)\n"
        "    except OSError: pass",
        {"died"},
    ),
    "output without end": ("import os\nwhile True:\n    print('x' * 9999)\n    os.write(1, b'x' * 9999)", {"timed_out"}),
}

IDLE = {
    "sleep": "import time\ntime.sleep(1000)",
    "stopped process": "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)",
}


def point() -> Any:
    return Point({"x": torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)})


DOUT = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


def grader_state() -> Any:
    """What an attack must not move: functions that verdicts rest on, files, descriptors, handlers."""
    return (
        torch.equal,
        torch.allclose,
        torch.Tensor.__eq__,
        torch.zeros_like,
        torch.get_default_dtype(),
        abs,
        sys.modules["autograd_check.verify.finding"] is finding,
        signal.getsignal(signal.SIGINT),
        dict(os.environ),
        sorted(os.listdir(".")),
        len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0,
    )


def honest_answer(zygote: Zygote) -> Any:
    with zygote.candidate(HONEST, "honest.py", deadline=20.0) as candidate:
        outcome = candidate.vjp("f_forward", "f_backward", point(), [DOUT])
    return outcome.ok and torch.equal(outcome.value[1][0], 2 * point().primals["x"] * DOUT)


@pytest.mark.parametrize("patch", PATCHES.values(), ids=PATCHES.keys())
def test_patches_stay_on_their_side(zygote: Zygote, patch: Any) -> None:
    before = grader_state()
    with zygote.candidate(f"{ZEROS}\n{patch}\n", "attack.py", deadline=10.0) as candidate:
        outcome = candidate.vjp("f_forward", "f_backward", point(), [DOUT])
    assert outcome.failure is not None or not torch.equal(outcome.value[1][0], 2 * point().primals["x"] * DOUT)
    assert grader_state() == before
    assert honest_answer(zygote)


@pytest.mark.parametrize(
    ("code", "causes", "patience"),
    [(*wreck, PATIENCE) for wreck in WRECKS.values()] + [(code, {"timed_out"}, 1.0) for code in IDLE.values()],
    ids=[*WRECKS, *IDLE],
)
@pytest.mark.parametrize("when", ["while loading", "while called"])
def test_wrecks_are_failures_and_nothing_else(zygote: Zygote, code: str, causes: Any, patience: Any, when: str) -> None:
    before = grader_state()
    body = "\n".join(f"    {line}" for line in code.splitlines())
    source = f"{ZEROS}\ndef wreck():\n{body}\n" + ("wreck()\n" if when == "while loading" else "")
    with zygote.candidate(source, "attack.py", deadline=DEADLINE, patience=patience) as candidate:
        outcome = candidate.loaded() if when == "while loading" else candidate.call("wreck", [])
    assert outcome.failure is not None
    assert outcome.failure.cause in causes
    assert outcome.failure.says
    assert grader_state() == before
    assert honest_answer(zygote)
    assert not Path("/tmp/autograd_check_attack").exists() or Path("/tmp/autograd_check_attack").stat().st_size == 0


def test_the_zygote_cannot_be_killed_where_the_kernel_confines(zygote: Zygote) -> None:
    """Neither with a user of its own nor as the grader's user; below layer 1 the zygote is started again."""
    source = "import os, signal\ndef f(): os.kill(os.getppid(), signal.SIGKILL)\n"
    with zygote.candidate(source, "attack.py", deadline=5.0) as candidate:
        failure: Any = candidate.call("f", []).failure
    if os.geteuid() == 0 or zygote.confinement.level:
        assert (failure.cause, failure.exception) == ("crashed", "PermissionError")
    assert honest_answer(zygote)


def test_a_process_left_behind_is_ended(zygote: Zygote, tmp_path: Path) -> None:
    """A grandchild in a session of its own, where the system lets one be made at all."""
    source = (
        "import os, time\ndef leave():\n    try: pid = os.fork()\n    except OSError: return 0\n"
        "    if pid == 0:\n        os.setsid()\n        if os.fork() == 0: time.sleep(60)\n        os._exit(0)\n"
        "    os.waitpid(pid, 0)\n    return pid\n"
    )
    with zygote.candidate(source, "attack.py", deadline=5.0) as candidate:
        leader = candidate.call("leave", []).value
    assert leader == 0 or not any(_session_of(process) == leader for process in Path("/proc").glob("[0-9]*"))


def _session_of(process: Any) -> Any:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[3])
    except (OSError, IndexError):
        return -1


def test_answers_sent_ahead_do_not_match(zygote: Zygote) -> None:
    """The student answers the next request before it is asked: the number of the request is not known yet."""
    source = (
        "import os\nfrom autograd_check.run.wire import pack, REPLY\n"
        "def f():\n"
        "    body = {'id': '0' * 16, 'outcome': {'value': 1.0, 'failure': None, 'changed': [], 'aliases': [], 'printed': ''}}\n"
        "    data = b''.join(pack(body, REPLY))\n"
        "    for fd in range(3, 64):\n        try: os.write(fd, data)\n        except OSError: pass\n"
        "    return 2.0\n"
    )
    with zygote.candidate(source, "attack.py", deadline=5.0) as candidate:
        failure: Any = candidate.call("f", []).failure
    assert failure.cause == "died"
    assert failure.says == "its process sent something that is no answer: expected the answer to the request in hand"


def test_a_forged_answer_is_data_of_the_expected_form_or_nothing(zygote: Zygote) -> None:
    """The student replaces the code that answers: what arrives is still checked before anybody unpacks it."""
    source = (
        "import gc\nfrom autograd_check.run.caller import Session\nfrom autograd_check.verify.candidate import Outcome\n"
        "Session.vjp = lambda self, **k: Outcome(value='passed')\n"
        "Session.sweep = lambda self, **k: Outcome(value=[('passed',)])\n"
        "def f_forward(x): return x, x\n"
    )
    for ask in ("vjp", "sweep"):
        with zygote.candidate(source, "attack.py", deadline=5.0) as candidate:
            given = ("f_forward", "f_backward", point(), [DOUT]) if ask == "vjp" else ("f_forward", [point()])
            failure = getattr(candidate, ask)(*given).failure
        assert failure.cause == "died"
        assert failure.says == f"its process sent something that is no answer: expected the value of a {ask}, got another form"


def test_secrets_of_the_environment_do_not_reach_the_student(zygote: Zygote) -> None:
    source = "import os\ndef f(): return sorted(os.environ)\n"
    with zygote.candidate(source, "attack.py") as candidate:
        names = candidate.call("f", []).value
    assert set(names) <= {"PATH", "LANG", "LC_ALL", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LC_CTYPE"}


AHEAD = {
    "changes the questions that it finds in memory": """
import gc, sys
frame = sys._getframe()
while frame:
    for found in [*frame.f_locals.values(), *gc.get_objects()]:
        if type(found).__name__ == "Point":
            for value in found.primals.values():
                if isinstance(value, torch.Tensor): value.zero_()
        if isinstance(found, dict) and found.get("ask") == "vjp" and "with" in found: found["with"]["douts"] = []
    frame = frame.f_back
""",
    "answers the questions that wait in its channel": r"""
import json, os, re, struct, time
time.sleep(0.3)
for fd in range(3, 64):
    try: os.set_blocking(fd, False); waiting = os.read(fd, 1 << 16)
    except OSError: continue
    for number in re.findall(rb'"id",\s*"([0-9a-f]+)"', waiting):
        value = {"dict": [["value", {"tuple": [1.0, [1.0]]}], ["failure", None], ["changed", []], ["spoilt", []], ["aliases", []], ["printed", ""]]}
        body = json.dumps({"table": [], "body": {"dict": [["id", number.decode()], ["outcome", value]]}}).encode()
        os.write(fd, struct.pack("<4sIQ", b"AGC1", len(body), 0) + body)
""",
}


@pytest.mark.parametrize("attack", AHEAD.values(), ids=AHEAD.keys())
def test_questions_that_a_process_holds_before_they_are_asked(zygote: Zygote, attack: Any) -> None:
    """Each process has its own copy of them, and an answer to one is data like any other."""
    given = {"forward": "f_forward", "backward": "f_backward", "point": point(), "douts": [DOUT]}
    asked = Question("vjp", {**given, "share_cache": False, "between": None, "wrt": ("x",)})
    before, right = grader_state(), 2 * point().primals["x"] * DOUT
    for _ in range(2):
        with zygote.candidate(f"{ZEROS}\n{attack}\n", "attack.py", deadline=5.0, patience=5.0) as candidate:
            candidate.expect([asked])
            assert len(candidate._ahead) == 1
            outcome = candidate.ask(asked)
        assert outcome.failure is not None or not equal_bits(outcome.value[1][0], right)
    with zygote.candidate(HONEST, "honest.py") as candidate:
        candidate.expect([asked])
        assert len(candidate._ahead) == 1
        assert torch.equal(candidate.ask(asked).value[1][0], right)
    assert grader_state() == before
