"""What confines student code: what is known of it, how it is told, and that the kernel really refuses."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autograd_check.run import bubblewrap, confine, huge_pages, landlock, limits, seccomp
from autograd_check.run.confine import Isolation, Layer
from autograd_check.run.zygote import Zygote

needs_layer_1 = pytest.mark.skipif(confine.probe(outer=False).level < 1, reason="this kernel offers no seccomp or no Landlock")


def isolation(**held: Any) -> Isolation:
    names = {
        "nnp": confine.NO_NEW_PRIVILEGES,
        "seccomp": confine.SECCOMP,
        "landlock": confine.LANDLOCK,
        "bwrap": confine.BUBBLEWRAP,
    }
    layers = [Layer(names[key], there, "works" if there else "the kernel has none") for key, there in held.items()]
    return Isolation((Layer("own process", True), *layers))


@pytest.mark.parametrize(
    ("held", "level", "says"),
    [
        ({"nnp": True, "seccomp": True, "landlock": True}, 1, "own process; no new privileges; seccomp; Landlock; layer 1"),
        (
            {"nnp": True, "seccomp": True, "landlock": True, "bwrap": True},
            2,
            "own process; no new privileges; seccomp; Landlock; bubblewrap; layer 2",
        ),
        (
            {"nnp": True, "seccomp": True, "landlock": False, "bwrap": True},
            0,
            "own process; no new privileges; seccomp; bubblewrap; trusted code only",
        ),
        ({"nnp": False, "seccomp": False, "landlock": False}, 0, "own process; trusted code only"),
    ],
)
def test_the_level_is_what_holds(held: Any, level: Any, says: str) -> None:
    found = isolation(**held)
    assert (found.level, found.describe()) == (level, says)
    assert found.to_dict()["level"] == level
    assert len(found.to_dict()["layers"]) == 1 + len(held)
    assert len(found.missing()) == sum(not there for there in held.values())


def test_what_is_missing_is_told_with_the_reason() -> None:
    assert isolation(seccomp=True, landlock=False).missing() == ("Landlock: the kernel has none",)
    inner = confine.probe(outer=False)
    assert "bubblewrap: the zygote is forked from the grader, to start in milliseconds" in inner.missing()


def test_a_system_without_any_of_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (limits, landlock, seccomp, bubblewrap):
        monkeypatch.setattr(module, "linux", lambda: False)
    bubblewrap.trouble.cache_clear()
    try:
        found = confine.probe()
    finally:
        bubblewrap.trouble.cache_clear()
    assert found.level == 0
    assert found.describe() == "own process; rlimits; trusted code only"
    assert found.missing() == (
        "no new privileges: only Linux has them",
        "seccomp: only Linux has it",
        "Landlock: only Linux has it",
        "bubblewrap: only Linux has it",
    )


def test_an_unknown_processor_and_an_old_kernel_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    monkeypatch.setattr(landlock, "version", lambda: 0)
    found = confine.probe(outer=False)
    assert found.level == 0
    assert found.missing()[0] == "seccomp: its filter is written for x86_64 and aarch64 only, 64 bits"
    assert found.missing()[1].startswith("Landlock: the kernel does not offer it (Linux 5.13 or newer")
    with pytest.raises(OSError, match="no filter is written for this machine"):
        seccomp.load(b"")


def test_a_kernel_that_refuses_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(seccomp, "system_call", refuse)
    found = confine.probe(outer=False)
    assert "seccomp: the kernel, or what this runs in, does not let a filter be loaded" in found.missing()


def simulate(code: bytes, number: int, *arguments: int, architecture: int = seccomp.X86_64.number) -> int:
    """What the kernel would answer: an interpreter of the five instructions that the filter uses."""
    data = struct.pack("IIQ6Q", number, architecture, 0, *[a & (1 << 64) - 1 for a in (*arguments, *[0] * (6 - len(arguments)))])
    at, word = 0, 0
    while True:
        operation, then, otherwise, value = struct.unpack_from("HBBI", code, 8 * at)
        at += 1
        if operation == seccomp.LOAD:
            (word,) = struct.unpack_from("I", data, value)
        elif operation == seccomp.RETURN:
            return int(value)
        else:
            met = {seccomp.EQUAL: word == value, seccomp.AT_LEAST: word >= value, seccomp.ANY_BIT: bool(word & value)}[operation]
            at += then if met else otherwise


NO, ABSENT, AGAIN, READ_ONLY = (seccomp.FAIL | code for code in (1, 38, 11, 13))
PID = 4321


@pytest.mark.parametrize("here", seccomp.MACHINES.values(), ids=seccomp.MACHINES.keys())
def test_the_filter_on_both_processors(here: seccomp.Machine) -> None:
    code = seccomp.program(here, PID)
    assert all(seccomp.filled(seccomp.template(here), pid) == seccomp.program(here, pid) for pid in (1, PID, 4_194_303))

    def ask(name: str, *arguments: int) -> int:
        return simulate(code, here.calls[name], *arguments, architecture=here.number)

    for name in here.calls.keys() & set(seccomp.FREE):
        assert ask(name) == seccomp.ALLOW
    assert ask("kill", PID, 9) == ask("tgkill", PID, 1, 9) == seccomp.ALLOW
    for other in (0, -1, -PID, 1, PID + 1):
        assert ask("kill", other, 9) == ask("tgkill", other, 1, 9) == NO
    assert ask("openat", -100, 0, os.O_RDONLY) == seccomp.ALLOW
    for flag in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_RDONLY | os.O_TRUNC):
        assert ask("openat", -100, 0, flag) == READ_ONLY
    assert ask("fcntl", 3, 1030) == ask("ioctl", 3, 0x5401) == ask("prctl", 15) == seccomp.ALLOW
    assert ask("fcntl", 3, 8) == ask("ioctl", 3, 0x5412) == ask("prctl", 1) == ask("prctl", 4) == NO
    assert ask("prlimit64", 0) == ask("prlimit64", PID) == seccomp.ALLOW
    assert ask("prlimit64", 1) == NO
    assert ask("clone3") == ask("openat2") == ABSENT
    assert ask("clone", 0x3D0F00) == AGAIN
    assert ask("seccomp") == NO
    assert simulate(code, 99999, architecture=here.number) == NO
    assert simulate(code, 0, architecture=0x40000003) == seccomp.KILL


def test_the_other_abi_of_the_same_processor_ends_the_process() -> None:
    assert simulate(seccomp.program(seccomp.X86_64, PID), 0x40000000 + 1) == seccomp.KILL


SYSTEM_CALLS = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "execve": (59, 221),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "memfd_create": (319, 279),
    "shmget": (29, 194),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "rt_sigqueueinfo": (129, 138),
    "unlinkat": (263, 35),
    "fchmodat": (268, 53),
    "utimensat": (280, 88),
    "renameat2": (316, 276),
    "mkdirat": (258, 34),
    "symlinkat": (266, 36),
    "linkat": (265, 37),
    "setxattr": (188, 5),
    "truncate": (76, 45),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "chroot": (161, 51),
    "open_by_handle_at": (304, 265),
    "setresuid": (117, 147),
    "capset": (126, 91),
    "setpriority": (141, 140),
    "sched_setaffinity": (203, 122),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "inotify_init1": (294, 26),
    "setitimer": (38, 103),
    "timer_create": (222, 107),
    "sendmsg": (46, 211),
    "recvmsg": (47, 212),
}


@needs_layer_1
def test_what_the_kernel_refuses(zygote: Zygote) -> None:
    """The real filter in the real kernel. What it lets through would fail with another error: these arguments are wrong."""
    column = list(seccomp.MACHINES).index(platform.machine())
    numbers = {name: pair[column] for name, pair in SYSTEM_CALLS.items()}
    source = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "def ask(number):\n    libc.syscall(ctypes.c_long(number), *[ctypes.c_long(-1)] * 6)\n    return ctypes.get_errno()\n"
    )
    with zygote.candidate(source, "a.py") as candidate:
        answers = {name: candidate.call("ask", [number]).value for name, number in numbers.items()}
    assert answers == dict.fromkeys(numbers, 1)


READS = """
import os
def attempt(path):
    try: return len(os.listdir(path)) if os.path.isdir(path) else len(open(path, 'rb').read(16))
    except OSError as error: return error.errno
