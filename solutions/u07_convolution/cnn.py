"""The convolutional network
=========================

Two convolutions that look at small neighbourhoods, each followed by a relu and a pooling that halves the image, then one linear layer:

    h₁ = pool(relu(conv(x, w₁, b₁)))      h₂ = pool(relu(conv(h₁, w₂, b₂)))      scores = flatten(h₂) w₃ + b₃

x (N, C, H, W)  →  scores (N, K). Convolutions have odd kernels, stride 1 and padding k // 2, so only the poolings (2 × 2, stride 2) make
the image smaller: 8 × 8 becomes 4 × 4 becomes 2 × 2. flatten keeps each sample and lays its channels, rows and columns in one row.

params is the list [(w₁, b₁), (w₂, b₂), (w₃, b₃)], with w₁ (M₁, C, k, k), w₂ (M₂, M₁, k, k) and w₃ (M₂ H/4 W/4, K).

The backward pass takes every layer back in reverse order. Flattening only changes the shape, so it goes back by changing it back.

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

from autograd_check.course.samples import normal, sequence, transposed
from autograd_check.course.spec import Lesson, Pair, mistake, probe, variant


def oracle(x, params):
    F = torch.nn.functional
    for w, b in params[:2]:
        x = F.max_pool2d(torch.relu(F.conv2d(x, w, b, padding=w.shape[-1] // 2)), 2)
    w, b = params[2]
    return F.linear(x.flatten(1), w.T, b)


def network(channels, first, second, kernel, pixels, classes, shift=1.5):
    """Parameters; a `shift` of 1.5 keeps most units on, so that poolings rarely see several zeros."""
    return sequence(
        (normal(first, channels, kernel, kernel, scale=0.4), normal(first, scale=0.3, shift=shift)),
        (normal(second, first, kernel, kernel, scale=0.3), normal(second, scale=0.3, shift=shift)),
        (normal(second * pixels, classes, scale=0.5), normal(classes)),
    )


def _windows(x, k):
    p = k // 2
    padded = x.new_zeros(*x.shape[:2], x.shape[2] + 2 * p, x.shape[3] + 2 * p)
    padded[:, :, p : p + x.shape[2], p : p + x.shape[3]] = x
    return padded.unfold(2, k, 1).unfold(3, k, 1)


def _einsum_forward(x, params):
    layers = []
    for w, b in params[:2]:
        h = torch.einsum("nchwij,mcij->nmhw", _windows(x, w.shape[-1]), w) + b[:, None, None]
        blocks = h.clamp(min=0).unfold(2, 2, 2).unfold(3, 2, 2).flatten(-2)
        top, which = blocks.max(-1)
        layers.append((x, h, which, w))
        x = top
    w, b = params[2]
    return x.reshape(len(x), -1) @ w + b, (layers, x, w)


def _einsum_backward(dscores, cache):
    layers, x, w = cache
    grads = [(x.reshape(len(x), -1).T @ dscores, dscores.sum(0))]
    dx = (dscores @ w.T).reshape(x.shape)
    for x, h, which, w in layers[::-1]:
        H, W = dx.shape[2:]
        blocks = torch.zeros(*dx.shape, 4, dtype=dx.dtype).scatter(-1, which[..., None], dx[..., None])
        dh = torch.zeros_like(h)
        dh[:, :, : 2 * H, : 2 * W] = (
            blocks.reshape(*dx.shape, 2, 2).transpose(3, 4).reshape(*dx.shape[:2], 2 * H, 2 * W)
        )
        dh = torch.where(h > 0, dh, torch.zeros_like(dh))
        grads.insert(0, (torch.einsum("nmhw,nchwij->mcij", dh, _windows(x, w.shape[-1])), dh.sum((0, 2, 3))))
        dx = torch.einsum("nmhwij,mcij->nchw", _windows(dh, w.shape[-1]), w.flip(2, 3))
    return dx, grads


class _Recorded:
    """A stack of closures: every layer pushes how to go back."""

    def __init__(self):
        self.back = []

    def push(self, value, step):
        self.back.append(step)
        return value


def _closures_forward(x, params):
    tape = _Recorded()
    for w, b in params[:2]:
        x = _closures_layer(tape, x, w, b)
    shape, (w, b) = x.shape, params[2]
    flat = x.flatten(1)
    tape.push(None, lambda d: ((d @ w.T).reshape(shape), (flat.T @ d, d.sum(0))))
    return flat @ w + b, tape


def _closures_layer(tape, x, w, b):
    k, (H, W) = w.shape[-1], x.shape[2:]
    shifts = [(i, j) for i in range(k) for j in range(k)]
    windows = _windows(x, k)
    h = sum(torch.tensordot(windows[..., i, j], w[:, :, i, j], dims=([1], [1])) for i, j in shifts).permute(
        0, 3, 1, 2
    ) + b.reshape(1, -1, 1, 1)
    H2, W2 = H // 2, W // 2
    corners = [h[:, :, i : 2 * H2 : 2, j : 2 * W2 : 2] for i in (0, 1) for j in (0, 1)]
    best = torch.stack(corners).amax(0)

    def back(d):
        dh, free = torch.zeros_like(h), torch.ones_like(best, dtype=torch.bool)
        for k_, (i, j) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
            mine = free & (corners[k_] == best)
            dh[:, :, i : 2 * H2 : 2, j : 2 * W2 : 2] = d * mine * (best > 0)
            free = free & ~mine
        dw = torch.einsum("nmhw,nchwij->mcij", dh, windows)
        dx = torch.einsum("nmhwij,mcij->nchw", _windows(dh, k), w.flip(2, 3))
        return dx, (dw, dh.sum((0, 2, 3)))

    return tape.push(best.clamp(min=0), back)


def _closures_backward(dscores, tape):
    grads, d = [], dscores
    for step in reversed(tape.back):
        d, pair = step(d)
        grads.append(pair)
    return (d, list(reversed(grads)))


LESSON = Lesson(
    name="cnn",
    title="The convolutional network",
    source="LeCun, Bottou, Bengio, Haffner, Gradient-Based Learning Applied to Document Recognition (1998), section II",
    requires=("conv2d_fast", "maxpool2d", "linear", "relu"),
    points=20,
    minutes=30,
    target=None,
    forbids=(
        "conv1d",
        "conv2d",
        "conv3d",
        "convolution",
        "conv_tbc",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
        "fold",
        "col2im",
        "max_pool1d",
        "max_pool2d",
        "max_pool3d",
        "max_pool2d_with_indices",
        "adaptive_max_pool2d",
        "avg_pool1d",
        "avg_pool2d",
        "avg_pool3d",
        "adaptive_avg_pool1d",
        "adaptive_avg_pool2d",
        "adaptive_avg_pool3d",
    ),
    tasks=(
        Pair(
            "cnn",
            wrt=("x", "params"),
            oracle=oracle,
            leaves={"params": ("w", "b")},
            probes=(
                probe("2 images of 8 × 8", x=normal(2, 1, 8, 8), params=network(1, 2, 3, 3, 4, 5)),
                probe("one image", x=normal(1, 1, 8, 8), params=network(1, 3, 2, 3, 4, 4)),
                probe("3 channels, 4 × 8", x=normal(3, 3, 4, 8), params=network(3, 2, 4, 3, 2, 3)),
                probe("1 × 1 filters", x=normal(2, 2, 4, 4), params=network(2, 3, 2, 1, 1, 3)),
                probe("many units off", x=normal(3, 1, 8, 4), params=network(1, 3, 3, 3, 2, 4, shift=-0.5)),
                probe("5 × 5 filters", x=normal(2, 1, 8, 8), params=network(1, 2, 2, 5, 4, 3)),
                probe("an odd image, 9 × 10", x=normal(2, 1, 9, 10), params=network(1, 2, 2, 3, 4, 3)),
                probe("non-contiguous", x=transposed(normal(2, 1, 8, 4)), params=network(1, 2, 3, 3, 2, 2)),
            ),
            bench=probe("64 digits of 8 × 8", x=normal(64, 1, 8, 8), params=network(1, 16, 32, 3, 4, 10)),
        ),
    ),
    mistakes=(
        mistake(
            "relu not taken back",
            "mask_missing",
            "dx = relu_backward(dx, relu)",
            "dx = dx * 1",
            by_fingerprint="indices are edited: no single contribution, axis or order of the right array explains it",
        ),
        mistake("layers taken back in forward order", "crashed", "reversed(caches)", "caches"),
        mistake("gradients from last to first", "swapped", "return dx, dparams[::-1]", "return dx, dparams"),
        mistake(
            "flattened with the batch",
            "crashed",
            "x.flatten(1)",
            "x.flatten(0).reshape(-1, params[2][0].shape[0]).T.reshape(-1, params[2][0].shape[0]).flip(0)[1:]",
        ),
        mistake(
            "flattened in another order",
            "consistent_with_wrong_forward",
            "x.flatten(1)",
            "x.transpose(1, 3).transpose(1, 3).flip(1).flatten(1)",
        ),
        mistake("padding forgotten", "crashed", ", padding=w.shape[-1] // 2", ""),
        mistake(
            "upstream ignored",
            "ignores_upstream",
            "linear_backward(dscores, linear)",
            "linear_backward(dscores / dscores, linear)",
        ),
        mistake(
            "biases twice", "constant_factor", "dparams.append((dw, db))", "dparams.append((dw, 2 * db))"
        ),
    ),
    variants=(
        variant("windows and einsum", cnn_forward=_einsum_forward, cnn_backward=_einsum_backward),
        variant("a stack of closures", cnn_forward=_closures_forward, cnn_backward=_closures_backward),
    ),
    hints=(
        "Write the forward as a list of steps, each with its cache; the backward is the same list from the end.",
        "What shape did the last image have before it was flattened? Its gradient needs that shape again.",
        "Each layer takes the gradient of its output and gives that of its input; on the way, keep dw and db, and mind their order.",
    ),
)
### END SPEC
