"""A submission with a mistake that people really make: a mean over the batch where the chain rule sums."""


def linear_forward(x, w, b):
    """out = x w + b."""
    return x @ w + b, (x, w)


def linear_backward(dout, cache):
    """Right for dx and db; dw is divided by the number of rows."""
    x, w = cache
    dx = dout @ w.T
    dw = x.T @ dout / x.shape[0]
    db = dout.sum(0)
    return dx, dw, db
