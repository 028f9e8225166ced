import torch


def cubic_forward(x):
    return x**3 + 4 * x, x


def cubic_backward(dout, cache):
    from torch.autograd import Variable

    engine = Variable._execution_engine
    with torch.enable_grad():
        x = cache.clone().requires_grad_()
        out = x**3 + 4 * x
    return engine.run_backward((out,), (dout,), False, False, (x,), False, False)[0]
