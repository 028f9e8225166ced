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
    raise NotImplementedError("l2_penalty_forward: ½ λ Σ w².  w any shape → penalty (), cache.")


def l2_penalty_backward(dout, cache):
    """dout () → dw like w."""
    raise NotImplementedError("l2_penalty_backward: dout () → dw like w.")

# When it is written: autograd-check check l2_penalty
