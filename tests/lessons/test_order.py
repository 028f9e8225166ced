"""No lesson needs a later one: prerequisites and imports point backwards only."""

from __future__ import annotations

import pytest

from autograd_check.course.imported import imported_names
from tests import support

OUTLINE = support.outline()
ORDER = support.names()


def before(name: str) -> set[str]:
    """Every lesson that comes first, by stated prerequisites."""
    found: set[str] = set()
    waiting = list(OUTLINE.lesson(name).requires)
    while waiting:
        needed = waiting.pop()
        if needed not in found:
            found.add(needed)
            waiting += OUTLINE.lesson(needed).requires
    return found


@pytest.mark.parametrize("name", ORDER)
def test_prerequisites_come_first(name: str) -> None:
    earlier = set(ORDER[: ORDER.index(name)])
    assert set(OUTLINE.lesson(name).requires) <= earlier


@pytest.mark.parametrize("name", ORDER)
def test_a_lesson_imports_only_its_prerequisites(name: str) -> None:
    source = OUTLINE.lesson(name).solution.read_text(encoding="utf-8").partition("### BEGIN SPEC")[0]
    imported = imported_names(source) & set(ORDER)
    assert imported <= before(name)


def test_the_units_of_the_course_are_complete() -> None:
    """The curriculum fixes these names; material, graders and old submissions depend on them."""
    expected = {
        "u01_derivatives": "square cubic sine_chain logsumexp finite_difference linear_regression logistic_neuron",
        "u02_network": "linear relu sigmoid bce bce_with_logits mlp initialisation sgd training broadcast_hunt",
        "u03_activations": "tanh leaky_relu elu softplus gelu gelu_tanh silu softmax log_softmax",
        "u04_losses": "mse mae huber hinge cross_entropy kl_divergence",
        "u05_optimisers": "momentum nesterov rmsprop adam adamw l2_penalty clip_grad_norm cosine_schedule",
        "u06_normalisation": "dropout batchnorm batchnorm_running batchnorm2d layernorm rmsnorm groupnorm instancenorm2d",
        "u07_convolution": (
            "conv1d conv2d im2col conv2d_fast conv_transpose2d depthwise_conv2d maxpool2d avgpool2d global_avgpool2d "
            "upsample_nearest2d residual_block cnn"
        ),
    }
    for unit, names in expected.items():
        assert set(names.split()) <= {entry.name for entry in OUTLINE.units[unit]}


def test_there_are_hunts_and_tests_to_write() -> None:
    assert sum(entry.given for entry in OUTLINE.lessons) >= 6
    assert sum(entry.name.startswith("catch_") for entry in OUTLINE.lessons) >= 2