def own_number(): return os.getpid(), os.getppid()
def end(number, sign=9):
    try: os.kill(number, sign)
    except OSError as error: return error.errno
    return 0
def open_writing(path):
    try: os.open(path, os.O_WRONLY | os.O_CREAT)
    except OSError as error: return error.errno
    return 0
"""


@needs_layer_1
def test_files_that_may_be_read(zygote: Zygote, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key")
    with zygote.candidate(READS, "a.py") as candidate:

        def attempt(path: Any) -> Any:
            return candidate.call("attempt", [str(path)]).value

        assert attempt(os.__file__) == 16
        for path in (secret, tmp_path, Path(__file__), "/etc/passwd", "/proc/self/maps", "/proc/self/environ", Path.home(), "/"):
            assert attempt(path) in (2, 13), path
        assert candidate.call("open_writing", [str(tmp_path / "new")]).value in (2, 13)
    assert list(tmp_path.iterdir()) == [secret]


@needs_layer_1
def test_only_its_own_process_can_be_ended(zygote: Zygote) -> None:
    with zygote.candidate(READS, "a.py") as candidate:
        _, parent = candidate.call("own_number", []).value
        for other in (parent, os.getpid(), os.getppid(), 1, 0, -1, -parent):
            assert candidate.call("end", [other, 0]).value == 1, other
        own, still = candidate.call("own_number", []).value
        assert still == parent
        failure: Any = candidate.call("end", [own]).failure
    assert (failure.cause, failure.says) == ("died", "its process was ended by SIGKILL")


USER = f"""
from autograd_check.run.zygote import Zygote
READS = '''{READS}'''
with Zygote(start="spawn", outer=False) as zygote:
    with zygote.candidate(READS, "a.py") as candidate:
        own, parent = candidate.call("own_number", []).value
        refused = [candidate.call("end", [number, 9]).value for number in (parent, 0, -1, -parent)]
        files = [candidate.call("attempt", [path]).value for path in ("/etc/passwd", f"/proc/{{parent}}/mem", "/proc/self/mem")]
        still = candidate.call("own_number", []).value
    with zygote.candidate(READS, "b.py") as candidate:
        after = candidate.call("own_number", []).value[1]
    print(zygote.confinement.level, zygote.isolation, refused, files, (own, parent) == tuple(still), after == parent, sep="|")
