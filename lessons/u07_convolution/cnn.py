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

from lessons.u02_network.linear import linear_backward, linear_forward
from lessons.u02_network.relu import relu_backward, relu_forward
from lessons.u07_convolution.conv2d_fast import conv2d_fast_backward, conv2d_fast_forward
from lessons.u07_convolution.maxpool2d import maxpool2d_backward, maxpool2d_forward


def cnn_forward(x, params):
    """x (N, C, H, W), params [(w, b), (w, b), (w, b)] → scores (N, K), cache."""
    raise NotImplementedError("cnn_forward: x (N, C, H, W), params [(w, b), (w, b), (w, b)] → scores (N, K)…")


def cnn_backward(dscores, cache):
    """dscores (N, K) → dx (N, C, H, W), dparams [(dw, db), (dw, db), (dw, db)]."""
    raise NotImplementedError("cnn_backward: dscores (N, K) → dx (N, C, H, W), dparams [(dw, db), (dw, db),…")

# When it is written: autograd-check check cnn
