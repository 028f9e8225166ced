"""Linear regression
=================

A line through N points, and how far it misses them:

    p = w x + b,    loss = 1/N Σₙ (pₙ − yₙ)²      x, y (N,), w, b ()  →  a 0-d tensor

One w and one b serve all N points, so each collects the slopes of all of them:

    ∂loss/∂pₙ = 2/N (pₙ − yₙ),    ∂loss/∂w = Σₙ ∂loss/∂pₙ · xₙ,    ∂loss/∂b = Σₙ ∂loss/∂pₙ

Fitting starts from w = b = 0 and walks downhill, both parameters from the same gradient, `epochs` times:

    w ← w − lr ∂loss/∂w,    b ← b − lr ∂loss/∂b

Conventions: x and y must have one shape. (N, 1) against (N,) would broadcast to N × N pairs without a word, so it raises a `ValueError` that
names both shapes. fit returns w and b as 0-d tensors with the dtype of x.
"""

import torch


def linear_regression_forward(x, y, w, b):
    """Mean of (w x + b − y)².  x, y (N,), w, b () → loss (), cache."""
    ### BEGIN SOLUTION
    if x.shape != y.shape:
        raise ValueError(f"x {tuple(x.shape)} and y {tuple(y.shape)} must have the same shape")
    error = w * x + b - y
    return (error**2).mean(), (x, error)
    ### END SOLUTION


def linear_regression_backward(dout, cache):
    """dout () → dw (), db ()."""
    ### BEGIN SOLUTION
    x, error = cache
    dp = dout * 2 * error / error.numel()
    return (dp * x).sum(), dp.sum()
    ### END SOLUTION


def fit(x, y, *, lr, epochs):
    """x, y (N,) → w (), b () after `epochs` steps of gradient descent from w = b = 0."""
    ### BEGIN SOLUTION
    w, b = x.new_zeros(()), x.new_zeros(())
    for _ in range(epochs):
        loss, cache = linear_regression_forward(x, y, w, b)
        dw, db = linear_regression_backward(torch.ones_like(loss), cache)
        w, b = w - lr * dw, b - lr * db
    return w, b
    ### END SOLUTION


### BEGIN SPEC
from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Claim, Lesson, Pair, Properties, Property, Unanswered, mistake, probe, variant


def oracle(x, y, w, b):
    return torch.nn.functional.mse_loss(w * x + b, y)


def _line(seed, rows):
    """x and y (rows,) around the line 1.5 x − 2, which no seed turns round."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, generator=generator, dtype=torch.float64) + 0.5
    return x, 1.5 * x - 2 + 0.1 * torch.randn(rows, generator=generator, dtype=torch.float64)


def _ask(candidate, x, y, lr, epochs):
    outcome = candidate.call("fit", (x, y), {"lr": lr, "epochs": epochs})
    if not outcome.ok:
        raise Unanswered(outcome.failure, "fit")
    return outcome


def _fitted(candidate, x, y, lr, epochs):
    """w and b as one float64 tensor (2,), or None where anything else came back."""
    value = _ask(candidate, x, y, lr, epochs).value
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return None
    real = [
        part for part in value if isinstance(part, (float, int)) or (isinstance(part, torch.Tensor) and not part.is_complex())
    ]
    parts = [torch.as_tensor(part, dtype=torch.float64) for part in real]
    return torch.stack(parts) if [part.shape for part in parts] == [torch.Size(()), torch.Size(())] else None


def _slopes(x, y, w, b):
    w, b = (torch.tensor(value, dtype=x.dtype, requires_grad=True) for value in (w, b))
    with torch.enable_grad():
        return torch.stack(torch.autograd.grad(oracle(x, y, w, b), (w, b)))


def _descend(x, y, lr, epochs):
    parameters = torch.zeros(2, dtype=x.dtype)
    for _ in range(epochs):
        parameters = parameters - lr * _slopes(x, y, *parameters.tolist())
    return parameters


def _near(got, expected, tolerance=3e-6):
    """Equal to `tolerance`: the default forgives float32 constants, which are judged apart."""
    return float((got - expected).abs().max()) <= tolerance * (1e-3 + float(expected.abs().max()))


def starts_at_zero(candidate, seed):
    """Without an epoch the parameters are 0, and two 0-d values came back."""
    x, y = _line(seed, 5)
    if _ask(candidate, x, y, 0.1, 0).value is None:
        return Claim("fit returned None for epochs=0: return w and b after the loop, not inside it.", "returns_none")
    start = _fitted(candidate, x, y, 0.1, 0)
    if start is None:
        return Claim("fit must return (w, b), two 0-d tensors.", "wrong_shape")
    if bool(start.any()):
        w, b = start.tolist()
        if _near(start, _descend(x, y, 0.1, 1)):
            return Claim("fit takes one step too many: with epochs=0 yours returns w and b after a step.", "forward_wrong")
        return Claim(f"fit must start from w = b = 0; with no epochs yours returns w = {w:.4g}, b = {b:.4g}.", "forward_wrong")
    return Claim("starts from w = b = 0")


def walks_downhill(candidate, seed):
    """Every epoch is one step of gradient descent with torch's gradient."""
    for rows, lr, epochs in ((7, 0.1, 1), (4, 0.05, 2), (9, 0.2, 3), (1, 0.1, 2), (6, 0.1, 60)):  # rows = 1 hides 1/N
        x, y = _line(seed + rows, rows)
        got, expected = _fitted(candidate, x, y, lr, epochs), _descend(x, y, lr, epochs)
        if got is None:
            return Claim("fit must return (w, b), two 0-d tensors.", "wrong_shape")
        if not _near(got, expected):
            return _why(candidate, x, y, lr, epochs, got, expected)
    return Claim("follows gradient descent, step by step")


