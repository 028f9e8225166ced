"""From a save to its verdict on the screen of `watch`: a hundred saves over the layers of unit 2, in a real pseudo-terminal.

    python tests/saves.py          on a machine that does nothing else
    python tests/saves.py 20       with fewer saves

Each layer is opened first, as whoever works on it does; then right and wrong files are saved in turn, as an editor saves them.
What is timed is from the write to the verdict on the screen, so what the screen takes to be read is in it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, only its own folder is there

from autograd_check.course.folder import start
from autograd_check.course.load import Course, CourseLesson
from autograd_check.course.mistakes import edited_source
from tests.cli.pseudo_terminal import PseudoTerminal

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("linear", "relu", "sigmoid", "bce", "bce_with_logits", "mlp")
SAVES = 100


def written(lesson: CourseLesson) -> tuple[str, str]:
    """A right file and one with the first mistake that is an edit."""
    source = lesson.reference_source()
    known = next(known for known in lesson.spec.mistakes if known.edit)
    texts = (source, edited_source(source, known, str(lesson.solution)))
    right, wrong = (text.partition("### BEGIN SPEC")[0].replace("from solutions", "from lessons") for text in texts)
    return right, wrong


def timed(course: Course, folder: Path) -> Iterator[tuple[str, float]]:
    """Layer by layer, the seconds of every save; without end."""
    with PseudoTerminal(["watch", LAYERS[0]], folder) as terminal:
        terminal.until("checked in")
        for name in cycle(LAYERS):
            lesson = course.lesson(name)
            file = folder / lesson.stub.relative_to(course.root)
            right, wrong = written(lesson)
            file.write_text(lesson.stub_source())
            terminal.until(f"{name} · todo")
            for text, verdict in ((wrong, "failed"), (right, "passed")) * 2:
                time.sleep(0.3)  # nobody saves twice at once
                started = time.perf_counter()
                file.write_text(text)
                terminal.until(f"{name} · {verdict}")
                yield name, time.perf_counter() - started


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else SAVES
    course = Course.load(ROOT)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "course"
        start(folder, ROOT)
        saves = list(islice(timed(course, folder), count))
    for name in LAYERS:
        of_layer = [1000 * seconds for layer, seconds in saves if layer == name]
        if of_layer:
            print(f"{name:<18} {len(of_layer):>3} saves  median {median(of_layer):4.0f} ms  longest {max(of_layer):4.0f} ms")
    every = [1000 * seconds for _, seconds in saves]
    last = quantiles(every, n=20, method="inclusive")[-1] if len(every) > 1 else every[0]
    print(f"{'all':<18} {len(every):>3} saves  median {median(every):4.0f} ms  95th percentile {last:4.0f} ms")


if __name__ == "__main__":
    main()