"""


@needs_layer_1
def test_an_ordinary_user_is_confined_as_well() -> None:
    """Grader, zygote and students' processes have one uid, and yet no student can end or read the others."""
    command = [sys.executable, "-c", USER]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root, and no setpriv to become another user with")
        keep = "+dac_read_search"  # python itself may lie in root's own folder
        command = ["setpriv", "--reuid", "65534", "--clear-groups", f"--inh-caps={keep}", f"--ambient-caps={keep}", *command]
    places = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, env=places, cwd="/", check=False)
    assert ran.returncode == 0, ran.stderr
    level, says, refused, files, alive, same = ran.stdout.strip().split("|")
    assert level == "1"
    assert says == "own process; rlimits; no new privileges; seccomp; Landlock; layer 1; deadline by the grader"
    assert (refused, files, alive, same) == ("[1, 1, 1, 1]", "[13, 13, 13]", "True", "True")


needs_bubblewrap = pytest.mark.skipif(bool(bubblewrap.trouble()), reason=f"bubblewrap: {bubblewrap.trouble()}")


@needs_bubblewrap
def test_bubblewrap_around_the_zygote() -> None:
    with Zygote(start="spawn") as zygote:
        assert zygote.confinement.level == 2
        assert "; bubblewrap; layer 2; deadline" in zygote.isolation
        child = zygote.birth()
        assert child.number < 10  # in a namespace of its own
        assert os.path.exists(f"/proc/{child.pid}")
        zygote.end(child)
        assert not os.path.exists(f"/proc/{child.pid}")
        with zygote.candidate(READS, "a.py") as candidate:
            assert candidate.call("attempt", ["/etc/passwd"]).value == 2
            assert candidate.call("attempt", [os.__file__]).value == 16


def test_bubblewrap_that_is_missing_or_cannot_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    for script, says in (
        ("", "not installed (`apt install bubblewrap`)"),
        ("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n", "it may not make namespaces here (No perm"),
    ):
        if script:
            broken.write_text(script)
            broken.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        bubblewrap.trouble.cache_clear()
        try:
            found = confine.probe()
        finally:
            bubblewrap.trouble.cache_clear()
        assert found.missing()[-1].startswith(f"bubblewrap: {says}")


