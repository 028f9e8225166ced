import torch


def cubic_forward(x):
    with torch.enable_grad():
        leaf = x.clone().requires_grad_()
        out = leaf**3 + 4 * leaf
    return out.detach(), (leaf, out)


def cubic_backward(dout, cache):
    leaf, out = cache
    out.backward(dout)
    return leaf.grad
