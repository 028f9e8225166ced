"""The convolutional network
=========================

Two convolutions that look at small neighbourhoods, each followed by a relu and a pooling that halves the
image, then one linear layer:

    h₁ = pool(relu(conv(x, w₁, b₁)))      h₂ = pool(relu(conv(h₁, w₂, b₂)))      scores = flatten(h₂) w₃ + b₃

x (N, C, H, W)  →  scores (N, K). Convolutions have odd kernels, stride 1 and padding k // 2, so only the
poolings (2 × 2, stride 2) make the image smaller: 8 × 8 becomes 4 × 4 becomes 2 × 2. flatten keeps each
sample and lays its channels, rows and columns in one row.

params is the list [(w₁, b₁), (w₂, b₂), (w₃, b₃)], with w₁ (M₁, C, k, k), w₂ (M₂, M₁, k, k) and w₃ (M₂ H/4
W/4, K).

The backward pass takes every layer back in reverse order. Flattening only changes the shape.

Convention: dparams mirrors params.
"""

from solutions.u02_network.linear import linear_backward, linear_forward
from solutions.u02_network.relu import relu_backward, relu_forward
from solutions.u07_convolution.conv2d_fast import conv2d_fast_backward, conv2d_fast_forward
from solutions.u07_convolution.maxpool2d import maxpool2d_backward, maxpool2d_forward


def cnn_forward(x, params):
    """x (N, C, H, W), params [(w, b), (w, b), (w, b)] → scores (N, K), cache."""
    ### BEGIN SOLUTION
    caches = []
    for w, b in params[:2]:
        x, conv = conv2d_fast_forward(x, w, b, padding=w.shape[-1] // 2)
        x, relu = relu_forward(x)
        x, pool = maxpool2d_forward(x, kernel=2, stride=2)
        caches.append((conv, relu, pool))
    scores, linear = linear_forward(x.flatten(1), *params[2])
    return scores, (caches, x.shape, linear)
    ### END SOLUTION


def cnn_backward(dscores, cache):
    """dscores (N, K) → dx (N, C, H, W), dparams [(dw, db), (dw, db), (dw, db)]."""
    ### BEGIN SOLUTION
    caches, shape, linear = cache
    dx, dw, db = linear_backward(dscores, linear)
    dx, dparams = dx.reshape(shape), [(dw, db)]
    for conv, relu, pool in reversed(caches):
        dx = maxpool2d_backward(dx, pool)
        dx = relu_backward(dx, relu)
        dx, dw, db = conv2d_fast_backward(dx, conv)
        dparams.append((dw, db))
    return dx, dparams[::-1]
    ### END SOLUTION


### BEGIN SPEC
import torch
import torch.nn.functional as F

from autograd_check.course import (
    CONVOLUTIONS,
    POOLINGS,
    UNSEEN_INDEX,
    Cause,
    Layer,
    Lesson,
    at,
    drop,
    edit,
    nest,
    normal,
    standard,
)
from autograd_check.course.draws import Draw


def net(x, params):
    for w, b in params[:2]:
        x = F.max_pool2d(torch.relu(F.conv2d(x, w, b, padding=w.shape[-1] // 2)), 2)
    w, b = params[2]
    return F.linear(x.flatten(1), w.T, b)


def network(shift=1.5):
    """params; a `shift` of 1.5 keeps most units on, so that poolings rarely see several zeros."""

    def make(_, sizes):
        C, H, W, K, first, second, k = (sizes[name] for name in ("C", "H", "W", "K", "M1", "M2", "k"))
        bias = normal(scale=0.3, shift=shift)
        return nest(
            (normal(scale=0.4).of(first, C, k, k), bias.of(first)),
            (normal(scale=0.3).of(second, first, k, k), bias.of(second)),
            (normal(scale=0.5).of(second * (H // 4) * (W // 4), K), normal().of(K)),
        ).of()

    return Draw(make, leaves=("w", "b"))


LESSON = Lesson(
    name="cnn",
    title="The convolutional network",
    source="LeCun, Bottou, Bengio, Haffner, Gradient-Based Learning Applied to Document Recognition (1998), sec. II",
    requires=("conv2d_fast", "maxpool2d", "linear", "relu"),
    forbids=(*CONVOLUTIONS, *POOLINGS),
    points=20,
    minutes=30,
    tasks=(
        Layer(
            "x[N,C,H,W] params -> scores[N,K]",
            oracle=net,
            sizes=dict(N=3, C=1, H=8, W=4, M1=2, M2=5, k=3, K=4),
            draw=dict(params=network()),
            bench=dict(N=64, W=8, M1=16, M2=32, K=10),
            probes=(
                at("3 channels, 4 × 8", C=3, H=4, W=8),
                at("1 × 1 filters", k=1),
                at("many units off", M1=3, M2=3, params=network(shift=-0.5)),
                at("5 × 5 filters", W=8, M2=2, k=5),
                at("an odd image, 9 × 10", H=9, W=10, M2=2),
            ),
        ),
    ),
    mistakes=(
        *standard("upstream ignored"),
        edit(
            "relu_backward(dx, relu)",
            "dx * 1",
            "relu not taken back",
            Cause.MASK_MISSING,
            by_fingerprint=UNSEEN_INDEX,
        ),
        edit("reversed(caches)", "caches", "layers taken back in forward order", Cause.CRASHED),
        edit("dparams[::-1]", "dparams", "gradients from last to first", Cause.SWAPPED),
        edit(
            "x.flatten(1)",
            "x.flatten(0).reshape(-1, params[2][0].shape[0]).T.reshape(-1, params[2][0].shape[0]).flip(0)[1:]",
            "flattened with the batch",
            Cause.CRASHED,
        ),
        edit(
            "x.flatten(1)",
            "x.flip(1).flatten(1)",
            "flattened in another order",
            Cause.CONSISTENT_WITH_WRONG_FORWARD,
        ),
        drop(", padding=w.shape[-1] // 2", "padding forgotten", Cause.CRASHED),
        edit(
            "dparams.append((dw, db))", "dparams.append((dw, 2 * db))", "biases twice", Cause.CONSTANT_FACTOR
        ),
    ),
    why="Every layer hands the gradient of its input to the layer before it as dout; the gradients of the parameters are picked up on that way back.",
    hints=(
        "Write the forward as a list of steps, each with its cache; the backward is the same list from the end.",
        "What shape did the last image have before it was flattened? Its gradient needs that shape again.",
        "Each layer takes the gradient of its output and gives that of its input; on the way, keep dw and db, and mind their order.",
    ),
)
### END SPEC
