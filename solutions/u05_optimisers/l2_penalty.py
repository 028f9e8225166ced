"""The l2 penalty
==============

Large weights let a network fit noise. Add a price for them to the loss, half the squared length of the weights times a strength λ:

    out = ½ λ Σ w²      w of any shape  →  a 0-d tensor

    ∂out/∂w = λ w

The half is there so that the gradient has no 2: this gradient, added to the loss's own, is exactly what torch's SGD calls `weight_decay`.

Conventions: λ is the keyword `weight_decay`, 1e-2 by default. The sum runs over all entries and is not divided by their number.
"""


def l2_penalty_forward(w, *, weight_decay=1e-2):
    """½ λ Σ w².  w any shape → penalty (), cache."""
    ### BEGIN SOLUTION
    out = 0.5 * weight_decay * (w**2).sum()
    return out, (w, weight_decay)
    ### END SOLUTION


def l2_penalty_backward(dout, cache):
    """dout () → dw like w."""
    ### BEGIN SOLUTION
    w, weight_decay = cache
    return dout * weight_decay * w
    ### END SOLUTION


### BEGIN SPEC
import torch

from autograd_check.course.samples import literal, normal, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(w, *, weight_decay=1e-2):
    return 0.5 * weight_decay * torch.linalg.vector_norm(w).square()


def _without_half_forward(w, *, weight_decay=1e-2):
    return weight_decay * (w**2).sum(), (w, weight_decay)


def _without_half_backward(dout, cache):
    w, weight_decay = cache
    return dout * 2 * weight_decay * w


def _norm_forward(w, *, weight_decay=1e-2):
    length = (w**2).sum().sqrt()
    return 0.5 * weight_decay * length, (w, weight_decay, length)


def _norm_backward(dout, cache):
    w, weight_decay, length = cache
    return dout * 0.5 * weight_decay * w / length


def _loops_forward(w, *, weight_decay=1e-2):
    total = sum(entry * entry for entry in w.reshape(-1).tolist())
    return torch.tensor(weight_decay * total / 2, dtype=w.dtype), (w.clone(), weight_decay)


def _loops_backward(dout, cache):
    w, weight_decay = cache
    dw = torch.empty_like(w)
    for index in (
        torch.cartesian_prod(*map(torch.arange, w.shape)) if w.dim() > 1 else torch.arange(w.numel())[:, None]
    ):
        position = tuple(torch.atleast_1d(index).tolist())
        dw[position] = w[position] * weight_decay * dout
    return dw


def _dotted_forward(w, *, weight_decay=1e-2):
    flat = w.flatten()
    return flat @ flat * (weight_decay / 2), lambda dout: torch.mul(w, weight_decay * dout)


def _dotted_backward(dout, cache):
    return cache(dout)


def _scaled_forward(w, *, weight_decay=1e-2):
    return torch.mean(w * w) * w.numel() * weight_decay * 0.5, {"pull": w * weight_decay}


def _scaled_backward(dout, cache):
    return (cache["pull"] * dout,)


LESSON = Lesson(
    name="l2_penalty",
    title="The l2 penalty",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 7.2 and 7.3",
    requires=("sgd",),
    points=5,
    minutes=10,
    tasks=(
        Pair(
            "l2_penalty",
            wrt=("w",),
            oracle=oracle,
            bench=probe("64 by 64", w=normal(64, 64)),
            probes=(
                probe("4 by 3, strength not given", w=normal(4, 3)),
                probe("strength 0.3", hyper={"weight_decay": 0.3}, w=normal(5, 2)),
                probe("strength 2", hyper={"weight_decay": 2.0}, w=normal(2, 7)),
                probe("one row", hyper={"weight_decay": 0.7}, w=normal(1, 6)),
                probe("one axis", hyper={"weight_decay": 0.1}, w=normal(9)),
                probe("four axes", hyper={"weight_decay": 0.5}, w=normal(2, 3, 4, 5)),
                probe("non-contiguous", hyper={"weight_decay": 1.5}, w=transposed(normal(5, 3))),
                probe("with zeros", hyper={"weight_decay": 4.0}, w=literal([[0.0, -2.0], [0.0, 1e-3]])),
                probe("strength 0", hyper={"weight_decay": 0.0}, w=normal(3, 2)),
            ),
        ),
    ),
    mistakes=(
        mistake(
            "2 in the gradient", "constant_factor", "dout * weight_decay * w", "dout * 2 * weight_decay * w"
        ),
        mistake(
            "half in the gradient",
            "constant_factor",
            "dout * weight_decay * w",
            "dout * 0.5 * weight_decay * w",
        ),
        mistake("mean for sum", "constant_factor", "(w**2).sum()", "(w**2).mean()"),
        mistake("strength forgotten", "missing_term", "dout * weight_decay * w", "dout * w"),
        mistake("upstream ignored", "ignores_upstream", "dout * weight_decay * w", "weight_decay * w"),
        mistake(
            "the sign only, as for an l1 penalty",
            "wrong_operand",
            "weight_decay * w",
            "weight_decay * w.sign()",
            by_fingerprint="what is edited is neither a term nor a factor that the arrays of the call can show",
        ),
        mistake("sign", "sign", "dout * weight_decay * w", "-dout * weight_decay * w"),
        mistake(
            "half forgotten, in both passes",
            "consistent_with_wrong_forward",
            l2_penalty_forward=_without_half_forward,
            l2_penalty_backward=_without_half_backward,
        ),
        mistake(
            "the norm, not squared",
            "consistent_with_wrong_forward",
            l2_penalty_forward=_norm_forward,
            l2_penalty_backward=_norm_backward,
        ),
    ),
    variants=(
        variant("loops", l2_penalty_forward=_loops_forward, l2_penalty_backward=_loops_backward),
        variant(
            "a dot product, a closure as cache",
            l2_penalty_forward=_dotted_forward,
            l2_penalty_backward=_dotted_backward,
        ),
        variant(
            "a mean, scaled back", l2_penalty_forward=_scaled_forward, l2_penalty_backward=_scaled_backward
        ),
    ),
    hints=(
        "Only one term of the sum contains w[i, j]. Differentiate it.",
        "The penalty does not know what is done with it later: dout multiplies its gradient.",
        "The backward needs w and λ, so both go into the cache.",
    ),
)
### END SPEC
