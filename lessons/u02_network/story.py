# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The network that stayed at 62 %
#
# A notebook trains a small network "from scratch" on the Wisconsin breast-cancer data: 30 features in, layers of 4, 3 and 2 units with relu,
# one probability out. It runs without an error, its loss falls, and it reports an accuracy of 62 %, "without any tuning".
#
# No tuning would have helped. This is the story of why, and the reason for this course.

# %%
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

torch.set_default_dtype(torch.float64)


def load(samples=569):
    """x (N, 30), every feature with mean 0 and standard deviation 1; y (N,), 1 for benign."""
    x, y = load_breast_cancer(return_X_y=True)
    if samples < len(y):
        x, _, y, _ = train_test_split(x, y, train_size=samples, stratify=y, random_state=0)
    return torch.tensor((x - x.mean(0)) / x.std(0)), torch.tensor(y, dtype=torch.float64)


x, y = load()
x.shape, y.shape

# %% [markdown]
# ## As it was written
#
# The original, shortened. Read it once and decide whether you would have let it pass. (The weights start at He's values, which is kinder
# than the original was; it will not matter.)

# %%
DIMS = (30, 4, 3, 2, 1)


def initial_parameters(seed=0):
    generator = torch.Generator().manual_seed(seed)
    sizes = zip(DIMS[:-1], DIMS[1:])
    return [((2 / i) ** 0.5 * torch.randn(i, o, generator=generator), torch.zeros(o)) for i, o in sizes]


class Network:
    def __init__(self, params):
        self.params = [(w.clone().requires_grad_(), b.clone().requires_grad_()) for w, b in params]

    def forward(self, x):
        for w, b in self.params[:-1]:
            x = torch.relu(x @ w + b)
        w, b = self.params[-1]
        return torch.sigmoid(x @ w + b)

    def loss(self, prediction, target):
        return -(y * torch.log(prediction) + (1 - y) * torch.log(1 - prediction)).mean()

    def manual_backward(self, loss):
        loss.backward()

    def accuracy(self, prediction, target):
        return ((prediction > 0.5) == (target > 0.5)).double().mean().item()

    def fit(self, x, y, lr=0.5, epochs=300):
        history = []
        for _ in range(epochs):
            prediction = self.forward(x)
            loss = self.loss(prediction, y)
            self.manual_backward(loss)
            with torch.no_grad():
                for p in [p for layer in self.params for p in layer]:
                    p -= lr * p.grad
                    p.grad = None
            history.append((loss.item(), self.accuracy(prediction, y)))
        return history


before = Network(initial_parameters())
before_history = before.fit(x, y)
print("loss {:.4f}   accuracy {:.1%}".format(*before_history[-1]))

# %% [markdown]
# Its author's description states the data as (144, 30). Perhaps it is a matter of the sample?

# %%
for samples in (569, 144):
    x, y = load(samples)
    loss, accuracy = Network(initial_parameters()).fit(x, y)[-1]
    majority = max(y.mean().item(), 1 - y.mean().item())
    print(f"{samples} samples: loss {loss:.4f}, accuracy {accuracy:.1%}, always the larger class: {majority:.1%}")
x, y = load()

# %% [markdown]
# Both times the accuracy is, to the digit, the share of the larger class. Perhaps it needs more patience, or another learning rate?

# %%
for lr, epochs in ((0.05, 300), (0.5, 900), (2.0, 300)):
    loss, accuracy = Network(initial_parameters()).fit(x, y, lr=lr, epochs=epochs)[-1]
    print(f"lr {lr:<4}  epochs {epochs}  loss {loss:.4f}  accuracy {accuracy:.1%}")

# %% [markdown]
# ## The hunt
#
# A loss that stops at one value, whatever we do, is telling us something. A coin has log 2 = 0.693. What has 0.660?

# %%
q = y.mean()
print(f"share of benign samples q = {q:.4f}")
print(f"its entropy -q log q - (1 - q) log(1 - q) = {-q * q.log() - (1 - q) * (1 - q).log():.4f}")
prediction = before.forward(x).detach()
print(f"predictions: between {prediction.min():.4f} and {prediction.max():.4f}")

# %% [markdown]
# The network says the same to everybody: the base rate. As if it had never looked at x. So look at the shapes.

# %%
print("prediction", tuple(prediction.shape))
print("target    ", tuple(y.shape))
print("product   ", tuple((y * torch.log(prediction)).shape))

# %% [markdown]
# There it is. (569, 1) against (569,) is no error: broadcasting repeats one along its rows and the other along its columns. The loss is an
# average over 569 × 569 pairs, every patient's prediction against *every* patient's diagnosis:
#
# $$L = \frac1{N^2}\sum_{i}\sum_{j} \ell(p_i, y_j)
#     = \frac1N\sum_i \bigl[-\bar y\log p_i - (1-\bar y)\log(1-p_i)\bigr],
#   \qquad \frac{\partial L}{\partial z_i} = \frac{p_i - \bar y}{N}.$$
#
# Every row has the same target, the mean of y. The best that can be learnt is $p_i = \bar y$ for everybody, and the loss there is the entropy
# of the base rate. The accuracy is an average over the same pairs, so it cannot tell either.
#
# Three more things went wrong, and each helped the first to hide. `loss` ignores its argument `target` and reads the global `y`. The "manual"
# backward pass is `loss.backward()`, and autograd sums the N columns back into one without a word. And nobody asked what accuracy a
# network would have that had learnt nothing.

