"""Changes everything that the next submission could find."""


def attack():
    import builtins
    import os
    import sys

    import torch

    builtins.abs = builtins.print = None
    torch.matmul = torch.Tensor.__mul__ = torch.Tensor.sum = lambda *a, **k: None
    torch.set_default_dtype(torch.float16)
    torch.set_grad_enabled(False)
    sys.modules['torch'] = None
    os.environ['PYTHONPATH'] = '/tmp'
    sys.path.insert(0, '/tmp')
    return []
