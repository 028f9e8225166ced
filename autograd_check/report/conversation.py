"""`watch` as a conversation: saves and keys come in, verdicts and texts come back. One thread works, one decides and draws."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from queue import Empty, PriorityQueue, Queue
from threading import Event, Thread

from rich.text import Text

from autograd_check.course.handout import reset, undo_reset
from autograd_check.course.outline import LessonEntry, Outline
from autograd_check.course.progress import Progress, Stage, next_lesson, stages
from autograd_check.errors import AutogradCheckError
from autograd_check.grade.record import LessonRecord
from autograd_check.grade.watching import Checked, Desk, Version, saves, versions
from autograd_check.report.console import columns, complain, sentence, show
from autograd_check.report.formulas import derivations, render_derivations
from autograd_check.report.keyboard import Terminal
from autograd_check.report.screen import Frame, choices, furthest, lines_of, matching, verdict
from autograd_check.report.status import render_hint
from autograd_check.report.streams import announced
from autograd_check.report.terminal import after_pass, render, summary
from autograd_check.verify.finding import Status

SOON, LATER = 0, 1
"""What somebody waits for goes before the next lesson of a check of all."""
SCROLLS = {"up": -1, "down": 1, "page up": -10, "page down": 10}
"""Lines by which a key moves a text that is longer than the screen."""
TICK = 0.25
"""Seconds after which the screen is drawn anew: a clock runs on it, and a terminal may have another size."""


Wrapped = Callable[[int], Text]
"""A text for a screen of so many columns, which may be others the next time it is drawn."""


@dataclass(frozen=True)
class Answer:
    """What came of a job: a verdict, or a text to show, or only a line of news."""

    checked: Checked | None = None
    body: Text | None = None
    news: str = ""


@dataclass(frozen=True, order=True)
class Job:
    """Something that takes a while. `what` says so meanwhile."""

    urgency: int
    number: int
    what: str
    run: Callable[[], Answer]


class Mode(StrEnum):
    """What the body of the screen shows."""

    VERDICT = "verdict"
    TEXT = "text"
    LIST = "list"
    RESET = "reset"


class Conversation:
    """The state of a `watch`, and what keys and saves do to it. It draws nothing and waits for nothing.

    `submit` takes jobs for the thread that works; their answers come back through `hear`.
    """

    def __init__(self, desk: Desk, entry: LessonEntry, submit: Callable[[Job], None]) -> None:
        self.outline = desk.course.outline
        self.entry = entry
        self.mode = self._behind = Mode.VERDICT
        self.standing: Mapping[str, Stage] = stages(self.outline)
        self._desk = desk
        self._submit = submit
        self._numbers = itertools.count()
        self._checked: Checked | None = None
        self._text: Wrapped = _nothing
        self._after: Wrapped = _nothing
        self._news = ""
        self._working: dict[Job, float] = {}
        self._all: list[LessonRecord] | None = None
        self._search, self._chosen = "", 0
        self._scrolled = 0
        self._check(entry)

    def frame(self, width: int, height: int) -> Frame:
        """What is to be seen now; nobody scrolls beyond the end."""
        frame = self._frame(width, height)
        self._scrolled = min(self._scrolled, furthest(frame, width, height))
        return replace(frame, scrolled=self._scrolled)

    def _frame(self, width: int, height: int) -> Frame:
        frame = Frame(self.entry, self.standing, Text(), self._line())
        match self.mode:
            case Mode.TEXT:
                return replace(frame, body=self._text(width))
            case Mode.LIST:
                body = choices(self.outline, self.standing, self._search, self._chosen, max(height - 6, 3), width)
                return replace(frame, body=body, keys="type to search  up/down  enter opens  esc back")
        body = Text(f"{self.entry.name} · {self.entry.title}\n")
        if self._checked is not None:
            body = verdict(self._checked.record, self.entry, self._following(), width, self._after(width))
        if self.mode is Mode.RESET:
            asked = f"Put the empty stub of {self.entry.name} back? u undoes it."
            return replace(frame, body=body, news=asked, keys="y yes  any other key: no")
        return replace(frame, body=body)

    def press(self, key: str) -> bool:
        """A key was pressed; False when that was to quit."""
        if self.mode is Mode.LIST:
            self._type(key)
            return True
        if self.mode is Mode.RESET:
            self.mode = self._behind
            if key.lower() == "y":
                self._start(SOON, "putting the stub back", partial(self._reset, self.entry))
            else:
                self._news = "Nothing was changed."
            return True
        if key in SCROLLS:
            self._scrolled = max(self._scrolled + SCROLLS[key], 0)
            return True
        self.mode, self._behind, self._news, self._scrolled = Mode.VERDICT, Mode.VERDICT, "", 0
        match key.lower():
            case "q":
                return False
            case "h":
                self._hint()
            case "n":
                self._next()
            case "l":
                self.mode, self._search, self._chosen = Mode.LIST, "", self.outline.lessons.index(self.entry)
            case "c":
                self._check_all()
            case "d":
                self._start(SOON, f"deriving {self.entry.name}", partial(self._derive, self.entry))
            case "p":
                self._start(SOON, f"drawing {self.entry.name}", partial(self._plot, self.entry))
            case "r":
                self.mode = Mode.RESET
            case "u":
                self._start(SOON, "undoing a reset", partial(self._undo, self.entry))
            case other if len(other) == 1 and other.isprintable():
                self._news = f"{other} is no key here. Those that are stand below."
        return True

    def saved(self, names: tuple[str, ...]) -> None:
        """These lessons' files were saved: the verdict on the last one is what somebody waits for."""
        self._open(self.entry if self.entry.name in names else self.outline.lesson(names[-1]))

    def hear(self, job: Job, answer: Answer) -> None:
        """A job has been done."""
        self._working.pop(job, None)
        if answer.checked is not None:
            self.standing = answer.checked.standing
            if job.urgency == LATER:
                self._count(answer.checked.record)
            elif answer.checked.record.lesson == self.entry.name:
                self._checked = answer.checked
                passed = answer.checked.record.status is Status.PASSED
                self._after = _learnt(self.entry) if passed else _nothing
                self._news = f"checked in {_duration(answer.checked.seconds)} at {time.strftime('%H:%M:%S')}"
                if not self.entry.stub.exists():
                    self._news = "The file is gone; r puts the empty stub back."
        body = answer.body
        if body is not None:
            self._show(lambda width: body)
        self._news = answer.news or self._news

    def _line(self) -> str:
        if not self._working:
            return self._news
        job = min(self._working)  # the one that is done first
        seconds = int(time.monotonic() - self._working[job])
        return f"{job.what} ..." + (f" {seconds} s" if seconds else "")

    def _start(self, urgency: int, what: str, run: Callable[[], Answer]) -> None:
        job = Job(urgency, next(self._numbers), what, run)
        self._working[job] = time.monotonic()
        self._submit(job)

    def _open(self, entry: LessonEntry) -> None:
        if entry != self.entry:
            self.entry, self._checked = entry, None
        self.mode, self._news, self._scrolled = Mode.VERDICT, "", 0
        self._check(entry)

    def _check(self, entry: LessonEntry) -> None:
        self._start(SOON, f"checking {entry.name}", partial(self._verdict, entry.name))

    def _verdict(self, name: str) -> Answer:
        return Answer(self._desk.check(name))

    def _following(self) -> LessonEntry | None:
        """The first lesson after this one that is not done, or else the first of all."""
        lessons = self.outline.lessons
        later = lessons[lessons.index(self.entry) + 1 :]
        opened = [entry for entry in later if self.standing[entry.name] is not Stage.DONE]
        first = next_lesson(self.outline, self.standing)
        return opened[0] if opened else first if first != self.entry else None

    def _next(self) -> None:
        following = self._following()
        if following is None:
            self._news = "There is no other lesson that is not done."
        else:
            self._open(following)

    def _hint(self) -> None:
        progress = Progress.read(self.outline.root)
        shown = progress.next_hint(self.entry)
        progress.with_hints(self.entry.name, shown).save()
        self.mode, self._text = Mode.TEXT, partial(_hints, self.entry, shown)

    def _type(self, key: str) -> None:
        found = matching(self.outline, self._search)
        if key == "escape" or (key == "backspace" and not self._search):
            self.mode = self._behind
        elif key == "enter" and found:
            self._open(found[min(self._chosen, len(found) - 1)])
        elif key in ("up", "down"):
            self._chosen = min(max(self._chosen + (1 if key == "down" else -1), 0), max(len(found) - 1, 0))
        elif key == "backspace":
            self._search, self._chosen = self._search[:-1], 0
        elif len(key) == 1 and key.isprintable():
            self._search, self._chosen = self._search + key, 0

    def _check_all(self) -> None:
        if self._all is not None:
            return
        self._all = []
        total = len(self.outline.lessons)
        for number, entry in enumerate(self.outline.lessons, 1):
            self._start(LATER, f"checking {number} of {total}: {entry.name}", partial(self._verdict, entry.name))

    def _count(self, record: LessonRecord) -> None:
        if self._all is None:
            return
        self._all.append(record)
        if len(self._all) < len(self.outline.lessons):
            return
        records, self._all = self._all, None
        self._show(partial(_told, records))

    def _show(self, text: Wrapped) -> None:
        """Show a text that took a while; from who chooses or answers meanwhile it does not take the screen, but comes then."""
        self._text, self._scrolled = text, 0
        if self.mode in (Mode.LIST, Mode.RESET):
            self._behind = Mode.TEXT
        else:
            self.mode = Mode.TEXT

    def _derive(self, entry: LessonEntry) -> Answer:
        found = derivations(self._desk.course.lesson(entry.name))
        return Answer(body=Text(render_derivations(found)))

    def _plot(self, entry: LessonEntry) -> Answer:
        from autograd_check.report.figures import gradients_page, save_figure  # an extra that watching does without

        place = Path(f"{entry.name}.png")
        drawn = self._desk.pictures(entry)
        save_figure(gradients_page(drawn, f"{entry.name}, probe: {drawn[0].probe}"), place)
        return Answer(news=f"drawn: {place.resolve()}")

    def _reset(self, entry: LessonEntry) -> Answer:
        backup = reset(self._desk.course, entry.name)
        return Answer(news="" if backup is None else "Your file is kept; u puts it back.")

    def _undo(self, entry: LessonEntry) -> Answer:
        kept = undo_reset(self.outline, entry.name)
        return Answer(news="" if kept is None else f"What stood there is kept: {kept.relative_to(self.outline.root)}")