def test_the_words_of_bubblewrap() -> None:
    words = bubblewrap.command([Path("/usr/lib"), Path("/dev/urandom")], {"LANG": "C"})
    assert words[:2] == ["bwrap", "--unshare-all"]
    assert words.index("--tmpfs") < words.index("--ro-bind")
    assert words[words.index("--ro-bind") + 1] == "/usr/lib"
    assert words[words.index("--setenv") + 1 :][:2] == ["LANG", "C"]
    assert "/dev/urandom" not in words
    assert words.count("--tmpfs") == 1
    covered = bubblewrap.command([Path("/usr/lib")], {}, Path("/usr/lib/python3/curriculum"))
    assert covered.index("/usr/lib/python3/curriculum") > covered.index("--ro-bind")
    assert covered[covered.index("/usr/lib/python3/curriculum") - 1] == "--tmpfs"
    assert "/opt/curriculum" not in bubblewrap.command([Path("/usr/lib")], {}, Path("/opt/curriculum"))


def tree(root: Path) -> Path:
    """A folder like site-packages: modules, a package with a course in it, links up and beside."""
    for name in ("module.py", "package/code.py", "package/curriculum/secret.py", "other/deep/code.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x = 1\n")
    (root / "circle").symlink_to(root)
    (root / "beside").symlink_to(root / "other")
    (root / "nowhere").symlink_to(root / "gone")
    return root


def test_rights_lead_around_the_course(tmp_path: Path) -> None:
    root = tree(tmp_path / "site")
    both = landlock.READ_FILE | landlock.READ_DIR
    assert dict(landlock.around([root], root / "package" / "curriculum")) == {
        root: landlock.READ_DIR,
        root / "module.py": landlock.READ_FILE,
        root / "package": landlock.READ_DIR,
        root / "package" / "code.py": landlock.READ_FILE,
        root / "other": both,
        root / "beside": both,
    }
    assert dict(landlock.around([root / "package" / "curriculum" / "secret.py"], root / "package" / "curriculum")) == {}
    assert dict(landlock.around([root], tmp_path / "elsewhere")) == {root: both}
    assert landlock.carried_course() == Path(landlock.__file__).parents[1] / "curriculum"


@pytest.mark.skipif(not landlock.version(), reason="no Landlock")
def test_a_course_inside_a_package_cannot_be_read(tmp_path: Path) -> None:
    root = tree(tmp_path / "site")
    code = f"""
import os, sys
from pathlib import Path
from autograd_check.run import landlock, limits
root = Path({str(root)!r})
rules = landlock.ruleset([*landlock.readable(), root], root / "package" / "curriculum")
limits.prctl(limits.PR_SET_NO_NEW_PRIVS, 1)
landlock.restrict(rules)
sys.path.insert(0, str(root))
import module, other.deep.code, package.code
print(sorted(os.listdir(root / "package" / "curriculum")))
for name in ("secret.py", "../code.py"):
    try:
        print((root / "package" / "curriculum" / name).read_text().strip())
    except PermissionError:
        print("refused")
"""
    said = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, check=False)
    assert said.stdout.splitlines() == ["['secret.py']", "refused", "x = 1"], said.stderr


@pytest.mark.skipif(not landlock.version(), reason="no Landlock")
def test_rules_for_a_path_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError):
        landlock.ruleset([Path("/no/such/folder")])


def test_rights_grow_with_the_version() -> None:
    assert "TCP" not in landlock.withheld(3)
    assert "TCP" in landlock.withheld(4)
    assert "signals to others" in landlock.withheld(6)
    assert all("every write" in landlock.withheld(abi) for abi in range(1, 8))


def test_large_pages_change_nothing_that_is_in_them() -> None:
    held = [str(number) for number in range(200_000)]
    huge_pages.collapse()
    assert held == [str(number) for number in range(200_000)]


def test_the_control_of_many_births() -> None:
    """The tenth birth settles the zygote: the ones before and after answer alike."""
    with Zygote() as zygote:
        for _ in range(12):
            with zygote.candidate("def f(): return 7\n", "a.py") as candidate:
                assert candidate.call("f", []).value == 7


def test_descriptors_of_the_zygote_do_not_reach_the_student(zygote: Zygote) -> None:
    """One socket to the grader and the three standard ones: not the rules of Landlock, not the zygote's own socket."""
    source = (
        "import os\ndef f():\n    found = []\n    for d in range(64):\n"
        "        try: os.fstat(d)\n        except OSError: continue\n        found.append(d)\n    return found\n"
    )
    mine, theirs = socket.socketpair()
    with mine, theirs, zygote.candidate(source, "a.py") as candidate:
        open_ones = candidate.call("f", []).value
    assert len(open_ones) == 4
    assert open_ones[:3] == [0, 1, 2]
