"""Hostile submissions, each a file in `hostile/`, against the real sandbox.

What must hold for each of them: it wins nothing (`attack()` returns what it managed to do: an empty list), or it fails for one
of the causes beside its name; no verdict is forged; no file is written, no socket opened, no process left; and the same zygote
then grades a right submission right.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from autograd_check.run import bubblewrap, confine
from autograd_check.run.zygote import Zygote
from tests.attacks.test_attacks import DOUT, ZEROS, grader_state, honest_answer, point
from tests.support import children, comes_true

HERE = Path(__file__).parent / "hostile"

HOSTILE: dict[str, tuple[str, ...]] = {
    "write_files": (),
    "change_files": (),
    "links": (),
    "open_for_writing_by_number": (),
    "temporary_files": (),
    "read_specifications": (),
    "read_secrets": (),
    "read_proc": (),
    "environment": (),
    "sockets": (),
    "network_by_libraries": (),
    "send_to_an_address": (),
    "forks": ("crashed",),
    "execve": (),
    "threads": ("crashed", "died", "exited"),
    "signals_to_others": (),
    "signals_by_number": (),
    "signals_many": (),
    "ptrace": (),
    "memory_of_others": (),
    "kernel_doors": (),
    "namespaces": (),
    "privileges": (),
    "limits_of_others": (),
    "descriptors": (),
    "shared_memory": (),
    "shared_mapping_bomb": ("crashed", "died", "timed_out"),
    "tensor_bomb": ("crashed", "died", "timed_out"),
    "number_bomb": ("crashed", "died", "timed_out"),
    "compressed_bomb": ("crashed", "died", "timed_out"),
    "regular_expression": ("timed_out",),
    "grader_in_memory": (),
    "frames": (),
    "modules": (),
    "finalisers": ("timed_out",),
    "loop_in_del": ("timed_out",),
    "loop_in_eq": ("timed_out",),
    "answer_that_lies": (),
    "atexit_and_threads": (),
    "timers": (),
    "traces": (),
    "import_hook": ("timed_out",),
    "state_for_the_next": ("crashed", "died", "exited", "timed_out"),
    "output_200_MB": ("timed_out",),
    "huge_answer": ("crashed",),
    "answer_in_itself": ("answered", "crashed"),
    "deep_answer": ("answered", "crashed", "died"),
    "pickle_bomb": (),
    "slow_answer": ("timed_out", "died"),
    "closes_its_socket": ("died", "timed_out"),
    "shuts_half": ("died", "timed_out"),
    "floods_the_grader": ("died",),
    "other_abi": ("died", "crashed"),
    "x32_abi": ("died",),
    "segments": ("died",),
    "aborts": ("died",),
    "stops_itself": ("timed_out",),
    "ignores_everything": ("timed_out",),
    "waits": ("timed_out",),
    "reads_its_input": ("crashed",),
    "recursion": ("crashed", "died", "timed_out"),
    "native_recursion": ("crashed", "died", "timed_out"),
    "raises_strangely": ("crashed", "exited", "died"),
    "exits": ("exited",),
    "exits_at_once": ("exited",),
}
"""The causes for which a file may fail; with none it must end its attack with nothing won. `answered`: it may answer anything,
which is data to the grader.
"""

DEADLINE, PATIENCE = 0.4, 1.0

needs_layer_1 = pytest.mark.skipif(confine.probe(outer=False).level < 1, reason="this kernel offers no seccomp or no Landlock")
pytestmark = needs_layer_1


def traces() -> list[Path]:
    """Files that an attack has left: they all have one name."""
    places = ["/tmp", "/dev/shm", "/var/tmp", ".", "/", "/run", str(Path.home()), str(Path(os.__file__).parent)]
    return [found for place in places for found in Path(place).glob("autograd_check_left_this*")]


@pytest.fixture(scope="module")
def worked() -> Iterator[Zygote]:
    """The zygote of all attacks, spawned as for a class: one that is forked holds what this process holds."""
    assert traces() == []
    with Zygote(start="spawn", outer=False) as zygote:
        yield zygote


def attack(zygote: Zygote, name: str) -> None:
    """Run one file, and say by an assertion what did not hold."""
    before, process = grader_state(), zygote._process
    family = children(process)  # with bubblewrap, its first process
    source = f"{(HERE / f'{name}.py').read_text()}{ZEROS}"
    with zygote.candidate(source, f"{name}.py", deadline=DEADLINE, patience=PATIENCE) as candidate:
        outcome = candidate.call("attack", [])
        if outcome.failure is None:
            assert outcome.value == [] or "answered" in HOSTILE[name], f"it won {outcome.value}"
        else:
            assert str(outcome.failure.cause) in HOSTILE[name], outcome.failure
            assert outcome.failure.says
        verdict = candidate.vjp("f_forward", "f_backward", point(), [DOUT])
        assert verdict.failure is not None or not torch.equal(verdict.value[1][0], 2 * point().primals["x"] * DOUT)
    assert grader_state() == before
    assert honest_answer(zygote)
    assert zygote._process == process, "the zygote was started again"
    assert comes_true(lambda: children(process) == family)
    assert traces() == []


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_submission(worked: Zygote, name: str) -> None:
    attack(worked, name)


@pytest.mark.parametrize(
    "name", ["read_secrets", "read_specifications", "read_proc", "environment", "sockets", "privileges", "descriptors"]
)
def test_an_attack_that_leaves_no_trace_wins_where_nothing_confines_it(name: str, tmp_path: Path) -> None:
    """Else an attack that does not work would prove nothing."""
    code = f"{(HERE / f'{name}.py').read_text()}\n\nprint(len(attack()))"
    places = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "AUTOGRAD_CHECK_SECRET": "1"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=places, cwd=tmp_path, check=True)
    assert int(ran.stdout) > 0


def test_the_table_names_every_file() -> None:
    assert sorted(HOSTILE) == sorted(path.stem for path in HERE.glob("*.py"))


USER = """
import sys
from autograd_check.run.zygote import Zygote
from tests.attacks.test_hostile import HOSTILE, attack
with Zygote(start="spawn", outer=False) as zygote:
    assert "spare uid" not in zygote.isolation, zygote.isolation
    for name in HOSTILE:
        try:
            attack(zygote, name)
        except AssertionError as error:
            print(name, error)
"""


@pytest.mark.long
def test_the_same_as_an_ordinary_user() -> None:
    """Grader, zygote and student have one uid."""
    command = [sys.executable, "-c", USER]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root, and no setpriv to become another user with")
        keep = "+dac_read_search"  # python itself may lie in root's own folder
        command = ["setpriv", "--reuid", "65534", "--clear-groups", f"--inh-caps={keep}", f"--ambient-caps={keep}", *command]
    root = str(Path(__file__).parents[2])
    places = {"PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)]), "PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, env=places, cwd="/", check=False)
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr


@pytest.mark.long
@pytest.mark.skipif(bool(bubblewrap.trouble()), reason=f"bubblewrap: {bubblewrap.trouble()}")
def test_the_same_with_bubblewrap() -> None:
    with Zygote(start="spawn") as zygote:
        assert zygote.confinement.level == 2
        faults: dict[str, Any] = {}
        for name in HOSTILE:
            try:
                attack(zygote, name)
            except AssertionError as error:
                faults[name] = str(error)
        assert faults == {}