Events = Queue[Callable[[Conversation], bool | None]]
"""What has come in, as what it does to the conversation; False ends it."""


def converse(outline: Outline, name: str | None) -> None:
    """Watch the lessons folder on this terminal until somebody quits. `name` is where to begin; else the next lesson."""
    with announced("warming up"):
        entry, desk = _begin(outline, name)
    stop, since = Event(), versions(outline)
    events: Events = Queue()
    jobs: PriorityQueue[Job] = PriorityQueue()
    with desk, Terminal() as terminal:
        conversation = Conversation(desk, entry, jobs.put)
        talk = (
            lambda: _work(jobs, events),
            lambda: _listen(outline, stop, since, events),
            lambda: _read(terminal, stop, events),
        )
        threads = [Thread(target=part, daemon=True) for part in talk]
        for thread in threads:
            thread.start()
        try:
            while _turn(conversation, events):
                width, height = terminal.size
                terminal.draw(lines_of(conversation.frame(width, height), width, height))
        except KeyboardInterrupt:
            pass
        finally:
            stop.set()
            for thread in threads[1:]:
                thread.join()
    done = sum(stage is Stage.DONE for stage in conversation.standing.values())
    show(Text(f"{done} of {len(conversation.standing)} done. Go on with: autograd-check watch {conversation.entry.name}\n"))