def _why(candidate, x, y, lr, epochs, got, expected):
    """Why (w, b) is wrong, by what its first step from (0, 0) is as a multiple of the right one."""
    evidence = {"got": got.tolist(), "expected": expected.tolist(), "rows": len(x), "lr": lr, "epochs": epochs}
    first, wanted = _fitted(candidate, x, y, lr, 1), _descend(x, y, lr, 1)
    if first is None or not bool(torch.isfinite(first).all()):
        return Claim("fit must return (w, b), two finite 0-d tensors.", "not_finite", evidence=evidence)
    if _near(first, wanted):
        says = (
            f"The first step is right, but after {epochs} epochs (w, b) is not: every epoch is one step with the same lr, by the "
            "gradient at the latest w and b."
        )
        return Claim(says, "stale_state", evidence=evidence)
    after_w = torch.stack([wanted[0], -lr * _slopes(x, y, float(wanted[0]), 0.0)[1]])
    if _near(first, after_w):
        says = "b is stepped by a gradient at the new w: take both gradients first, then step both parameters."
        return Claim(says, "overwritten", evidence=evidence)
    if not bool(first.any()):
        second = _fitted(candidate, x, y, lr, 2)
        if second is not None and _near(second, wanted):
            return Claim("fit takes one step too few: epochs=2 gives what one epoch should.", "forward_wrong", evidence=evidence)
        return Claim("After an epoch w and b are still 0.", "zero_gradient", evidence=evidence)
    factors = (first / wanted).tolist()
    if abs(factors[0] - factors[1]) > 1e-8 * abs(factors[0]):
        listed = f"w is {factors[0]:.6g} and b {factors[1]:.6g} times where it should be"
        return Claim(f"After the first epoch {listed}.", "forward_wrong", evidence=evidence)
    return _named(factors[0], len(x), evidence)


def _named(factor, rows, evidence):
    for value, cause, why in (
        (-1.0, "sign", "The first step has the right length and goes uphill: subtract lr times the gradient."),
        (
            float(rows),
            "missing_batch_mean",
            f"The first step is {rows} times too long, and there are {rows} rows: the loss is a mean.",
        ),
        (
            1 / rows,
            "extra_batch_mean",
            f"The first step is 1/{rows} as long, and there are {rows} rows: the mean was taken twice.",
        ),
    ):
        if abs(factor - value) < 1e-8 * abs(value):
            return Claim(why, cause, evidence=evidence)
    return Claim(f"The first step is {factor:.6g} times the right one.", "constant_factor", evidence=evidence)


def returns_tensors(candidate, seed):
    """w and b are tensors with the dtype of x, and exact to round-off in it."""
    x, y = _line(seed, 5)
    for dtype in (torch.float64, torch.float32):
        value = _ask(candidate, x.to(dtype), y.to(dtype), 0.1, 2).value
        if not isinstance(value, (tuple, list)) or not all(isinstance(part, torch.Tensor) for part in value):
            return Claim("fit returns no tensors; return w and b as 0-d tensors, which keep their dtype.", "wrong_type")
        wrong = [part.dtype for part in value if part.dtype is not dtype]
        if wrong:
            return Claim(f"For x in {dtype} fit returns {wrong[0]}; make new tensors with the dtype of x.", "wrong_dtype")
    if not _near(_fitted(candidate, x, y, 0.1, 5), _descend(x, y, 0.1, 5), 1e-10):
        return Claim(
            "w and b are right to float32 only, though x is float64: look for torch.tensor(…) without a dtype.", "wrong_dtype"
        )
    return Claim("w and b have the dtype of x")


