"""Training
========

Everything so far, in one loop. The parameters start at He's random weights and biases of 0; then, epoch after
epoch, on the whole batch:

    z = mlp(x)                        forward
    L = bce_with_logits(z, y)         how wrong?
    ∂L/∂z, then ∂L/∂params            backward, from dout = ∂L/∂L
    params ← params − lr ∂L/∂params   step

x (N, D), y (N, 1); dims = (D, …, 1) lists the sizes, so that layer k has w (dims[k], dims[k + 1]) and
b (dims[k + 1],).

Conventions: params is a list of (w, b) with the dtype of x. history holds the loss of every epoch, measured
before its step; with epochs = 0 the parameters come back as they were initialised. The generator is used for
the weights only, so the same seed gives the same run.
"""

import torch

from solutions.u02_network.bce_with_logits import bce_with_logits_backward, bce_with_logits_forward
from solutions.u02_network.initialisation import he_normal
from solutions.u02_network.mlp import mlp_backward, mlp_forward
from solutions.u02_network.sgd import sgd_step


def train(x, y, *, dims, lr, epochs, generator):
    """x (N, D), y (N, 1) → params [(w, b), …], history [loss, …] of length epochs."""
    ### BEGIN SOLUTION
    params = []
    for fan_in, fan_out in zip(dims[:-1], dims[1:], strict=True):
        w = he_normal(fan_in, fan_out, generator=generator).to(x.dtype)
        params.append((w, torch.zeros(fan_out, dtype=x.dtype)))
    history = []
    for _ in range(epochs):
        z, cache = mlp_forward(x, params)
        loss, loss_cache = bce_with_logits_forward(z, y)
        dz = bce_with_logits_backward(torch.ones_like(loss), loss_cache)
        _, dparams = mlp_backward(dz, cache)
        history.append(loss.item())
        params = [
            tuple(sgd_step(layer, dlayer, lr=lr)) for layer, dlayer in zip(params, dparams, strict=True)
        ]
    return params, history
    ### END SOLUTION


### BEGIN SPEC
import math

import torch.nn.functional as F

from autograd_check.course import (
    Benchmark,
    Cause,
    He,
    Lesson,
    Trains,
    at,
    edit,
    reaches,
    relu_network,
    two_classes,
)

NETWORK = (30, 4, 3, 2, 1)


