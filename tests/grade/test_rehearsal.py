"""Lessons tried out by who writes them: right ones pass, and whatever is left out is a sentence with file and line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autograd_check.course.load import Course
from autograd_check.course.new import new_course, new_lesson
from autograd_check.course.outline import read_outline
from autograd_check.errors import CourseError
from autograd_check.grade.rehearsal import Rehearsal, rehearse
from autograd_check.grade.session import Session
from tests import support

AUTHORED = Path(__file__).parents[1] / "authored"
SOFTSIGN, VARIANTS = ((AUTHORED / name).read_text(encoding="utf-8") for name in ("softsign.py", "softsign_variants.py"))
BLAME = ("report it", "checker itself")


def course(folder: Path, name: str, lesson: str, variants: str | None) -> Course:
    """A new course with one lesson, filled in."""
    root = folder / "course"
    new_course(root)
    path, others = new_lesson(read_outline(root), name)
    path.write_text(lesson, encoding="utf-8")
    if variants is None:
        others.unlink()
    else:
        others.write_text(variants, encoding="utf-8")
    return Course(read_outline(root))


def rehearsed(folder: Path, lesson: str = SOFTSIGN, variants: str | None = VARIANTS) -> Rehearsal:
    return rehearse(course(folder, "softsign", lesson, variants), "softsign")


@pytest.mark.parametrize("name", ["softsign", "scaled_sum"])
def test_a_lesson_of_about_eighty_lines_is_fit_to_be_handed_out(name: str, tmp_path: Path) -> None:
    text, variants = ((AUTHORED / f"{name}{more}.py").read_text(encoding="utf-8") for more in ("", "_variants"))
    found = rehearse(course(tmp_path, name, text, variants), name)
    assert found.faults == ()
    assert len(text.splitlines()) <= 85
    assert found.tried[0] == "5 mistakes, each found with its cause; 2 variants; 3 seeds"


def test_what_was_not_made_is_listed() -> None:
    found = rehearse(support.course(), "linear")
    assert found.faults == ()
    assert found.tried[1] == "linear: 6 probes, 4 of them automatic"


FUNCTIONS = '\n    """dout like x → dx like x."""\n    ### BEGIN SOLUTION\n    x = cache\n    return dout / (1 + x.abs()) ** 2\n    ### END SOLUTION\n'
HINT = '        "Both are one divided by the square of the denominator.",\n'
ABLATIONS: dict[str, tuple[str | re.Pattern[str], str, str]] = {
    "the markers of a function": (FUNCTIONS, FUNCTIONS.replace("    ### BEGIN SOLUTION\n", "").replace("    ### END SOLUTION\n", ""),
        "softsign.py:«def softsign_backward»: softsign_backward has no solution markers, so its answer is handed out: put ### BEGIN SOLUTION before it"),
    "one marker": ("    ### END SOLUTION\n\n\n### BEGIN SPEC", "\n\n### BEGIN SPEC", "softsign.py:«### BEGIN SOLUTION/2»: ### BEGIN SOLUTION has no ### END"),
    "the oracle": ("            oracle=lambda x: F.softsign(x),\n", "", "softsign.py:«        Layer(»: Layer(...) lacks oracle: add oracle=..."),
    "what the oracle needs": ("F.softsign(x)", "F.softsine(x)", "softsign.py:«oracle=»: The oracle cannot be run at the base sizes (shape (5, 3)): AttributeError: … Correct oracle= or sizes=."),
    "a finite oracle": ("F.softsign(x)", "F.softsign(x) / 0", "softsign.py:«        Layer(»: The oracle cannot be run at the base sizes (shape (5, 3)): it is not finite. Correct oracle= or draw=."),
    "the default in both": ("lambda x:", "lambda x, *, scale:", "softsign.py:«        Layer(»: scale has no value where a probe says nothing: give it a default in the oracle and in the forward (scale=1.0), or say hyper=dict(scale=...)."),
    "a hyperparameter of the forward": ("lambda x:", "lambda x, *, scale=1.0:", "softsign.py:«def softsign_forward»: softsign_forward takes no scale, and the oracle does: write scale=1.0 behind a *, or take it out of the oracle."),
    "a default of the forward": (re.compile(r"forward\(x\):(.*)lambda x:", re.S), r"forward(x, *, scale):\1lambda x, *, scale=1.0:",
        "softsign.py:«def softsign_forward»: softsign_forward gives scale no default, and the oracle does: write scale=1.0, or say hyper=dict(scale=...)."),
    "the name of a hyperparameter": (re.compile(r"forward\(x\):(.*)lambda x:", re.S), r"forward(x, *, s):\1lambda x, *, scale=1.0:",
        "softsign.py:«def softsign_forward»: softsign_forward needs s, which the oracle does not take: its hyperparameters are scale."),
    "the names of the shapes": ("softsign_forward(x):", "softsign_forward(z):", "softsign.py:«def softsign_forward»: softsign_forward takes (z) and the shapes say (x): use the same names in this order."),
    "the shape of the output": ("x[...] -> out[...]", "x[...] -> out[]", "softsign.py:«        Layer(»: The oracle gives out of shape (5, 3) at the base sizes (shape (5, 3)), and the shapes say out[]."),
    "a margin": ("apart, and see", "apart," + " and see" * 20, "softsign.py:«and see and see»: 185 columns, and what is handed out has at most 110: break the line."),
    "an end": ("### BEGIN SPEC\n", "### BEGIN SPEC\n" + "# more\n" * 200, "softsign.py:241: 269 lines, and a lesson has at most 240: make two of it, or put what the lessons of a unit share into its given.py."),
    "another name for a mistake": ('edit(" ** 2", ""', 'edit(" ** 2", " ** 3", "denominator not squared", Cause.WRONG_OPERAND),\n        edit(" ** 2", ""',
        "softsign.py:«denominator not squared»: two mistakes are named 'denominator not squared': leave one out, or give it a name of its own."),
    "another edit": ('edit(" ** 2", "", "denominator not squared"', 'edit(" ** 2", "", "no square", Cause.WRONG_OPERAND),\n        edit(" ** 2", "", "denominator not squared"',
        "softsign.py:«denominator not squared»: the mistakes 'no square' and 'denominator not squared' are the same edit: leave one out."),
    "what an edit changes": ('edit(" ** 2", ""', 'edit(" ** 2", " ** 2"', "softsign.py:«denominator not squared»: mistake 'denominator not squared' edits ' ** 2' to the same text: write what people write instead."),
    "the right oracle": ("F.softsign(x)", "F.tanh(x)", "softsign.py:«oracle=»: the solution does not pass (seed 0): out: … Reference (line «def softsign_forward») and oracle (line «oracle=») disagree about out: look at both."),
    "the right reference": ("x = cache\n    return", "x = cache**2\n    return",
        "softsign.py:«def softsign_backward»: the solution does not pass (seed 0): dx: … Look at the reference, at the oracle (line «oracle=»), and at the probe that is named (line "),
    "what the backward returns": ("return dout / (1 + x.abs()) ** 2", "return dout / (1 + x.abs()) ** 2, dout",
        "softsign.py:«def softsign_backward»: the solution does not pass (seed 0): dx: … What the backward returns and the shapes do not go together."),
    "the same default": (re.compile(r"forward\(x\):(.*)lambda x:(.*)edge\(", re.S), r"forward(x, *, scale=2.0):\1lambda x, *, scale=1.0:\2edge('thrice', scale=3.0), edge(",
        "softsign.py:«def softsign_forward»: softsign_forward gives scale the default 2.0, and the oracle 1.0: write the same in both."),
    "the path through the oracle": ("F.softsign(x)", "F.softsign(x.detach()) + 0 * x",
        "softsign.py:«oracle=»: the oracle's gradient of x is 0 at every probe: take a .detach() out of it, or name in wrt=(...) what gets a gradient."),
    "the import of the oracle": ("import torch.nn.functional as F\n", "",
        "softsign.py:«oracle=»: The oracle cannot be run at the base sizes (shape (5, 3)): NameError: name 'F' is not defined. Import it behind ### BEGIN SPEC."),
    "the tuple of probes": (re.compile(r"probes=\(.*?\n            \),", re.S), 'probes=edge("far out", x=[1e3]),', "softsign.py:«        Layer(»: probes must be a tuple: add a comma behind a single one, probes=(...,), found At("),
    "what is forbidden": ('forbids=("softsign",)', 'forbids=("softsing",)', "softsign.py:«forbids=»: torch has no softsing, so forbidding it does nothing; did you mean softsign?"),
    "a name that is near": ('forbids=("softsign",)', 'forbids=("torch.softsign", "nothing_of_the_kind")', "softsign.py:«forbids=»: torch has no nothing_of_the_kind, so forbidding it does nothing; write the name as torch has it."),
    "a whole function": (re.compile(r"def softsign_backward.*?### END SOLUTION\n", re.S), "", "softsign.py:«LESSON =»: the lesson asks for softsign_backward, which the file does not define"),
    "what the forward returns": ("    return out, x\n", "    return out\n",
        "softsign.py:«def softsign_forward»: the solution does not pass (seed 0): out: … Look at what softsign_forward takes and returns, and at the probe that is named (line «probes=(»)."),
    "what the reference uses": ('forbids=("softsign",)', 'forbids=("abs",)', "softsign.py:«return dout / (1»: the solution does not pass (seed 0): dx: … Write the reference without it, or take 'abs' out of forbids=(...) (line «forbids=»)."),
    "what the oracle takes": (re.compile(r'forward\(x\):(.*)lambda x: F.softsign\(x\)(.*)edge\("far out"', re.S), r'forward(x, *, scale=1.0):\1lambda x, *, scale=1.0: F.softsign(x) * scale\2edge("far out", scale="big"',
        "softsign.py:«scale=\"big\"»: the oracle (line «oracle=») raises at the probe 'far out': TypeError: … Correct the probe, or the oracle."),
    "an import": (", wrong\n", "\n", "softsign.py:«wrong(»: wrong is not imported: add it to from autograd_check.course import ..."),
    "what is refused": (re.compile(r'edit, standard, (.*)(\n *)edge\("far', re.S), r'edit, refused, standard, \1\2refused("a vector", says="x has rows", mentions=("x",), rest=(4,)),\2edge("far',
        "softsign.py:«a vector»: the solution does not pass (seed 0): softsign_forward: softsign_forward accepts x (4,), but must raise ValueError naming the shapes of x: … Either this probe asks for too much or softsign_forward (line «def softsign_forward») for too little."),
    "the oracle's arguments": ("lambda x:", "lambda z:", "softsign.py:«        Layer(»: The oracle takes (z) and the shapes say (x): use the same names."),
    "the shapes": ('            "x[...] -> out[...]",\n', "", "softsign.py:«        Layer(»: Layer(...) lacks shapes: add shapes=..."),
    "the arrow": ("x[...] -> out[...]", "x[...]", "softsign.py:«        Layer(»: 'x[...]': expected PRIMALS -> OUTPUTS"),
    "the sizes": ("            sizes=dict(rest=(5, 3)),\n", "", "softsign.py:«        Layer(»: sizes= does not say how large rest is."),
    "wrt": ("            sizes=", '            wrt=("y",),\n            sizes=', "softsign.py:«        Layer(»: wrt=('y',): only x can have a gradient."),
    "a keyword": ("edge(\"far out\", x=", "edge(\"far out\", y=", "softsign.py:«        Layer(»: 'far out': 'y' is nothing that this task has"),
    "what varies a hyperparameter": ("lambda x: F.softsign(x)", "lambda x, *, scale=1.0: F.softsign(x) * scale",
        "softsign.py:«probes=(»: no probe varies scale, so whoever ignores it passes: add at(scale=...) to probes=(...) with another value than 1.0."),
    "the probes": (re.compile(r"            probes=\(.*?\n            \),\n", re.S), "",
        "softsign has only the probes that every layer has: add probes=(...)"),
    "the source": ("    source=\"Glorot and Bengio (2010), section 3.1\",\n", "", "softsign.py:«LESSON =»: Lesson(...) lacks source: add source=..."),
    "what the source says": ("Glorot and Bengio (2010), section 3.1", "", "softsign.py:«source=»: no source: name the paper or textbook"),
    "why it works": (re.compile(r'    why=".*",\n'), "", "softsign.py:«hints=(»: no reason: say to who has passed why the answer is what it is: why='...'."),
    "a hint": (HINT, "", "softsign.py:«hints=(»: 2 hints, and a lesson has 3 that lead without telling."),
    "all hints": (re.compile(r"    hints=\(.*?\n    \),\n", re.S), "", "softsign.py:«LESSON =»: Lesson(...) lacks hints: add hints=..."),
    "the mistakes": (
        re.compile(r"    mistakes=\(.*?\n    \),\n", re.DOTALL),
        "",
        "variants/u01_first/softsign.py:38: 'return inside the loop' in WRONG is no mistake of solutions/u01_first/softsign.py: add wrong(",
    ),
    "enough mistakes": (
        re.compile(r"        edit\(.*?\),\n"),
        "",
        "softsign.py:«mistakes=(»: 2 mistakes, and a lesson has at least 3: add edit(old, new, name, Cause....)",
    ),
    "a cause": ("Cause.SIGN", "Cause.SINE", "softsign.py:«Cause.SINE»: There is no cause 'sine': did you mean sign?"),
    "the text that is edited": ('edit(" ** 2"', 'edit(" ** 3"', "softsign.py:«denominator not squared»: mistake 'denominator not squared' edits ' ** 3', which does not"),
    "the right cause": ("Cause.MISSING_TERM", "Cause.TRANSPOSED", "softsign.py:«denominator not squared»: the mistake 'denominator not squared' is not found to be transposed but missing_term (dx: … ): give it the cause that it has (Cause.MISSING_TERM), or say in by_fingerprint=UNSEEN_TERM, UNSEEN_INDEX, UNSEEN_STATE or '...' why only its own numbers can tell it, or choose a simpler mistake."),
    "a mistake that is one": ('edit(" ** 2", ""', 'edit(" ** 2", "**2"', "softsign.py:«denominator not squared»: the mistake 'denominator not squared' passes: add a probe at which it shows"),
    "python in a mistake": ('edit(" ** 2", ""', 'edit(" ** 2", "("', "softsign.py:«denominator not squared»: the mistake 'denominator not squared' cannot be made: SyntaxError"),
    "the prose": (re.compile(r'^""".*?"""\n', re.S), "", "softsign.py:1: there is no prose: begin the file with a docstring"),
    "a docstring": ('    """dout like x → dx like x."""\n', "", "softsign.py:«def softsign_backward»: softsign_backward has no docstring: say in one line"),
    "a function": ("def softsign_backward", "def softsine_backward", "softsign.py:«LESSON =»: the lesson asks for softsign_backward, which the file does not"),
    "the name": ('name="softsign"', 'name="softsine"', "softsign.py:«name=»: the lesson calls itself 'softsine'; its name must be 'softsign'"),
    "the title": ('    title="The softsign",\n', "", "softsign.py:«LESSON =»: LESSON has no title: add title='...'."),
    "the tuple of requires": ("requires=()", 'requires="tanh"', "softsign.py:«requires=»: requires must be a tuple of texts: requires=('tanh',), found 'tanh' (str)."),
    "the quotes of points": ("    requires=()", '    points="5",\n    requires=()', "softsign.py:«points=»: points must be a whole number above 0: points=10, found '5' (str)."),
    "points at all": ("    requires=()", "    points=0,\n    requires=()", "softsign.py:«points=»: points must be a whole number above 0: points=10, found 0 (int)."),
    "a sign of points": ("    requires=()", "    points=-5,\n    requires=()", "softsign.py:«points=»: points must be a whole number above 0: points=10, found -5 (int)."),
    "minutes": ("    requires=()", "    minutes=2.5,\n    requires=()", "softsign.py:«minutes=»: minutes must be a whole number above 0: minutes=10, found 2.5 (float)."),
    "the line of the title": ('title="The softsign"', 'title="The\\nsoftsign"', "softsign.py:«title=»: title must be a text of one line: title='...', found 'The\\nsoftsign' (str)."),
    "the tuple of hints": (re.compile(r"hints=\(.*?\n    \),", re.S), 'hints="Look.",', "softsign.py:«hints=»: hints must be a tuple of texts: hints=('Look.',), found 'Look.' (str)."),
    "the comma of forbids": (re.compile(r"forbids=.*"), 'forbids=("softsign"),', "softsign.py:«forbids=»: forbids must be a tuple of texts: forbids=('softsign',), found 'softsign' (str)."),
    "the name of a field": ("    requires=()", "    pionts=5,\n    requires=()", "softsign.py:«pionts=»: Lesson(...) takes no pionts; did you mean points?"),
    "the name of a layer's field": ("            probes=(", "            probe=(", "softsign.py:«        Layer(»: Layer(...) takes no probe; did you mean probes?"),
    "the comma of wrt": ("            sizes=", '            wrt=("x"),\n            sizes=', "softsign.py:«        Layer(»: wrt must be a tuple of names: wrt=('x',), found 'x' (str)."),
    "what is required": ("requires=()", 'requires=("tanh",)', "softsign.py:«requires=»: softsign requires 'tanh'. There is no lesson named 'tanh'"),
    "the specification's markers": (re.compile(r"### (BEGIN|END) SPEC\n"), "", "the specification is handed out: put ### BEGIN SPEC before"),
}  # fmt: skip


def placed(says: str, *texts: str | None) -> str:
    """The sentence with the line of what stands in «»; «.../2» is the second one of these. " … " parts what need not be whole."""

    def line(found: re.Match[str]) -> str:
        what, _, number = found[1].partition("/") if re.search(r"/\d$", found[1]) else (found[1], "", "1")
        lines = [n for text in texts if text for n, line in enumerate(text.splitlines(), 1) if what in line]
        return str(lines[int(number) - 1])

    return re.sub("«(.*?)»", line, says)


@pytest.mark.parametrize("what", ABLATIONS)
def test_whatever_is_left_out_is_said_with_file_and_line(what: str, tmp_path: Path) -> None:
    old, new, says = ABLATIONS[what]
    text = old.sub(new, SOFTSIGN) if isinstance(old, re.Pattern) else SOFTSIGN.replace(old, new)
    assert text != SOFTSIGN
    try:
        faults = rehearsed(tmp_path, text).faults
    except Exception as error:  # a course that cannot be listed has no lesson to try out
        faults = (str(error),)
    parts = placed(says, text).split(" … ")
    assert any(all(part in fault for part in parts) for fault in faults), (parts, faults)
    assert all(re.match(r"solutions/(variants/)?u01_first/softsign\.py:\d+: ", fault) for fault in faults), faults
    assert not any(word in fault for fault in faults for word in BLAME)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (None, "no variants, and a lesson has at least 2"),
        (
            VARIANTS.replace("WRONG = ", "OTHERS = "),
            "softsign.py:«ROWS_MISSING»: wrong('return inside the loop') has no functions",
        ),
        (
            VARIANTS.replace("dout / below / below", "dout / below"),
            "variants/u01_first/softsign.py:«a closure as cache»: the variant 'a closure as cache' does not pass: dx: ",
        ),
        (
            VARIANTS.replace("return x / below", "return TODO / below"),
            "variants/u01_first/softsign.py:«return TODO»: still to be written: return TODO",
        ),
        (
            VARIANTS.replace("_closure_forward, ", "_loops_forward, ").replace(
                "backward=_closure_backward", "backward=_loops_backward"
            ),
            "variants/u01_first/softsign.py:«a closure as cache»: the variants 'python numbers' and 'a closure as cache' are the same "
            "functions: write another way, or leave one out.",
        ),
        (
            VARIANTS.replace("a closure as cache", "python numbers"),
            "variants/u01_first/softsign.py:«python numbers»: two variants are named 'python numbers': give each a name of its own.",
        ),
    ],
)
def test_what_is_wrong_with_variants_is_said(change: str | None, says: str, tmp_path: Path) -> None:
    text = (
        SOFTSIGN if change is not None else SOFTSIGN.replace('        wrong("return inside the loop", Cause.ROWS_MISSING),\n', "")
    )
    faults = rehearsed(tmp_path, text, change).faults
    assert any(placed(says, text, change) in fault for fault in faults), faults


def test_the_oracle_says_what_is_right_at_a_tie(tmp_path: Path) -> None:
    text = (
        SOFTSIGN.replace('edge("zero and both signs", ', 'convention("zero and both signs", Cause.TIES, "the slope at 0 is 0", ')
        .replace("import ELEMENTWISE, Cause, ", "import ELEMENTWISE, Cause, convention, ")
        .replace("    x = cache\n", "    x = cache\n    dout = dout * (x != 0)\n")
    )
    (fault,) = rehearsed(tmp_path, text).faults
    assert placed("softsign.py:«zero and both signs»: the solution does not pass (seed 0): ", text) in fault
    says = "The oracle (line «oracle=») says what is right there: change it, or the reference (line «def softsign_forward»)."
    assert placed(says, text) in fault


def test_every_fault_of_a_solution_has_its_own_line(tmp_path: Path) -> None:
    text = (
        SOFTSIGN.replace("F.softsign(x)", "F.tanh(x)")
        .replace("edit, standard", "edit, mismatched, standard")
        .replace("*ELEMENTWISE,", '*ELEMENTWISE,\n                *mismatched("x", "2"),')
    )
    faults = rehearsed(tmp_path, text).faults
    lines = [placed(says, text) for says in ("softsign.py:«oracle=»: ", 'softsign.py:«*mismatched("x"»: ')]
    assert all(any(line in fault for fault in faults) for line in lines), faults


def test_a_stub_in_which_something_runs_is_told(tmp_path: Path) -> None:
    text = SOFTSIGN.replace(
        "    ### BEGIN SOLUTION\n    x = cache\n",
        "    x = cache\n    if x is not None:\n        return dout\n    ### BEGIN SOLUTION\n",
    )
    faults = rehearsed(tmp_path, text).faults
    assert any("softsign.py:23: the solution does not pass (seed 0): dx: " in fault for fault in faults), faults


def test_imports_are_required(tmp_path: Path) -> None:
    made = course(tmp_path, "softsign", SOFTSIGN, VARIANTS)
    path, others = new_lesson(made.outline, "twice")
    path.write_text(
        SOFTSIGN.replace("softsign_", "twice_")
        .replace('name="softsign"', 'name="twice"')
        .replace("def twice_forward", "from solutions.u01_first.softsign import softsign_forward\n\n\ndef twice_forward", 1)
    )
    others.write_text(VARIANTS.replace("softsign_", "twice_"))
    faults = rehearse(Course(read_outline(made.root)), "twice").faults
    assert faults == (
        "solutions/u01_first/twice.py:15: it imports softsign and does not require it: add 'softsign' to requires=(...).",
    )


def test_a_new_lesson_lists_what_is_to_be_written(tmp_path: Path) -> None:
    root = tmp_path / "course"
    new_course(root)
    new_lesson(read_outline(root), "softplus")
    found = rehearse(Course(read_outline(root)), "softplus")
    assert len(found.faults) > 20
    assert found.faults[0].startswith("solutions/u01_first/softplus.py:4: still to be written: TODO: the idea in a few lines")


def test_a_lesson_begun_says_what_lists_the_rest(tmp_path: Path) -> None:
    root = tmp_path / "course"
    new_course(root)
    new_lesson(read_outline(root), "softplus")
    with pytest.raises(
        CourseError, match=r"softplus.py:\d+: still to be written. What else is: autograd-check test-lesson softplus$"
    ):
        Course(read_outline(root)).lesson("softplus")


def test_students_are_told_that_the_lesson_is_at_fault(tmp_path: Path) -> None:
    """The oracle fails at one of the lesson's own points only: that is not the fault of whoever hands something in."""
    broken = SOFTSIGN.replace("lambda x: F.softsign(x)", "lambda x: F.softsign(x) if x.dim() != 4 else x.nothing")
    made = course(tmp_path, "softsign", broken, VARIANTS)
    path = tmp_path / "softsign.py"
    path.write_text(SOFTSIGN.partition("### BEGIN SPEC")[0])
    (finding,) = Session(made).grade_file("softsign", path).findings
    assert finding.message.startswith("the lesson itself is at fault, not this file: solutions/u01_first/softsign.py:")
    assert finding.message.endswith("finds out more with: autograd-check test-lesson softsign")
    faults = rehearse(made, "softsign").faults
    assert any("raises at the probe 'four axes'" in fault and "has no attribute 'nothing'" in fault for fault in faults), faults