def leaves_its_data_alone(candidate, seed):
    """x and y are as they were."""
    changed = _ask(candidate, *_line(seed, 6), 0.1, 3).changed
    if changed:
        return Claim(
            "fit changed x or y in place; make new tensors instead.", "mutates_input", evidence={"changed": list(changed)}
        )
    return Claim("leaves x and y as they were")


def _loops_forward(x, y, w, b):
    if x.shape != y.shape:
        raise ValueError(f"shapes differ: {tuple(x.shape)} and {tuple(y.shape)}")
    points = list(zip(x.tolist(), y.tolist(), strict=True))
    slope, offset = float(w), float(b)
    total = sum((slope * u + offset - v) ** 2 for u, v in points)
    return torch.tensor(total / len(points), dtype=x.dtype), (points, slope, offset)


def _loops_backward(dout, cache):
    points, slope, offset = cache
    dw = db = 0.0
    for u, v in points:
        error = slope * u + offset - v
        dw += 2 * error * u / len(points)
        db += 2 * error / len(points)
    return [dout * dw, dout * db]


def _loops_fit(x, y, *, lr, epochs):
    w, b = torch.zeros((), dtype=x.dtype), torch.zeros((), dtype=x.dtype)
    while epochs > 0:
        loss, cache = linear_regression_forward(x, y, w, b)
        dw, db = linear_regression_backward(torch.ones_like(loss), cache)
        w -= lr * dw
        b -= lr * db
        epochs -= 1
    return [w, b]


def _design_forward(x, y, w, b):
    if x.size() != y.size():
        raise ValueError(f"x is {tuple(x.size())}, y is {tuple(y.size())}")
    design = torch.stack([x, torch.ones_like(x)], 1)
    residual = y - design @ torch.stack([w, b])
    return residual @ residual / len(y), {"design": design, "residual": residual}


def _design_backward(dout, cache):
    design, residual = cache["design"], cache["residual"]
    gradient = -2 * dout * design.T @ residual / len(residual)
    return gradient[0].clone(), gradient[1].clone()


def _design_fit(x, y, *, lr, epochs):
    design = torch.stack([x, torch.ones_like(x)], 1)
    theta = torch.zeros(2, dtype=x.dtype)
    for _ in range(epochs):
        theta = theta - lr * 2 * design.T @ (design @ theta - y) / len(y)
    return tuple(theta.unbind())


def _moments_forward(x, y, w, b):
    if x.shape != y.shape:
        raise ValueError("x %s and y %s do not match" % (tuple(x.shape), tuple(y.shape)))

    class Cache:
        xx, xy, mx, my = (x * x).mean(), (x * y).mean(), x.mean(), y.mean()
        slopes = (2 * (w * xx + b * mx - xy), 2 * (w * mx + b - my))

    return torch.mean(torch.square(torch.add(torch.mul(x, w), b).sub(y))), Cache


def _moments_backward(dout, cache):
    return tuple(dout * slope for slope in cache.slopes)


def _moments_fit(x, y, *, lr, epochs):
    parameters = [x.new_zeros(()), x.new_zeros(())]
    for _ in range(epochs):
        gradients = _moments_backward(x.new_ones(()), _moments_forward(x, y, *parameters)[1])
        parameters = [p - lr * g for p, g in zip(parameters, gradients, strict=True)]
    return parameters


def _sequential_fit(x, y, *, lr, epochs):
    w, b = x.new_zeros(()), x.new_zeros(())
    for _ in range(epochs):
        w = w - lr * 2 * ((w * x + b - y) * x).mean()
        b = b - lr * 2 * (w * x + b - y).mean()
    return w, b


def _stale_fit(x, y, *, lr, epochs):
    w, b = x.new_zeros(()), x.new_zeros(())
    error = w * x + b - y
    for _ in range(epochs):
        w, b = w - lr * 2 * (error * x).mean(), b - lr * 2 * error.mean()
    return w, b


