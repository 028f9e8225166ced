"""Training
========

Everything so far, in one loop. The parameters start at He's random weights and biases of 0; then, epoch after epoch, on the whole batch:

    z = mlp(x)                        forward
    L = bce_with_logits(z, y)         how wrong?
    ∂L/∂z, then ∂L/∂params            backward, from dout = 1, since ∂L/∂L = 1
    params ← params − lr ∂L/∂params   step

x (N, D), y (N, 1); dims = (D, …, 1) lists the sizes, so that layer k has w (dims[k], dims[k + 1]) and b (dims[k + 1],).

Conventions: params is a list of (w, b). history holds the loss of every epoch, measured before its step; with epochs = 0 the parameters
come back as they were initialised. The generator is used for the weights only, so the same seed gives the same run.
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
        params = [tuple(sgd_step(layer, dlayer, lr=lr)) for layer, dlayer in zip(params, dparams, strict=True)]
    return params, history
    ### END SOLUTION


### BEGIN SPEC
import math

from autograd_check.course.spec import Benchmark, Claim, Lesson, Properties, Property, Unanswered, mistake, variant
from autograd_check.requests import Seed

DIMS = (5, 6, 4, 1)
NETWORK = (30, 4, 3, 2, 1)


def _data(seed, rows=9):
    """Rows x (rows, 5) and targets y (rows, 1), of class 1 about where the sum of x is positive."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, DIMS[0], generator=generator, dtype=torch.float64)
    noise = torch.randn(rows, 1, generator=generator, dtype=torch.float64)
    return x, (x.sum(1, keepdim=True) + 0.1 * noise > 0).to(torch.float64)


def _ask(candidate, x, y, seed, epochs, *, dims=DIMS, lr=0.1):
    outcome = candidate.call("train", (x, y), {"dims": dims, "lr": lr, "epochs": epochs, "generator": Seed(seed)})
    if not outcome.ok:
        raise Unanswered(outcome.failure, "train")
    return outcome


def _trained(candidate, x, y, seed, epochs, **hyper):
    return _ask(candidate, x, y, seed, epochs, **hyper).value


def _loss(x, y, params):
    for w, b in params[:-1]:
        x = torch.relu(x @ w + b)
    w, b = params[-1]
    return torch.nn.functional.binary_cross_entropy_with_logits(x @ w + b, y)


def _gradients(x, y, params):
    leaves = [tuple(p.detach().clone().requires_grad_() for p in layer) for layer in params]
    with torch.enable_grad():
        flat = torch.autograd.grad(_loss(x, y, leaves), [p for layer in leaves for p in layer])
    return list(flat)


def _flat(params):
    return [p for layer in params for p in layer]


def _largest(differences):
    return max(float(d.abs().max()) for d in differences)


def returns_parameters_and_history(candidate, seed):
    """The value is (params, history) with the shapes that dims ask for."""
    x, y = _data(seed)
    value = _trained(candidate, x, y, seed, 0)
    wanted = [((i, o), (o,)) for i, o in zip(DIMS[:-1], DIMS[1:], strict=True)]
    try:
        params, history = value
        shapes = [tuple(tuple(p.shape) for p in layer) for layer in params]
    except (TypeError, ValueError, AttributeError):
        return Claim("train must return (params, history), with params a list of (w, b).", "wrong_shape")
    if not isinstance(history, (list, tuple)):
        return Claim("history must be a list with one loss, a number, for each epoch.", "wrong_shape")
    length = len(history)
    if shapes != wanted:
        says = f"For dims {DIMS} the shapes of the (w, b) are {wanted}; yours are {shapes}."
        return Claim(says, "wrong_shape", evidence={"expected": str(wanted), "got": str(shapes)})
    if any(p.dtype != x.dtype for p in _flat(params)):
        return Claim(f"The parameters must have the dtype of x, {x.dtype}.", "wrong_dtype")
    if length != 0:
        return Claim(f"No epochs, no losses: history must be empty for epochs=0, yours has {length}.", "wrong_shape")
    return Claim("returns (params, history) with the shapes that dims ask for")