def test_who_is_right_is_not_blamed_for_a_wrong_oracle(tmp_path: Path) -> None:
    """What the lesson's own reference fails too is the lesson's fault; what it passes is the student's."""
    wrong = SOFTSIGN.replace("F.softsign(x)", "F.softsign(2 * x)")
    path = tmp_path / "softsign.py"
    path.write_text(SOFTSIGN.partition("### BEGIN SPEC")[0])
    (finding,) = Session(course(tmp_path / "wrong", "softsign", wrong, VARIANTS)).grade_file("softsign", path).findings
    assert finding.status == "error"
    says = "the lesson itself is at fault, not this file: its own reference fails too, solutions/u01_first/softsign.py:«oracle=»: out: out is wrong"
    assert finding.message.startswith(placed(says, wrong))
    assert finding.message.endswith("finds out more with: autograd-check test-lesson softsign")
    right = course(tmp_path / "right", "softsign", SOFTSIGN, VARIANTS)
    path.write_text(path.read_text().replace("** 2", "** 3"))
    assert Session(right).grade_file("softsign", path).status == "failed"


def test_what_a_definition_warns_of_is_not_for_students(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """Neither where the lesson is loaded, nor at its probes, nor where a diagnosis asks about other arguments."""
    loud = SOFTSIGN.replace("lambda x: F.softsign(x)", "lambda x: warnings.warn('an old form', UserWarning, 1) or F.softsign(x)")
    made = course(tmp_path, "softsign", loud.replace("import torch", "import warnings\n\nimport torch", 1), VARIANTS)
    path = tmp_path / "softsign.py"
    path.write_text(SOFTSIGN.partition("### BEGIN SPEC")[0].replace("** 2", "** 3"))
    assert Session(made).grade_file("softsign", path).status == "failed"
    assert [str(warning.message) for warning in recwarn] == []


def test_a_course_that_does_not_state_its_vocabulary_is_not_fit(tmp_path: Path) -> None:
    made = course(tmp_path, "softsign", SOFTSIGN, VARIANTS)
    (made.root / "solutions" / "about.toml").unlink()
    assert rehearse(made, "softsign").faults == ("solutions/about.toml: it is not there: write one that says vocabulary = 1.",)


def test_a_hunt_that_hands_its_answer_out_is_at_fault_and_not_the_file(tmp_path: Path) -> None:
    hunt = SOFTSIGN.replace("    requires=(),", "    requires=(),\n    given=True,").replace(
        "apart, and see", "return dout / (1 + x.abs()) ** 2"
    )
    path = tmp_path / "softsign.py"
    path.write_text(SOFTSIGN.partition("### BEGIN SPEC")[0])
    (finding,) = Session(course(tmp_path, "softsign", hunt, VARIANTS)).grade_file("softsign", path).findings
    says = "the lesson itself is at fault, not this file: solutions/u01_first/softsign.py:9: this line gives the answer away: 'return dout"
    assert finding.message.startswith(says)