LESSON = Lesson(
    name="linear_regression",
    title="Linear regression",
    source="Bishop, Pattern Recognition and Machine Learning (2006), eq. 1.2 and 3.12; Goodfellow et al., Deep Learning (2016), section 5.1.4",
    requires=("sine_chain",),
    forbids=("mse_loss", "lstsq", "pinverse"),
    minutes=20,
    tasks=(
        Pair(
            "linear_regression",
            wrt=("w", "b"),
            oracle=oracle,
            probes=(
                probe("7 points", x=normal(7), y=normal(7), w=normal(), b=normal()),
                probe("one point", x=normal(1), y=normal(1), w=normal(), b=normal()),
                probe("5 points far from 0", x=normal(5, shift=3), y=normal(5, shift=-2), w=normal(), b=normal()),
                probe("non-contiguous", x=transposed(normal(6)), y=transposed(normal(6)), w=normal(), b=normal()),
                probe("from w = b = 0", x=normal(4), y=normal(4, shift=1), w=literal(0.0), b=literal(0.0)),
                probe("x of 100", x=normal(5, scale=100), y=normal(5), w=normal(), b=normal()),
            ),
            refuses=(
                probe("x (5,) against y (5, 1)", x=normal(5), y=normal(5, 1), w=normal(), b=normal(), mentions=("x", "y")),
                probe("x (5, 1) against y (5,)", x=normal(5, 1), y=normal(5), w=normal(), b=normal(), mentions=("x", "y")),
                probe("x (5,) against y (1,)", x=normal(5), y=normal(1), w=normal(), b=normal(), mentions=("x", "y")),
            ),
        ),
        Properties(
            functions=("fit",),
            properties=(
                Property("start", starts_at_zero),
                Property("trajectory", walks_downhill),
                Property("tensors", returns_tensors, subject="fit", convention=True),
                Property("unmodified", leaves_its_data_alone, subject="fit", convention=True),
            ),
            name="fit",
        ),
    ),
    mistakes=(
        mistake("broadcasts silently", "silent_broadcast", "x.shape != y.shape", "len(x) != len(y)"),
        mistake("1/N missing", "missing_batch_mean", " / error.numel()", ""),
        mistake("1/N twice", "extra_batch_mean", "return (dp * x).sum(), dp.sum()", "return (dp * x).mean(), dp.mean()"),
        mistake("2 forgotten", "constant_factor", "dout * 2 * error", "dout * error"),
        mistake("sign", "sign", "dout * 2 * error", "-dout * 2 * error"),
        mistake("x forgotten in dw", "missing_term", "(dp * x).sum()", "(dp * 1).sum()"),
        mistake("dw and db the wrong way round", "swapped", "(dp * x).sum(), dp.sum()", "dp.sum(), (dp * x).sum()"),
        mistake("db not summed", "missing_reduction", "dp.sum()", "dp"),
        mistake("upstream ignored", "ignores_upstream", "dout * 2 * error", "2 * error"),
        mistake("sum for mean in the loss", "missing_batch_mean", ".mean()", ".sum()"),
        mistake("uphill", "sign", "w - lr * dw, b - lr * db", "w + lr * dw, b + lr * db"),
        mistake("dout is the loss itself", "constant_factor", "torch.ones_like(loss)", "loss"),
        mistake("return inside the loop", "returns_none", "\n    return w, b", "\n        return w, b"),
        mistake("b stepped at the new w", "overwritten", fit=_sequential_fit),
        mistake("gradient taken once", "stale_state", fit=_stale_fit),
    ),
    variants=(
        variant(
            "python numbers, in-place steps",
            linear_regression_forward=_loops_forward,
            linear_regression_backward=_loops_backward,
            fit=_loops_fit,
        ),
        variant(
            "design matrix",
            linear_regression_forward=_design_forward,
            linear_regression_backward=_design_backward,
            fit=_design_fit,
        ),
        variant(
            "by moments, a class as cache",
            linear_regression_forward=_moments_forward,
            linear_regression_backward=_moments_backward,
            fit=_moments_fit,
        ),
    ),
    hints=(
        "Name the steps: p = w x + b, error = p − y, loss = mean of error². Differentiate from the last to the first.",
        "dp, the gradient of every prediction, is the heart: dw and db are both sums over dp, with the factor that w and b have in p.",
        "In fit, dout is torch.ones_like(loss). Compute dw and db at the old w and b, then step both.",
    ),
)
### END SPEC
