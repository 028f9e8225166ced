"""The oldest versions that setup.cfg supports, as pip takes them: `python tests/lower_bounds.py` prints `torch==2.4 numpy==1.26 ...`.

`make lower` installs these and runs a few tests with them.
"""

from __future__ import annotations

import configparser
import re
from pathlib import Path

SETUP = Path(__file__).resolve().parents[1] / "setup.cfg"
EXTRAS = ("train", "derive", "test")
"""What the tests of `make lower` need besides."""


def requirements() -> list[str]:
    """Every requirement of the package and of those extras, as setup.cfg states it."""
    config = configparser.ConfigParser()
    config.read(SETUP, encoding="utf-8")
    texts = [config["options"]["install_requires"], *(config["options.extras_require"][extra] for extra in EXTRAS)]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith(("#", "autograd_check"))]


def oldest(requirement: str) -> str:
    """`torch==2.4` for `torch>=2.4`. Raises `ValueError` where a requirement states no lower bound."""
    found = re.match(r"([\w.-]+)>=([\w.]+)", requirement)
    if found is None:
        raise ValueError(f"setup.cfg: {requirement!r} states no lower bound, such as >=1.0")
    return f"{found[1]}=={found[2]}"


if __name__ == "__main__":
    print(" ".join(dict.fromkeys(map(oldest, requirements()))))
