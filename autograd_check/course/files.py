"""Files of a course: their hashes, the record of generated ones, writing in one step, backups."""

from __future__ import annotations

import hashlib
import json
import os
import re
from datetime import datetime
from pathlib import Path

MANIFEST = ".generated.json"
BACKUPS = ".autograd_check_backups"


def digest(text: str) -> str:
    """SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def read_text(path: Path) -> str:
    """A file's text; bytes that are not UTF-8 are replaced."""
    return path.read_text(encoding="utf-8", errors="replace")


def read_manifest(root: Path) -> dict[str, str]:
    """Hash of every generated file as it was generated, by path relative to the course; empty if there is no record."""
    try:
        manifest = json.loads((root / "lessons" / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def write_manifest(root: Path, manifest: dict[str, str]) -> None:
    """Keep the record of generated files, sorted by path."""
    replace_text(root / "lessons" / MANIFEST, json.dumps(dict(sorted(manifest.items())), indent=1) + "\n")


def back_up(root: Path, path: Path) -> Path:
    """Copy a file into the backup folder of the course under a name with the time; returns the copy's path."""
    folder = root / BACKUPS
    folder.mkdir(exist_ok=True)
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    copy, count = folder / f"{path.stem}-{stamp}{path.suffix}", 1
    while copy.exists():
        copy, count = folder / f"{path.stem}-{stamp}-{count}{path.suffix}", count + 1
    copy.write_bytes(path.read_bytes())
    return copy


def newest_backup(root: Path, path: Path) -> Path | None:
    """The newest copy that `back_up` made of a file; None where there is none."""
    stamped = re.compile(rf"{re.escape(path.stem)}-(\d{{8}}-\d{{6}})(?:-(\d+))?{re.escape(path.suffix)}")
    found = [
        (match[1], int(match[2] or 0), copy) for copy in (root / BACKUPS).glob("*") if (match := stamped.fullmatch(copy.name))
    ]
    return max(found)[2] if found else None


def replace_text(path: Path, text: str) -> None:
    """Write a file in one step: it is never seen half written, whatever happens in between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