def _training_steps(functions):
    """One step of gradient descent on a batch of 455 rows, from the lessons' functions and from torch's own."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(455, NETWORK[0], generator=generator, dtype=torch.float64)
    y = (torch.rand(455, 1, generator=generator, dtype=torch.float64) < 0.63).to(torch.float64)
    layers = []
    for fan_in, fan_out in zip(NETWORK[:-1], NETWORK[1:], strict=True):
        layers += [torch.nn.Linear(fan_in, fan_out, dtype=torch.float64), torch.nn.ReLU()]
    model, loss_of = torch.nn.Sequential(*layers[:-1]), torch.nn.BCEWithLogitsLoss()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    # transposed views, as torch.nn.Linear uses its weights
    params = [(layer.weight.detach().clone().T, layer.bias.detach().clone()) for layer in layers[:-1:2]]

    # none of these operations needs autograd's book-keeping
    @torch.inference_mode()
    def ours():
        nonlocal params
        z, cache = mlp_forward(x, params)
        loss, loss_cache = bce_with_logits_forward(z, y)
        _, dparams = mlp_backward(bce_with_logits_backward(torch.ones_like(loss), loss_cache), cache)
        params = [sgd_step(layer, dlayer, lr=0.1) for layer, dlayer in zip(params, dparams, strict=True)]

    def theirs():
        optimiser.zero_grad()
        loss_of(model(x), y).backward()
        optimiser.step()

    return ours, theirs


LESSON = Lesson(
    name="training",
    title="The training loop",
    source="Goodfellow et al. (2016), sections 6.5 and 8.1; He et al. (2015) for the initialisation",
    requires=("bce_with_logits", "mlp", "initialisation", "sgd"),
    forbids=("optim", "binary_cross_entropy_with_logits"),
    points=15,
    minutes=25,
    benchmarks=(Benchmark("training step", "455 rows, 30-4-3-2-1", _training_steps),),
    target=0.5,
    tasks=(
        Trains(
            "train",
            "x[N,D] y[N,1] -> params",
            loss=lambda params, x, y: F.binary_cross_entropy_with_logits(relu_network(x, params), y),
            data=two_classes(),
            sizes=dict(N=9, D=5),
            hyper=dict(dims=(5, 6, 4, 1)),
            start=He("dims"),
            history="loss",
            seeded=True,
            probes=(
                at(lr=0.1, epochs=1),
                at(N=7, lr=0.5, epochs=2),
                at(N=1, lr=0.1, epochs=5),
                at(N=16, lr=0.05, epochs=13),
                at(N=11, lr=0.2, epochs=60),
                at(N=11, lr=1e-7, epochs=60),
            ),
            learns=reaches(loss=0.5 * math.log(2), N=200, lr=0.5, epochs=200),
        ),
    ),
    mistakes=(
        edit("lr=lr)", "lr=-lr)", "uphill", Cause.SIGN),
        edit("torch.ones_like(loss)", "loss", "dout is the loss itself", Cause.CONSTANT_FACTOR),
        edit(
            "torch.ones_like(loss)",
            "torch.ones_like(loss) / len(y)",
            "divided by the batch once more",
            Cause.EXTRA_BATCH_MEAN,
        ),
        edit(
            "torch.ones_like(loss)",
            "torch.ones_like(loss) * len(y)",
            "summed over the batch",
            Cause.MISSING_BATCH_MEAN,
        ),
        edit(
            "tuple(sgd_step(layer, dlayer, lr=lr))",
            "(sgd_step(layer, dlayer, lr=lr)[0], layer[1])",
            "biases never updated",
            Cause.ZERO_GRADIENT,
        ),
        edit("\n    return params", "\n        return params", "return inside the loop", Cause.RETURNS_NONE),
        edit(".to(x.dtype)", ".to(x.dtype) * 0", "weights start at 0", Cause.ZERO_GRADIENT),
        edit(".to(x.dtype)", ".to(x.dtype) * 2", "weights twice too large", Cause.CONSTANT_FACTOR),
        edit(
            "generator=generator)",
            "generator=torch.Generator().manual_seed(0))",
            "a seed of its own",
            Cause.NONDETERMINISTIC,
        ),
        edit(
            "    params = []",
            "    x -= x.mean(0)\n    params = []",
            "data centred in place",
            Cause.MUTATES_INPUT,
        ),
        edit(
            "lr=lr)", "lr=lr * (1 if len(history) < 50 else 0.5))", "lr falls on the way", Cause.WRONG_OPERAND
        ),
        edit(
            "        history.append(loss.item())\n",
            "        if len(history) > 20 and abs(loss - history[-1]) < 1e-4:\n            break\n        history.append(loss.item())\n",
            "stops when the loss stands still",
            Cause.WRONG_SHAPE,
        ),
        edit(
            "history.append(loss.item())",
            "history = [loss.item()]",
            "only the last loss kept",
            Cause.WRONG_SHAPE,
        ),
    ),
    why="Each epoch is one pass forward, one backward from dout = 1, and one step. It learns because the gradient of every piece is exactly right.",
    hints=(
        "Four calls make an epoch: two forwards, two backwards in reverse order. Then the step.",
        "The gradient of the loss with respect to itself is 1, as a 0-d tensor: torch.ones_like(loss).",
        "sgd_step wants a list of tensors and a layer is a pair (w, b) with gradients (dw, db): call it once for every layer.",
    ),
)
### END SPEC
