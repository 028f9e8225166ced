"""SUBMISSIONS in every form that teaching systems export: whose each file is, what counts, and what is said of the rest."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograd_check.course.load import Course
from autograd_check.errors import SubmissionError
from autograd_check.grade import inbox
from autograd_check.grade.collect import Handin, collect
from autograd_check.grade.roster import Assignment, read_assignment
from tests.toy import RIGHT, make_course


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    return Course.load(make_course(tmp_path_factory.mktemp("toy") / "course"))


def put(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def packed(path: Path, files: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def functions(course: Course) -> Callable[[str], Sequence[str]]:
    return lambda lesson: course.lesson(lesson).functions()


def collected(course: Course, submissions: Path, roster: Path | None = None, lessons: str = "") -> dict[str, Handin]:
    assignment = read_assignment(course.outline, [lessons] if lessons else [], submissions)
    found = list(collect(submissions, course.outline, functions(course), assignment, roster))
    assert len({handin.student for handin in found}) == len(found)
    return {handin.student: handin for handin in found}


def paths(handin: Handin) -> dict[str, str]:
    return {file.lesson: file.path for file in handin.files}


def test_a_folder_a_student_nested_or_not(course: Course, tmp_path: Path) -> None:
    found = collected(
        course,
        put(
            tmp_path,
            {
                "ada/double.py": RIGHT,
                "ben/lessons/u01_toys/double.py": RIGHT,
                "Zoë Müller (2)/my work/double.py": RIGHT,
                "empty/.keep": "",
                ".git/config": "",
                "notes.txt": "for the instructor",
            },
        ),
    )
    assert {student: paths(handin) for student, handin in found.items()} == {
        "Zoë Müller (2)": {"double": "Zoë Müller (2)/my work/double.py"},
        "ada": {"double": "ada/double.py"},
        "ben": {"double": "ben/lessons/u01_toys/double.py"},
        "empty": {},
    }


def test_single_files(course: Course, tmp_path: Path) -> None:
    found = collected(
        course,
        put(tmp_path, {"double__ada.py": RIGHT, "quadruple__ada.py": RIGHT, "double__Zoë M.py": RIGHT, "double.py": RIGHT}),
    )
    assert paths(found["ada"]) == {"double": "double__ada.py", "quadruple": "quadruple__ada.py"}
    assert paths(found["Zoë M"]) == {"double": "double__Zoë M.py"}
    assert found["double.py"].problem == (
        "double.py lies beside the students' folders, so it cannot be told whose it is: "
        "expected STUDENT/LESSON.py or LESSON__STUDENT.py"
    )


def test_a_file_a_student_where_one_lesson_is_assigned(course: Course, tmp_path: Path) -> None:
    found = collected(course, put(tmp_path, {"ada.py": RIGHT, "ben.ipynb": "{}"}), lessons="double")
    assert {student: paths(handin) for student, handin in found.items()} == {
        "ada": {"double": "ada.py"},
        "ben": {"double": "ben.ipynb"},
    }
    assert found["ben"].files[0].problem == "ben.ipynb is not a notebook: its content is not what Jupyter writes"


def test_canvas(course: Course, tmp_path: Path) -> None:
    archive = packed(
        tmp_path / "course-hw1_submissions.zip",
        {
            "ngmina_9001_4711_double.py": "old = 1\n",
            "ngmina_LATE_9001_4800_double-1.py": RIGHT,
            "ngmina_9001_4712_quadruple.py": RIGHT,
            "müllerzoë_9002_4713_homework.zip": _bytes_of_zip(tmp_path, {"u01_toys/double.py": RIGHT}),
            "._ngmina_9001_4711_double.py": "macOS",
            "anon_a1b2_4714_double.py": RIGHT,
        },
    )
    found = collected(course, archive)
    assert set(found) == {"9001", "9002", "a1b2"}
    assert paths(found["9001"]) == {
        "double": "ngmina_LATE_9001_4800_double-1.py",
        "quadruple": "ngmina_9001_4712_quadruple.py",
    }
    assert (found["9001"].name, found["9001"].late, found["9002"].late) == ("ngmina", True, False)
    assert found["9001"].notes == (
        "of several files for double, ngmina_LATE_9001_4800_double-1.py was graded, and not ngmina_9001_4711_double.py",
    )
    assert paths(found["9002"]) == {"double": "müllerzoë_9002_4713_homework.zip/u01_toys/double.py"}


def _bytes_of_zip(folder: Path, files: dict[str, str | bytes]) -> bytes:
    return packed(folder / "inner.zip", files).read_bytes()


def test_moodle(course: Course, tmp_path: Path) -> None:
    archive = packed(
        tmp_path / "CS1-hw-77.zip",
        {
            "Ada Lovelace_1001_assignsubmission_file/double.py": RIGHT,
            "Ada Lovelace_1002_assignsubmission_file_/double.py": RIGHT,
            "Ada Lovelace_1001_assignsubmission_onlinetext/onlinetext.html": "hello",
            "Ben Bo_1003_assignsubmission_file_double.py": RIGHT,
        },
    )
    found = collected(course, archive)
    assert {student: set(paths(handin)) for student, handin in found.items()} == {
        "Ada Lovelace (1001)": {"double"},
        "Ada Lovelace (1002)": {"double"},
        "Ben Bo (1003)": {"double"},
    }
    assert found["Ada Lovelace (1001)"].notes == (
        "Ada Lovelace_1001_assignsubmission_onlinetext/onlinetext.html is the file of no lesson that is asked for, "
        "and was not graded",
    )


GRADESCOPE = """
submission_77:
  :submitters:
  - :name: Ada Lovelace
    :sid: '007'
    :email: ada@example.edu
  :created_at: 2026-03-07 13:16:26 -0600