def starts_at_he(candidate, seed):
    """Biases 0; weights with standard deviation √(2 / fan_in): 8 standard errors of 3,000 normal entries are 10 %."""
    dims = (30, 100, 30, 1)
    x = torch.zeros(2, dims[0], dtype=torch.float64)
    params, _ = _trained(candidate, x, torch.ones(2, 1, dtype=torch.float64), seed, 0, dims=dims)
    if _largest([b for _, b in params]) > 0:
        return Claim(
            "Biases start at 0; yours do not.", "forward_wrong", evidence={"largest_bias": _largest([b for _, b in params])}
        )
    if _largest([w for w, _ in params]) == 0:
        return Claim("All weights are 0: then every unit of a layer stays equal to its neighbour.", "zero_gradient")
    for k, (w, _) in enumerate(params[:2]):
        got, expected = float(w.square().mean().sqrt()), math.sqrt(2 / dims[k])
        if abs(got / expected - 1) > 0.12:
            says = f"He's weights of layer {k + 1} have standard deviation {expected:.4g}; yours have {got:.4g}."
            return Claim(says, "constant_factor", evidence={"layer": k, "expected": expected, "got": got})
    return Claim("starts at He's weights and biases of 0")


def repeats(candidate, seed):
    """The same generator seed gives the same parameters, and another one gives others."""
    x, y = _data(seed)
    first, second, other = (_flat(_trained(candidate, x, y, s, 2)[0]) for s in (seed, seed, seed + 1))
    if not all(torch.equal(a, b) for a, b in zip(first, second, strict=True)):
        return Claim("Two runs from the same seed differ: take all randomness from the generator.", "nondeterministic")
    if all(torch.equal(a, b) for a, b in zip(first, other, strict=True)):
        return Claim("Another seed gives the same run: the weights must come from the generator.", "nondeterministic")
    return Claim("the same seed gives the same run")


def leaves_its_data_alone(candidate, seed):
    """x and y are as they were."""
    x, y = _data(seed)
    changed = _ask(candidate, x, y, seed, 3).changed
    if changed:
        return Claim(f"train changed {' and '.join(changed)} in place.", "mutates_input", evidence={"changed": list(changed)})
    return Claim("leaves x and y as they were")


def steps_downhill(candidate, seed):
    """Epoch e + 1 is one step of gradient descent from epoch e, with torch's gradient: exact to round-off, wherever e is."""
    for epochs, lr, rows in ((0, 0.1, 9), (1, 0.5, 7), (4, 0.1, 1), (12, 0.05, 16)):  # rows=1 hides 1/N, the others show it
        x, y = _data(seed + epochs, rows)
        before, after = (_flat(_trained(candidate, x, y, seed, e, lr=lr)[0]) for e in (epochs, epochs + 1))
        layers = list(zip(before[::2], before[1::2], strict=True))
        wanted = [-lr * g for g in _gradients(x, y, layers)]
        taken = [a - b for a, b in zip(after, before, strict=True)]
        error = _largest([t - w for t, w in zip(taken, wanted, strict=True)])
        if error > 1e-10 * max(1.0, _largest(wanted)):
            claim = _wrong_step(taken, wanted, rows)
            where = f"from epoch {epochs} to {epochs + 1} with {rows} rows"
            return Claim(
                f"The step {where} is not −lr ∂L/∂params: {claim.says}", claim.cause, evidence={**claim.evidence, "error": error}
            )
    return Claim("every epoch is one exact step of gradient descent")


def keeps_its_pace(candidate, seed):
    """60 epochs are 60 steps with the same lr, however small the loss or its change: rate and length of a run are the caller's."""
    for lr in (0.2, 1e-7):
        x, y = _data(seed, 11)
        leaves = _flat(_trained(candidate, x, y, seed, 0, lr=lr)[0])
        for _ in range(60):
            leaves = [
                p - lr * g
                for p, g in zip(leaves, _gradients(x, y, list(zip(leaves[::2], leaves[1::2], strict=True))), strict=True)
            ]
        params, history = _trained(candidate, x, y, seed, 60, lr=lr)
        if len(history) != 60:
            return Claim(f"60 epochs were asked for, and history has {len(history)} losses.", "wrong_shape")
        error = _largest([a - b for a, b in zip(_flat(params), leaves, strict=True)])
        if error > 1e-8 * max(1.0, _largest(leaves)):
            return Claim(
                f"After 60 epochs with lr={lr} the parameters are not those of 60 equal steps: keep lr as it is given, to the end.",
                "wrong_operand",
                evidence={"error": error},
            )
    return Claim("keeps lr and the number of epochs as they are given")


