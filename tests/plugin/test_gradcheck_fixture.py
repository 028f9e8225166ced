"""The fixture and the marker for authors of a library."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

TESTS = """
    import pytest, torch

    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, dout):
            return 2 * dout * ctx.saved_tensors[0] ** 2

    X = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)

    def test_right(gradcheck):
        assert gradcheck(torch.sin, X).status == "passed"

    def test_wrong(gradcheck):
        gradcheck(Cube.apply, X)

    @pytest.mark.gradcheck(check_forward_ad=True)
    def test_marked(gradcheck):
        assert "forward mode" in {f.check for f in gradcheck(torch.sin, X).findings}
        assert "forward mode" not in {f.check for f in gradcheck(torch.sin, X, check_forward_ad=False).findings}
"""


def test_the_report_is_the_failure(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess("--strict-markers", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["gradcheck of Cube.apply · failed", "*2 of 2 entries differ, worst at *: yours 8.988, expected 13.48*"]
    )
    assert "Traceback" not in result.stdout.str()