def follow(outline: Outline, name: str | None) -> None:
    """The same where nobody sits at a terminal: a block of text for the first lesson and for every save, until interrupted."""
    entry, desk = _begin(outline, name)
    since = versions(outline)
    complain("Watching lessons/: the verdict on every file that is saved comes below. Ctrl-C stops.")
    with desk:
        show(render(desk.check(entry.name).record, width=columns()))
        for names in saves(outline, Event(), since):
            for saved in names:
                show(render(desk.check(saved).record, width=columns()))


def _begin(outline: Outline, name: str | None) -> tuple[LessonEntry, Desk]:
    entry = outline.lesson(name) if name else next_lesson(outline, stages(outline)) or outline.lessons[0]
    return entry, Desk(outline)


def _turn(conversation: Conversation, events: Events) -> bool:
    """Take in all that has come, or wait a moment for it; False when it is time to go."""
    try:
        event = events.get(timeout=TICK)
        while True:
            if event(conversation) is False:
                return False
            event = events.get_nowait()
    except Empty:
        return True


def _work(jobs: PriorityQueue[Job], events: Events) -> None:
    while True:
        job = jobs.get()
        try:
            answer = job.run()
        except (AutogradCheckError, OSError) as error:
            answer = Answer(body=Text(f"{sentence(error)}\n"))
        except ModuleNotFoundError as error:
            answer = Answer(body=Text(f"{error}. It comes with: pip install 'autograd-check[train,derive]'\n"))
        events.put(partial(Conversation.hear, job=job, answer=answer))


def _listen(outline: Outline, stop: Event, since: Mapping[str, Version], events: Events) -> None:
    for names in saves(outline, stop, since):
        events.put(partial(Conversation.saved, names=names))


def _read(terminal: Terminal, stop: Event, events: Events) -> None:
    while keys := terminal.keys(stop):
        for key in keys:
            events.put(partial(Conversation.press, key=key))


def _nothing(width: int) -> Text:
    return Text()


def _hints(entry: LessonEntry, shown: int, width: int) -> Text:
    return render_hint(entry, shown, width, more="h", derive="d")


def _learnt(entry: LessonEntry) -> Wrapped:
    """`after_pass`, made once for each width."""
    return cache(lambda width: after_pass(entry, width=width))


def _told(records: Sequence[LessonRecord], width: int) -> Text:
    """A check of all: how many passed, and a line for each that is wrong."""
    text = Text(f"{summary(records)}\n\n", style="bold")
    for one in records:
        if one.status not in (Status.PASSED, Status.TODO):
            text.append(render(one, brief=True, width=width).split("\n")[0].append("\n"))
    return text


def _duration(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