submission_78:
  :submitters:
  - :name: Ben Bo
    :sid: 0123
    :email:
  - :name: Cy Co
    :sid: 8
submission_79:
  :submitters: []
"""


def test_gradescope(course: Course, tmp_path: Path) -> None:
    archive = packed(
        tmp_path / "export.zip",
        {
            "assignment_5_export/submission_metadata.yml": GRADESCOPE,
            "assignment_5_export/submission_77/double.py": RIGHT,
            "assignment_5_export/submission_78/double.py": RIGHT,
            "assignment_5_export/submission_79/double.py": RIGHT,
            "assignment_5_export/assignment.toml": "",
        },
    )
    due = Assignment({}, due=datetime.fromisoformat("2026-03-06T23:59:00-06:00"))
    found = {handin.student: handin for handin in collect(archive, course.outline, functions(course), due)}
    assert {student: set(paths(handin)) for student, handin in found.items()} == dict.fromkeys(
        ("007", "0123", "8", "submission_79"), {"double"}
    )
    assert (found["007"].name, found["007"].email, found["007"].late) == ("Ada Lovelace", "ada@example.edu", True)
    assert found["0123"].late is None


def test_a_roster_makes_who_is_missing_visible(course: Course, tmp_path: Path) -> None:
    roster = tmp_path / "list.csv"
    roster.write_text(
        "student;name;email\nada;Ada Lovelace;ada@example.edu\ns2;Mina Lu Ng;m@example.edu\ncy;Cy;\n", encoding="utf-8-sig"
    )
    archive = packed(
        tmp_path / "a.zip", {"nglminau_1_2_double.py": RIGHT, "ngminalu_9_3_double.py": RIGHT, "lovelaceada_4_5_double.py": RIGHT}
    )
    found = collected(course, archive, roster)
    assert {student: (set(paths(handin)), handin.notes) for student, handin in found.items()} == {
        "ada": ({"double"}, ()),
        "s2": ({"double"}, ()),
        "1": ({"double"}, ("1 is not on the roster",)),
        "cy": (set(), ()),
    }
    assert found["s2"].name == "Mina Lu Ng"


def test_two_of_one_name_are_never_guessed(course: Course, tmp_path: Path) -> None:
    roster = tmp_path / "list.csv"
    roster.write_text("student,name\ns1,Ada\ns2,Ada\n")
    archive = packed(tmp_path / "a.zip", {"Ada_1001_assignsubmission_file/double.py": RIGHT})
    found = collected(course, archive, roster)
    assert {student: set(paths(handin)) for student, handin in found.items()} == {
        "Ada (1001)": {"double"},
        "s1": set(),
        "s2": set(),
    }


def test_a_roster_may_say_where_the_work_lies(course: Course, tmp_path: Path) -> None:
    put(tmp_path, {"work/a/double.py": RIGHT, "work/b.py": RIGHT, "work/c/my.py": RIGHT})
    roster = tmp_path / "roster.csv"
    roster.write_text(
        "student,name,email,path,submitted\nada,Ada,a@x,work/a,2026-03-06T10:00\nben,Ben,,work/b.py,\n"
        "ben,Ben,,work/c,\ncy,Cy,,work/gone.py,\nben,Other Ben,,work/a,\n"
    )
    found = collected(course, roster, lessons="double,quadruple")
    assert {student: paths(handin) for student, handin in found.items()} == {
        "ada": {"double": "work/a/double.py"},
        "ben": {"double": "work/b.py"},
        "cy": {},
        "ben (2)": {"double": "work/a/double.py"},
    }
    assert found["cy"].problem == "work/gone.py, which the roster names, is not there"
    assert found["ben (2)"].notes[0] == "the roster has 'ben' more than once: this is row 2 of that name"
    assert found["ben"].notes == (
        "work/b.py was taken for double, whose functions it defines",
        "work/c/my.py is the file of no lesson that is asked for, and was not graded",
    )


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("Double.py", True),
        ("double (2).py", True),
        ("double-1.py", True),
        ("double_final.py", True),
        ("double copy.py", True),
        ("mine.py", True),
        ("doubled.txt", False),
        ("DOUBLE.PY", True),
    ],
)
def test_misnamed_files(course: Course, tmp_path: Path, name: str, counts: bool) -> None:
    found = collected(course, put(tmp_path, {f"ada/{name}": RIGHT}))
    assert paths(found["ada"]) == ({"double": f"ada/{name}"} if counts else {})


def test_the_newest_of_several_counts(course: Course, tmp_path: Path) -> None:
    found = collected(
        course, put(tmp_path, {"ada/double.py": "a = 1\n", "ada/double (2).py": RIGHT, "ada/double (1).py": "b = 1\n"})
    )
    assert paths(found["ada"]) == {"double": "ada/double (2).py"}


def test_links_folders_and_pipes(course: Course, tmp_path: Path) -> None:
    put(tmp_path, {"ada/double.py": RIGHT, "dora/x": ""})
    (tmp_path / "ben").symlink_to(tmp_path / "ada")
    (tmp_path / "cy").mkdir()
    (tmp_path / "cy" / "double.py").symlink_to(tmp_path / "ada" / "double.py")
    (tmp_path / "dora" / "double.py").mkdir()
    (tmp_path / "eve").mkdir()
    os.mkfifo(tmp_path / "eve" / "double.py")
    (tmp_path / "fay" / "double.py").mkdir(parents=True)
    (tmp_path / "fay" / "double.py" / "double.py").write_text(RIGHT)
    (tmp_path / "gil").mkdir()
    (tmp_path / "gil" / "lessons").symlink_to(tmp_path)
    found = collected(course, tmp_path)
    assert found["ben"].problem == "ben is a symbolic link, which is not followed"
    assert found["gil"].notes == ("gil/lessons is a symbolic link, which is not followed",)
    said = {student: handin.files[0].problem for student, handin in found.items() if handin.files}
    assert said == {
        "ada": "",
        "cy": "cy/double.py is a symbolic link, which is not followed",
        "dora": "dora/double.py is a folder; a submission is a file of python code",
        "eve": "eve/double.py is not a file but a pipe, a socket or a device",
        "fay": "",
    }


def test_hostile_archives(course: Course, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("ada/double.py")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    outer = tmp_path / "outer.zip"
    bomb = _bytes_of_zip(tmp_path, {})
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("double.py", b"0" * (inbox.MOST_ARCHIVE + 1))
    bomb = (tmp_path / "bomb.zip").read_bytes()
    many = _bytes_of_zip(tmp_path, {f"f{number}.py": "" for number in range(inbox.MOST_FILES + 1)})
    with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(link, "/etc/passwd")
        contents: dict[str, str | bytes] = {
            "../../evil/double.py": RIGHT,
            "/etc/cron.d/double.py": RIGHT,
            "ben/work.zip": bomb,
            "cy/work.zip": b"PK\x03\x04 not an archive",
            "dora/work.zip": many,
            "eve/double.py": b"0" * (2 << 20),
            "fay/work.zip": _bytes_of_zip(tmp_path, {"../double.py": RIGHT}),
        }
        for name, content in contents.items():
            archive.writestr(name, content)
    found = collected(course, outer)
    said = {student: handin.problem or handin.files[0].problem for student, handin in found.items()}
    assert said.pop("cy").startswith("cy/work.zip cannot be opened as a zip archive: ")
    assert said == {
        "../../evil/double.py": "../../evil/double.py leads out of its folder and is not read",
        "/etc/cron.d/double.py": "/etc/cron.d/double.py leads out of its folder and is not read",
        "ada": "ada/double.py is a symbolic link, which is not followed",
        "ben": "ben/work.zip unpacks to more than 16 MiB; a course is a few pages of python code",
        "dora": "dora/work.zip holds more than 1000 files; a course is a few pages of python code",
        "eve": "eve/double.py is larger than 1 MiB; a lesson is a page of python code",
        "fay": "fay/work.zip/../double.py leads out of its folder and is not read",
    }


def test_an_archive_that_lies_about_its_sizes(course: Course, tmp_path: Path) -> None:
    """However small an entry says that it is, no more than 1 MiB is read."""
    path = packed(tmp_path / "a.zip", {"ada/double.py": b"#" * (3 << 20)})
    content = path.read_bytes().replace((3 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    path.write_bytes(content)
    (file,) = collected(course, path)["ada"].files
    assert file.source is None or len(file.source) <= 1 << 20
    assert file.problem.startswith("ada/double.py ")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("gone", None, "gone does not exist: expected a folder with a folder for each student"),
        ("a.txt", b"text", "a.txt is none of these: expected a folder"),
        ("a.zip", b"text", "a.zip cannot be opened as a zip archive: File is not a zip file"),
        (
            "a.csv",
            b"name\nAda\n",
            "a.csv is not a roster: expected a first row with the columns student, name, email, path, found",
        ),
    ],
)
def test_what_holds_no_submissions(course: Course, tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SubmissionError, match="^[^\n]*$") as raised:
        collected(course, tmp_path / name)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[lessons]\ndouble = 'x'\n", "expected a table [lessons] with a line LESSON = POINTS"),
        ("[lessons]\ndouble = -1\n", "expected LESSON=POINTS with points of at least 0"),
        ("[lessons]\nduble = 1\n", "There is no lesson named 'duble'"),
        ("due = 3\n", "expected due to be a time such as"),
        ("[lessons\n", "cannot be read"),
    ],
)
def test_an_assignment_that_makes_no_sense(course: Course, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "assignment.toml").write_text(text)
    with pytest.raises(Exception, match="^[^\n]*$") as raised:
        read_assignment(course.outline, [], tmp_path)
    assert says in str(raised.value)


def test_weights(course: Course, tmp_path: Path) -> None:
    (tmp_path / "assignment.toml").write_text("[lessons]\nquadruple = 3\ndouble = 1.5\n")
    assert dict(read_assignment(course.outline, [], tmp_path).points) == {"double": 1.5, "quadruple": 3}
    assert dict(read_assignment(course.outline, ["quadruple=20"], tmp_path).points) == {"quadruple": 20}
    assert dict(read_assignment(course.outline, ["u01_toys"], tmp_path).points) == {"double": 4, "quadruple": 10}


NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
PATHS = st.lists(
    st.sampled_from(["ada", "..", "", "double.py", "a_1_2_double.py", "x.zip", "C:", "\\"]) | NAMES, min_size=1, max_size=4
)


@settings(max_examples=60, deadline=None)
@given(
    entries=st.lists(st.tuples(PATHS.map("/".join), st.binary(max_size=30)), max_size=6),
    cut=st.integers(0, 400),
    flip=st.integers(0, 2000),
)
def test_fuzzed_archives(
    course: Course, tmp_path_factory: pytest.TempPathFactory, entries: list[tuple[str, bytes]], cut: int, flip: int
) -> None:
    """Whatever the bytes are: records, or one sentence about the archive; never another exception."""
    path = tmp_path_factory.mktemp("fuzz") / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, (name, content) in enumerate(entries):
            archive.writestr(f"{name}{number}", content)
    spoilt = bytearray(path.read_bytes())
    spoilt = spoilt[: len(spoilt) - cut] if cut % 3 == 0 else spoilt
    if spoilt:
        spoilt[flip % len(spoilt)] ^= 1 << (flip % 8)
    path.write_bytes(bytes(spoilt))
    try:
        found = collected(course, path)
    except SubmissionError as error:
        sentence = str(error)
    else:
        sentence = "".join(handin.student for handin in found.values())
    assert "\n" not in sentence