def _wrong_step(taken, wanted, rows):
    """Why a step is wrong, by its projection c on the right one, over the parameters where it is wrong: taken ≈ c · wanted."""
    wrong = [k for k, (t, w) in enumerate(zip(taken, wanted, strict=True)) if _largest([t - w]) > 1e-12]
    names = ", ".join(f"{'wb'[k % 2]} of layer {k // 2 + 1}" for k in wrong)
    t = torch.cat([taken[k].reshape(-1) for k in wrong])
    w = torch.cat([wanted[k].reshape(-1) for k in wrong])
    if float(t.norm()) == 0:
        return Claim(f"{names} did not move.", "zero_gradient")
    c = float(t @ w / (w @ w).clamp(min=1e-300))
    residual = float((t - c * w).norm() / t.norm())
    evidence = {"factor": c, "residual": residual, "parameters": names}
    if residual > 1e-8:
        return Claim(f"it is not even a multiple of it, in {names}.", "unknown", evidence=evidence)
    if abs(c + 1) < 1e-8:
        return Claim(f"it has the opposite sign, uphill, in {names}.", "sign", evidence=evidence)
    for factor, cause, why in (
        (rows, "missing_batch_mean", f"{rows} times as long, and there are {rows} rows: the loss is a mean"),
        (1 / rows, "extra_batch_mean", f"1/{rows} as long, and there are {rows} rows: the loss divides by N already"),
    ):
        if abs(c / factor - 1) < 1e-8:
            return Claim(f"it is {why} ({names}).", cause, evidence=evidence)
    return Claim(f"it is {c:.6g} times as long, in {names}.", "constant_factor", evidence=evidence)


def records_every_loss(candidate, seed):
    """history[e] is the loss before step e; the loss after it is accepted too."""
    x, y = _data(seed)
    epochs = 4
    history = [float(loss) for loss in _trained(candidate, x, y, seed, epochs)[1]]
    if len(history) != epochs:
        says = f"history must have one loss for each of the {epochs} epochs; yours has {len(history)}."
        return Claim(says, "wrong_shape", evidence={"expected": epochs, "got": len(history)})
    losses = [float(_loss(x, y, _trained(candidate, x, y, seed, e)[0])) for e in range(epochs + 1)]
    for name, right in (("before", losses[:-1]), ("after", losses[1:])):
        if all(abs(got - expected) <= 1e-10 * max(1.0, expected) for got, expected in zip(history, right, strict=True)):
            return Claim(f"records the loss {name} every step")
    says = f"The loss of epoch 0 is {losses[0]:.6g} before its step; your history says {history[0]:.6g}."
    return Claim(says, "forward_wrong", evidence={"expected": losses[:-1], "got": history})


def learns(candidate, seed):
    """On 200 rows that a line separates, 200 epochs at least halve the base rate's loss, log 2, from the better of two seeds."""
    x, y = _data(seed, 200)
    loss = min(float(_loss(x, y, _trained(candidate, x, y, s, 200, lr=0.5)[0])) for s in (seed, seed + 1))
    if loss > 0.5 * math.log(2):
        return Claim(f"200 epochs on an easy problem should halve the loss of a coin, 0.693; yours is {loss:.3g}.", "unknown")
    return Claim("learns an easy problem")


def _self_contained(x, y, *, dims, lr, epochs, generator):
    weights = [
        math.sqrt(2 / i) * torch.randn(i, o, generator=generator, dtype=torch.float64).to(x.dtype)
        for i, o in zip(dims[:-1], dims[1:], strict=True)
    ]
    biases = [torch.zeros(o, dtype=x.dtype) for o in dims[1:]]
    history = []
    while len(history) < epochs:
        inputs = [x]
        for w, b in zip(weights[:-1], biases[:-1], strict=True):
            inputs.append((inputs[-1] @ w + b).clamp(min=0))
        z = inputs[-1] @ weights[-1] + biases[-1]
        history.append((torch.logaddexp(z, torch.zeros_like(z)) - y * z).mean())
        dz = (1 / (1 + torch.exp(-z)) - y) / len(y)
        for k in range(len(weights) - 1, -1, -1):
            below = dz @ weights[k].T * (inputs[k] > 0)
            weights[k] -= lr * inputs[k].T @ dz
            biases[k] -= lr * dz.sum(0)
            dz = below
    return list(zip(weights, biases, strict=True)), history


def _object(x, y, *, dims, lr, epochs, generator):
    class Network:
        def __init__(self):
            self.layers = [
                [he_normal(i, o, generator=generator).to(x.dtype), torch.zeros(o, dtype=x.dtype)]
                for i, o in zip(dims[:-1], dims[1:], strict=True)
            ]

        def loss_and_gradients(self):
            z, cache = mlp_forward(x, self.layers)
            loss, saved = bce_with_logits_forward(z, y)
            return float(loss), mlp_backward(bce_with_logits_backward(torch.tensor(1.0, dtype=x.dtype), saved), cache)[1]

        def step(self):
            loss, gradients = self.loss_and_gradients()
            for layer, gradient in zip(self.layers, gradients, strict=True):
                layer[:] = sgd_step(layer, gradient, lr=lr)
            return loss

    network = Network()
    return network.layers, [network.step() for _ in range(epochs)]