# %% [markdown]
# ## Fixed
#
# The loss takes logits, refuses shapes that do not match, and the backward pass is written by hand: it is the unit's lessons, in short.

# %%
def bce_with_logits_forward(z, y):
    if z.shape != y.shape:
        raise ValueError(f"z {tuple(z.shape)} and y {tuple(y.shape)} must have the same shape")
    return (torch.logaddexp(z, torch.zeros_like(z)) - y * z).mean(), (z, y)


def bce_with_logits_backward(dout, cache):
    z, y = cache
    return dout * (torch.sigmoid(z) - y) / y.numel()


def mlp_forward(x, params):
    inputs = [x]
    for w, b in params[:-1]:
        inputs.append((inputs[-1] @ w + b).clamp(min=0))
    w, b = params[-1]
    return inputs[-1] @ w + b, (inputs, [w for w, _ in params])


def mlp_backward(dz, cache):
    inputs, weights = cache
    dparams = []
    for h, w in zip(inputs[:0:-1], weights[:0:-1]):
        dparams.insert(0, (h.T @ dz, dz.sum(0)))
        dz = dz @ w.T * (h > 0)
    dparams.insert(0, (inputs[0].T @ dz, dz.sum(0)))
    return dz @ weights[0].T, dparams


def loss_and_gradients(x, y, params):
    z, cache = mlp_forward(x, params)
    loss, loss_cache = bce_with_logits_forward(z, y)
    return loss, mlp_backward(bce_with_logits_backward(torch.ones(()), loss_cache), cache)[1]


# %% [markdown]
# Now the old mistake cannot happen unseen:

# %%
try:
    loss_and_gradients(x, y, initial_parameters())
except ValueError as error:
    print("ValueError:", error)

# %% [markdown]
# ## Is the gradient right?
#
# First by hand. Nudge one weight up and down; the loss should change by twice the nudge times the gradient.

# %%
column = y[:, None]
params = initial_parameters()
loss, dparams = loss_and_gradients(x, column, params)

h = 1e-5
w = params[0][0]
for d, m in ((0, 0), (7, 2), (29, 3)):
    kept = w[d, m].item()
    w[d, m] = kept + h
    up, _ = loss_and_gradients(x, column, params)
    w[d, m] = kept - h
    down, _ = loss_and_gradients(x, column, params)
    w[d, m] = kept
    print(f"dw[{d}, {m}]   by hand {dparams[0][0][d, m]: .10f}   by difference {(up - down) / (2 * h): .10f}")

# %% [markdown]
# Three entries of 149, at one point, and how many digits should agree? That is what this library is for: every entry against autograd, the
# forward's own finite differences with a measured error, shapes, batches of one, logits of ±1000, and more.

# %%
from autograd_check.notebook import check

check(bce_with_logits_forward, bce_with_logits_backward)

# %%
check(mlp_forward, mlp_backward)

# %% [markdown]
# And what would it have said about the notebook? Its loss, with no guard for the shapes:

# %%
def bce_forward(p, y):
    return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean(), (p, y)


def bce_backward(dout, cache):
    p, y = cache
    return dout * (p - y) / (p * (1 - p)) / y.numel()


check(bce_forward, bce_backward)

# %% [markdown]
# ## The curves
#
# The same initial weights, the same data, the same learning rate and number of epochs. One axis more.

# %%
params, after_history = initial_parameters(), []
for _ in range(300):
    loss, dparams = loss_and_gradients(x, column, params)
    params = [(w - 0.5 * dw, b - 0.5 * db) for (w, b), (dw, db) in zip(params, dparams)]
    right = (mlp_forward(x, params)[0] > 0) == (column > 0.5)
    after_history.append((loss.item(), right.double().mean().item()))
print("before   loss {:.4f}   accuracy {:.1%}".format(*before_history[-1]))
print("after    loss {:.4f}   accuracy {:.1%}".format(*after_history[-1]))

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for history, label, style in ((before_history, "(N, 1) against (N,)", "C1--"), (after_history, "fixed", "C0-")):
    for axis, values in zip(axes, zip(*history)):
        axis.plot(values, style, label=label)
axes[1].axhline(q, color="0.5", linestyle=":", label="always the larger class")
axes[0].set(xlabel="epoch", title="Loss", ylim=(0, 1.5))
axes[1].set(xlabel="epoch", title="Accuracy", ylim=(0, 1.03))
for axis in axes:
    axis.legend()
plt.show()

# %% [markdown]
# These rows were all trained on. On rows that it has not seen, in ten folds, with a little weight decay, the same 30 → 4 → 3 → 2 → 1 network
# is right on about 98 %:
#
#     autograd-check train --network mlp
#
# The lessons of this unit build every piece of it. The last one, `broadcast_hunt`, hands you the network of this story and lets you find
# the mistake again, without the story.
