"""The network of `solutions.network` in lockstep with its torch twins, and the data that it is measured on."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import StratifiedKFold

from autograd_check.errors import CourseError
from solutions.data import breast_cancer, folds
from solutions.network import DIMS, Params, Settings, accuracy, descend, initial_parameters, momentum_step, sgd_training_step
from solutions.ops import load_ops
from tests.support import ROOT

OPS = load_ops("solutions", ROOT)


def twin(params: Params) -> torch.nn.Sequential:
    """A torch.nn network with copies of these parameters."""
    layers: list[torch.nn.Module] = []
    for w, b in params:
        linear = torch.nn.Linear(w.shape[0], w.shape[1], dtype=torch.float64)
        linear.weight.data, linear.bias.data = w.T.clone(), b.clone()
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def distance(params: Params, model: torch.nn.Sequential) -> float:
    """The largest difference of any parameter."""
    linears = [layer for layer in model if isinstance(layer, torch.nn.Linear)]
    pairs = [(w, layer.weight.detach().T) for (w, _), layer in zip(params, linears, strict=True)]
    pairs += [(b, layer.bias.detach()) for (_, b), layer in zip(params, linears, strict=True)]
    return max(float((ours - theirs).abs().max()) for ours, theirs in pairs)


def test_200_steps_of_gradient_descent_stay_with_torch() -> None:
    train, _ = folds(breast_cancer(), 10)[0]
    params = initial_parameters(OPS, 0)
    model, loss_of = twin(params), torch.nn.BCEWithLogitsLoss()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(200):
        loss, params = sgd_training_step(OPS, train.x, train.y[:, None], params, 0.1)
        optimiser.zero_grad()
        theirs = loss_of(model(train.x), train.y[:, None])
        theirs.backward()
        optimiser.step()
        losses.append(float(loss))
        assert abs(float(loss) - theirs.item()) <= 1e-10
        assert distance(params, model) <= 1e-10
    assert losses[-1] < 0.5 * losses[0]


def test_200_steps_with_momentum_and_weight_decay_stay_with_torch() -> None:
    train, _ = folds(breast_cancer(), 10)[0]
    settings = Settings(lr=0.1, weight_decay=0.02, epochs=200)
    params = initial_parameters(OPS, 1)
    model, loss_of = twin(params), torch.nn.BCEWithLogitsLoss()
    weights, biases = ([p for p in model.parameters() if p.dim() == n] for n in (2, 1))
    groups = [{"params": weights, "weight_decay": 0.02}, {"params": biases, "weight_decay": 0.0}]
    optimiser = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    velocity = [(torch.zeros_like(w), torch.zeros_like(b)) for w, b in params]
    for _ in range(settings.epochs):
        params, velocity = momentum_step(OPS, train.x, train.y[:, None], params, velocity, settings)
        optimiser.zero_grad()
        loss_of(model(train.x), train.y[:, None]).backward()
        optimiser.step()
    assert distance(params, model) <= 1e-10
    *_, last = descend(OPS, train, settings, 1)
    assert all(torch.equal(a, b) for ours, again in zip(params, last, strict=True) for a, b in zip(ours, again, strict=True))


def test_accuracy_counts_rows() -> None:
    data = breast_cancer().rows(torch.tensor([0, 19, 20, 21]))
    assert data.y.tolist() == [0, 1, 1, 1]
    always_one = [
        (torch.zeros(i, o, dtype=torch.float64), torch.ones(o, dtype=torch.float64)) for i, o in zip(DIMS, DIMS[1:], strict=False)
    ]
    assert accuracy(OPS, data, always_one) == 0.75


def test_folds_are_scikit_learns_and_scaled_by_their_training_part() -> None:
    x, y = load_breast_cancer(return_X_y=True)
    splits = StratifiedKFold(10, shuffle=True, random_state=0).split(x, y)
    for (train, test), (rows, held_out) in zip(folds(breast_cancer(), 10), splits, strict=True):
        mean, scale = x[rows].mean(0), x[rows].std(0)
        assert torch.allclose(train.x, torch.from_numpy((x[rows] - mean) / scale), rtol=1e-12, atol=1e-12)
        assert torch.allclose(test.x, torch.from_numpy((x[held_out] - mean) / scale), rtol=1e-12, atol=1e-12)
        assert test.y.tolist() == y[held_out].tolist()


@pytest.mark.parametrize(("samples", "benign"), [(None, 357), (144, 90), (569, 357), (568, None)])
def test_a_subset_is_stratified_and_always_the_same(samples: int | None, benign: int | None) -> None:
    data, again = breast_cancer(samples), breast_cancer(samples)
    assert data.x.shape == (samples or 569, 30)
    assert torch.equal(data.x, again.x)
    if benign is not None:
        assert int(data.y.sum()) == benign
        assert data.majority == benign / (samples or 569)


@pytest.mark.parametrize("samples", [39, 0, -1, 570])
def test_a_subset_that_cannot_be_is_refused(samples: int) -> None:
    with pytest.raises(CourseError, match=f"--samples must be between 40 and 569, not {samples}"):
        breast_cancer(samples)
