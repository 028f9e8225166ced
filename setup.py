"""What setup.cfg cannot say: a wheel carries the course inside the package, and two builds give the same bytes.

The repository holds the course once, in `solutions/` (and its notebooks in `lessons/`). A build copies it to
`autograd_check/curriculum/`; an editable install needs no copy, the package finds the course beside itself.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

# the date of every file in a wheel or source distribution, unless the environment says another
DATE = int(os.environ.setdefault("SOURCE_DATE_EPOCH", "1704067200"))

CURRICULUM = "autograd_check/curriculum"


def course_files() -> list[Path]:
    """The course in the repository, relative to it, in order: solutions with their specifications, and notebooks."""
    return sorted([*Path("solutions").rglob("*.py"), Path("solutions/about.toml"), *Path("lessons").glob("*/*.ipynb")])


class BuildWithCourse(build_py):
    """`build_py`, and the course."""

    def run(self) -> None:
        """Build the package, then copy the course into it; what an earlier build left there goes."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, CURRICULUM)
        shutil.rmtree(target, ignore_errors=True)
        for file in course_files():
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            self.copy_file(str(file), str(target / file), preserve_mode=False)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """What a build makes."""
        made = [] if self.editable_mode else [str(Path(self.build_lib, CURRICULUM, file)) for file in course_files()]
        return [*super().get_outputs(include_bytecode), *made]

    def get_source_files(self) -> list[str]:
        """What a source distribution must hold."""
        return [*super().get_source_files(), *map(str, course_files())]


class SameBytes(sdist):
    """`sdist`, whose archive depends on the names and bytes of its files only."""

    def make_archive(self, base_name: str, format: str, *args: Any, base_dir: str, **named: Any) -> str:
        """A .tar.gz with its files in order, each with the same date and owner."""
        name = f"{base_name}.tar.gz"
        with gzip.GzipFile(name, "wb", mtime=DATE) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
            for path in sorted(path for path in Path(base_dir).rglob("*") if path.is_file()):
                archive.add(path, filter=_anonymous)
        return name


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname, entry.mode = DATE, 0, 0, "", "", 0o644
    return entry


setup(cmdclass={"build_py": BuildWithCourse, "sdist": SameBytes})