def _flat_list(x, y, *, dims, lr, epochs, generator):
    flat, history = [], []
    for i in range(len(dims) - 1):
        flat += [he_normal(dims[i], dims[i + 1], generator=generator).to(x.dtype), torch.zeros(dims[i + 1], dtype=x.dtype)]
    for _ in range(epochs):
        z, cache = mlp_forward(x, [(flat[k], flat[k + 1]) for k in range(0, len(flat), 2)])
        dz = bce_with_logits_backward(torch.ones((), dtype=x.dtype), bce_with_logits_forward(z, y)[1])
        gradients = [g for layer in mlp_backward(dz, cache)[1] for g in layer]
        flat = sgd_step(flat, gradients, lr=lr)
        z, _ = mlp_forward(x, [(flat[k], flat[k + 1]) for k in range(0, len(flat), 2)])
        history.append(bce_with_logits_forward(z, y)[0].item())
    return [(flat[k], flat[k + 1]) for k in range(0, len(flat), 2)], history


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
        new = sgd_step(_flat(params), _flat(dparams), lr=0.1)
        params = list(zip(new[::2], new[1::2], strict=True))

    def theirs():
        optimiser.zero_grad()
        loss_of(model(x), y).backward()
        optimiser.step()

    return ours, theirs


LESSON = Lesson(
    name="training",
    title="The training loop",
    source="Goodfellow, Bengio, Courville, Deep Learning (2016), sections 6.5 and 8.1; He et al. (2015) for the initialisation",
    requires=("bce_with_logits", "mlp", "initialisation", "sgd"),
    forbids=("optim", "binary_cross_entropy_with_logits"),
    points=15,
    minutes=25,
    benchmarks=(Benchmark("training step", "455 rows, 30-4-3-2-1", _training_steps),),
    target=0.5,
    tasks=(
        Properties(
            functions=("train",),
            properties=(
                Property("shapes", returns_parameters_and_history),
                Property("initialisation", starts_at_he),
                Property("repeatable", repeats),
                Property("inputs", leaves_its_data_alone),
                Property("gradient step", steps_downhill),
                Property("history", records_every_loss),
                Property("pace", keeps_its_pace),
                Property("learns", learns),
            ),
        ),
    ),
    mistakes=(
        mistake("uphill", "sign", "lr=lr)", "lr=-lr)"),
        mistake("dout is the loss itself", "constant_factor", "torch.ones_like(loss)", "loss"),
        mistake("divided by the batch once more", "extra_batch_mean", "torch.ones_like(loss)", "torch.ones_like(loss) / len(y)"),
        mistake("summed over the batch", "missing_batch_mean", "torch.ones_like(loss)", "torch.ones_like(loss) * len(y)"),
        mistake(
            "biases never updated",
            "zero_gradient",
            "tuple(sgd_step(layer, dlayer, lr=lr))",
            "(sgd_step(layer, dlayer, lr=lr)[0], layer[1])",
        ),
        mistake("return inside the loop", "wrong_shape", "\n    return params", "\n        return params"),
        mistake("weights start at 0", "zero_gradient", ".to(x.dtype)", ".to(x.dtype) * 0"),
        mistake("weights twice too large", "constant_factor", ".to(x.dtype)", ".to(x.dtype) * 2"),
        mistake("a seed of its own", "nondeterministic", "generator=generator)", "generator=torch.Generator().manual_seed(0))"),
        mistake("data centred in place", "mutates_input", "    params = []", "    x -= x.mean(0)\n    params = []"),
        mistake("lr falls on the way", "wrong_operand", "lr=lr)", "lr=lr * (1 if len(history) < 50 else 0.5))"),
        mistake(
            "stops when the loss stands still",
            "wrong_shape",
            "        history.append(loss.item())\n",
            "        if len(history) > 20 and abs(loss - history[-1]) < 1e-4:\n            break\n        history.append(loss.item())\n",
        ),
        mistake("only the last loss kept", "wrong_shape", "history.append(loss.item())", "history = [loss.item()]"),
    ),
    variants=(
        variant("self-contained, in-place updates", train=_self_contained),
        variant("a class", train=_object),
        variant("a flat list, loss after the step", train=_flat_list),
    ),
    hints=(
        "Four calls make an epoch: two forwards, two backwards in reverse order. Then the step.",
        "The gradient of the loss with respect to itself is 1, as a 0-d tensor: torch.ones_like(loss).",
        "sgd_step wants a list of tensors and a layer is a pair (w, b) with gradients (dw, db): call it once for every layer.",
    ),
)
### END SPEC
