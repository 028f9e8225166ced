"""The l2 penalty
==============

Large weights let a network fit noise. Add a price for them to the loss, half the squared length of the
weights times a strength λ:

    out = ½ λ Σ w²      w of any shape  →  a 0-d tensor

Every entry of w stands in one term of the sum. The half is there so that no 2 is left over: the gradient,
added to the loss's own, is exactly what torch's SGD calls `weight_decay`.

Conventions: λ is the keyword `weight_decay`, 1e-2 by default. The sum runs over all entries and is not
divided by their number.
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

from autograd_check.course import (
    UNSEEN_TERM,
    Cause,
    Layer,
    Lesson,
    at,
    edge,
    edit,
    standard,
    wrong,
)

LESSON = Lesson(
    name="l2_penalty",
    title="The l2 penalty",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), eq. 7.2 and 7.3",
    requires=("sgd",),
    points=5,
    minutes=10,
    tasks=(
        Layer(
            "w[...] -> loss[]",
            oracle=lambda w, *, weight_decay=1e-2: 0.5 * weight_decay * torch.linalg.vector_norm(w).square(),
            sizes=dict(rest=(4, 3)),
            bench=dict(rest=(64, 64)),
            probes=(
                at("one axis", rest=(9,)),
                at("four axes", rest=(2, 3, 4, 2)),
                at(weight_decay=0.3, rest=(5, 2)),
                at(weight_decay=2.0, rest=(2, 7)),
                at("one row", weight_decay=0.7, rest=(1, 6)),
                edge("with zeros", weight_decay=4.0, w=[[0.0, -2.0], [0.0, 1e-3]]),
                at("strength 0", weight_decay=0.0),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit(
            "dout * weight_decay * w",
            "dout * 2 * weight_decay * w",
            "2 in the gradient",
            Cause.CONSTANT_FACTOR,
        ),
        edit(
            "dout * weight_decay * w",
            "dout * 0.5 * weight_decay * w",
            "half in the gradient",
            Cause.CONSTANT_FACTOR,
        ),
        edit("(w**2).sum()", "(w**2).mean()", "mean for sum", Cause.CONSTANT_FACTOR),
        edit("dout * weight_decay * w", "dout * w", "strength forgotten", Cause.MISSING_TERM),
        edit(
            "weight_decay * w",
            "weight_decay * w.sign()",
            "the sign only, as for an l1 penalty",
            Cause.WRONG_OPERAND,
            by_fingerprint=UNSEEN_TERM,
        ),
        edit("dout * weight_decay * w", "-dout * weight_decay * w", "sign", Cause.SIGN),
        wrong("half forgotten, in both passes", Cause.CONSISTENT_WITH_WRONG_FORWARD),
        wrong("the norm, not squared", Cause.CONSISTENT_WITH_WRONG_FORWARD),
    ),
    why="The penalty is a sum of squares, so each weight gets its own value back, times a constant: the larger it is, the harder it is pulled towards 0.",
    hints=(
        "Only one term of the sum contains w[i, j]. Differentiate it.",
        "The penalty does not know what is done with it later: dout multiplies its gradient.",
        "The backward needs w and λ, so both go into the cache.",
    ),
)
### END SPEC
