"""A wheel of this package with another course in it: what `pip install` takes, written without a build.

The format: PyPA, Binary distribution format (https://packaging.python.org/en/latest/specifications/binary-distribution-format/).
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from autograd_check.course.own import PACKAGE
from autograd_check.errors import CourseError

DATE = (2024, 1, 1, 0, 0, 0)
"""Of every file, so that the same course gives the same bytes."""

LOCAL = "release"
"""What is added to the version: such a package is told from the whole one."""

GENERATOR = "Wheel-Version: 1.0\nGenerator: autograd_check\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def package_files() -> dict[str, bytes]:
    """The files of this package by their path in a wheel, without a course."""
    return {
        f"{PACKAGE.name}/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes()
        for path in sorted(PACKAGE.rglob("*"))
        if path.is_file() and not {"__pycache__", "curriculum"} & set(path.relative_to(PACKAGE).parts)
    }


def write_wheel(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write a wheel of these files into a folder, with the metadata of this package. Raises `CourseError` where there is none."""
    try:
        installed = distribution(PACKAGE.name)
    except PackageNotFoundError:
        raise CourseError(
            f"{PACKAGE.name} is not installed, so its metadata is not known. In its folder: pip install -e ."
        ) from None
    version = f"{installed.version.partition('+')[0]}+{LOCAL}"
    metadata = installed.read_text("METADATA") or installed.read_text("PKG-INFO") or ""
    info = f"{PACKAGE.name}-{version}.dist-info"
    whole = {
        **files,
        f"{info}/METADATA": re.sub(r"(?m)^Version: .*$", f"Version: {version}", metadata, count=1).encode(),
        f"{info}/WHEEL": GENERATOR.encode(),
        f"{info}/entry_points.txt": (installed.read_text("entry_points.txt") or "").encode(),
    }
    record = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in whole.items()]
    whole[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    path = folder / f"{PACKAGE.name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in whole.items():
            entry = zipfile.ZipInfo(name, DATE)
            entry.external_attr = 0o644 << 16
            wheel.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return path


def _digest(content: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
