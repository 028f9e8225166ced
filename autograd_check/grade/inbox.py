"""What lies in a folder or an archive of submissions, as files that are read one at a time and never unpacked to disk.

Nothing in it is believed: links are not followed, paths that lead out of their folder are not opened, and whatever an
archive says about sizes, no more than a stated number of bytes is read. What cannot be read says so in a sentence.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Protocol

from autograd_check.errors import SubmissionError
from autograd_check.grade.submission import MOST_BYTES

MOST_FILES = 1000
"""Files that one student may hand in: a course has fewer than a hundred lessons."""

MOST_ARCHIVE = 16 * 2**20
"""Bytes of an archive that one student hands in, and of everything that is read from it."""

UTF8_NAME = 0x800
ENCRYPTED = 0x1


@dataclass(frozen=True)
class Found:
    """A file: its path, and how to read its first `MOST_BYTES` + 1 bytes (raises `SubmissionError` with a sentence)."""

    path: PurePosixPath
    read: Callable[[], bytes]
    is_link: bool = False


class Inbox(Protocol):
    """A folder or an archive: the names at its top, each with whether it is a folder, and the files below a name."""

    def tops(self) -> list[tuple[str, bool]]:
        """Names at the top, sorted; hidden ones and what systems leave behind are not among them."""
        ...

    def below(self, top: str) -> Iterator[Found]:
        """All files of one name at the top: itself, or what lies in it."""
        ...

    def inner(self, top: str) -> Inbox:
        """The folder of this name as an inbox of its own."""
        ...


@dataclass(frozen=True)
class Folder:
    """A folder on disk; paths are shown as they are within it."""

    root: Path
    shown: PurePosixPath = field(default_factory=PurePosixPath)

    def tops(self) -> list[tuple[str, bool]]:
        """See `Inbox.tops`."""
        with os.scandir(self.root) as entries:
            return sorted((entry.name, _is_folder(entry)) for entry in entries if not ignored(entry.name))

    def below(self, top: str) -> Iterator[Found]:
        """See `Inbox.below`."""
        place = self.root / top
        if place.is_symlink() or not place.is_dir():
            yield self._found(place)
            return
        for folder, inside, names in os.walk(place):
            inside[:] = sorted(name for name in inside if not ignored(name))
            linked = [name for name in inside if (Path(folder) / name).is_symlink()]
            for name in sorted([*names, *linked]):
                if not ignored(name):
                    yield self._found(Path(folder) / name)
            if not inside and not names:
                yield self._found(Path(folder))

    def inner(self, top: str) -> Folder:
        """See `Inbox.inner`."""
        return Folder(self.root / top, self.shown / clean(top))

    def _found(self, place: Path) -> Found:
        path = self.shown / clean(place.relative_to(self.root).as_posix())
        return Found(path, partial(_read_file, place, str(path)), place.is_symlink())


@dataclass(frozen=True)
class Archive:
    """A zip archive. `prefix` is the folder in it that counts, `shown` how paths in it begin on screen."""

    zip: zipfile.ZipFile
    prefix: str = ""
    shown: PurePosixPath = field(default_factory=PurePosixPath)
    _tree: dict[str, list[tuple[str, zipfile.ZipInfo]]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def open(cls, path: Path) -> Archive:
        """The archive in a file. Raises `SubmissionError` where it is none."""
        try:
            return cls(zipfile.ZipFile(path))
        except (*BROKEN, OSError) as error:
            raise SubmissionError(f"{path} cannot be opened as a zip archive: {_reason(error)}") from None

    def tops(self) -> list[tuple[str, bool]]:
        """See `Inbox.tops`."""
        return sorted((top, top not in (name for name, _ in entries)) for top, entries in self._entries().items())

    def below(self, top: str) -> Iterator[Found]:
        """See `Inbox.below`. Of two files of one name the later counts, as it would on disk."""
        for name, info in dict(self._entries().get(top, [])).items():
            path = self.shown / clean(name)
            yield Found(path, partial(self._read, info, str(path)))

    def inner(self, top: str) -> Archive:
        """See `Inbox.inner`."""
        return Archive(self.zip, f"{self.prefix}{top}/", self.shown / clean(top))

    def _entries(self) -> dict[str, list[tuple[str, zipfile.ZipInfo]]]:
        """The files by their name at the top; one that leads out of its folder is a top of its own."""
        if not self._tree:
            for info in self.zip.infolist():
                name = entry_name(info)
                if not name.startswith(self.prefix) or name.endswith("/"):
                    continue
                name = name.removeprefix(self.prefix)
                parts = PurePosixPath(name).parts
                if name and not any(ignored(part) for part in parts if part != ".."):
                    self._tree.setdefault(name if escapes(name) else parts[0], []).append((name, info))
        return self._tree

    def _read(self, info: zipfile.ZipInfo, shown: str) -> bytes:
        if escapes(entry_name(info)):
            raise SubmissionError(f"{shown} leads out of its folder and is not read")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise SubmissionError(f"{shown} is a symbolic link, which is not followed")
        if info.flag_bits & ENCRYPTED:
            raise SubmissionError(f"{shown} is encrypted: hand it in without a password")
        most = MOST_ARCHIVE if is_archive(shown) else MOST_BYTES
        try:
            with self.zip.open(info) as stream:
                return stream.read(most + 1)
        except BROKEN as error:
            raise SubmissionError(f"{shown} cannot be unpacked: {_reason(error)}") from None


BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError, struct.error)
"""What `zipfile` raises for archives that are not in order."""


def unpacked(found: Found) -> Iterator[Found]:
    """The files in an archive that a student handed in. Raises `SubmissionError` where it cannot be read, or is a bomb."""
    content = found.read()
    if len(content) > MOST_ARCHIVE:
        raise SubmissionError(f"{found.path} is larger than 16 MiB; a course is a few pages of python code")
    try:
        archive = Archive(zipfile.ZipFile(io.BytesIO(content)), shown=found.path)
    except BROKEN as error:
        raise SubmissionError(f"{found.path} cannot be opened as a zip archive: {_reason(error)}") from None
    if len(archive.zip.infolist()) > MOST_FILES:
        raise SubmissionError(f"{found.path} holds more than {MOST_FILES} files; a course is a few pages of python code")
    if sum(info.file_size for info in archive.zip.infolist()) > MOST_ARCHIVE:
        raise SubmissionError(f"{found.path} unpacks to more than 16 MiB; a course is a few pages of python code")
    for top, _ in archive.tops():
        yield from archive.below(top)


def is_archive(name: str) -> bool:
    """Whether a file is a zip archive by its name."""
    return name.lower().endswith(".zip")


def ignored(name: str) -> bool:
    """Whether a name is hidden, or left behind by a system or an editor."""
    return name.startswith((".", "~")) or name in ("__MACOSX", "__pycache__", "Thumbs.db")


def escapes(name: str) -> bool:
    """Whether a path in an archive leads out of the folder that it would be unpacked to."""
    return name.startswith("/") or name[1:2] == ":" or ".." in PurePosixPath(name).parts


def entry_name(info: zipfile.ZipInfo) -> str:
    """The path of an entry, with slashes between its parts; older programs write UTF-8 without saying so, or backslashes."""
    name = info.filename
    if not info.flag_bits & UTF8_NAME:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            name = info.filename
    return name.replace("\\", "/")


def clean(name: str) -> str:
    """A name that can be printed and stored: bytes that are not text, and control characters, are written out."""
    text = unicodedata.normalize("NFC", name)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether a name at the top is a student's folder, or a link in its place (which is not followed, but is not lost)."""
    return entry.is_dir() or (entry.is_symlink() and not PurePosixPath(entry.name).suffix)


def _read_file(place: Path, shown: str) -> bytes:
    most = MOST_ARCHIVE if is_archive(shown) else MOST_BYTES
    try:
        kind = place.lstat().st_mode
        if stat.S_ISLNK(kind):
            raise SubmissionError(f"{shown} is a symbolic link, which is not followed")
        if stat.S_ISDIR(kind):
            raise SubmissionError(f"{shown} is a folder; a submission is a file of python code")
        if not stat.S_ISREG(kind):
            raise SubmissionError(f"{shown} is not a file but a pipe, a socket or a device")
        with os.fdopen(os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
            return stream.read(most + 1)
    except (OSError, ValueError) as error:
        raise SubmissionError(f"{shown} cannot be read: {_reason(error)}") from None


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return clean(str(text))
