"""Train the networks of the course with hand-written gradients only.

python -m solutions.train                     the reference's layers: ten-fold cross-validation, and the story of the 62 %
python -m solutions.train --ops lessons       your layers; what is not written yet is borrowed from the reference
python -m solutions.train --plot curves.svg   loss and accuracy, before and after the broadcast is fixed
python -m solutions.train --select            choose the settings again, on inner folds (some minutes)
python -m solutions.train --network cnn --checkpoint runs/    the deep CNN on digits; goes on from runs/ if it was stopped
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from autograd_check.errors import AutogradCheckError, CourseError, SubmissionError
from autograd_check.report.console import complain
from autograd_check.report.console import say as tell
from autograd_check.report.streams import announced
from solutions import seed_bug
from solutions.chosen import CHOSEN, CNN_CHOSEN, FOLDS, USUAL
from solutions.convnet import CHANNELS
from solutions.data import Data, breast_cancer
from solutions.network import DIMS, accuracy
from solutions.ops import CNN_FUNCTIONS, Ops, load_ops
from solutions.validation import SEARCHES, Validation, cross_validate, select

NETWORKS = ("mlp", "cnn", "broadcast_hunt")
ROOT = Path(__file__).parents[1]


def train_command(
    *,
    network: str = "mlp",
    ops: str = "solutions",
    seed: int = 0,
    samples: int | None = None,
    plot: Path | None = None,
    output: str = "text",
    checkpoint: Path | None = None,
    root: Path = ROOT,
) -> dict[str, Any]:
    """Train `network`, print what came of it to stdout as `text` or `json`, progress to stderr; returns the JSON record.

    With a `checkpoint` folder the cnn writes its state there after every epoch, and goes on from it if it is there.

    Raises:
        CourseError: an argument that makes no sense.
        SubmissionError: a student's function raised.
    """
    if network not in NETWORKS:
        raise CourseError(f"There is no network {network!r}; there are {', '.join(NETWORKS)}.")
    if checkpoint is not None and network != "cnn":
        raise CourseError(f"--checkpoint is for the cnn; the {network} trains in seconds.")
    if plot is not None:
        # matplotlib takes a second to import, and is an extra
        from solutions.figures import check_path, save_figure, story_figure

        check_path(plot)
    if network == "cnn":
        return cnn_command(ops, seed, samples, plot, output, checkpoint, root)
    used = load_ops(ops, root)
    data = breast_cancer(samples)
    with one_thread(), blaming(ops):
        if network == "broadcast_hunt":
            with announced(f"training for {seed_bug.EPOCHS} epochs"):
                record = hunt(used, data, seed)
            text = hunt_text(record)
        else:
            validation = validate(used, data, seed)
            with announced("training as the notebook did"):
                before = seed_bug.before(data, seed)
            record = mlp_record(validation, data, before)
            text = mlp_text(record, validation, data)
            if plot is not None:
                save_figure(story_figure(before, seed_bug.after(data, seed), data.majority), plot)
    say(used, record, text, output)
    return record


def say(used: Ops, record: dict[str, Any], text: str, output: str) -> None:
    """What was borrowed to stderr, the result to stdout."""
    for lesson, reason in used.borrowed.items():
        complain(f"borrowed from the reference: {lesson} ({reason})")
    if output == "json":
        print(json.dumps(record, indent=2))
    else:
        tell(text)


def cnn_command(
    ops: str,
    seed: int,
    samples: int | None,
    plot: Path | None,
    output: str,
    checkpoint: Path | None,
    root: Path,
) -> dict[str, Any]:
    """Five-fold cross-validation of the deep CNN on the digits, with settings that were chosen on inner parts.

    Raises:
        CourseError: `samples` (the digits are always all of them), or a checkpoint of another run.
        SubmissionError: a student's function raised.
    """
    if samples is not None:
        raise CourseError("--samples is for the mlp; the cnn trains on all 1,797 digits.")
    from solutions.convnet_validation import cross_validate

    used = load_ops(ops, root, CNN_FUNCTIONS)
    if checkpoint is not None:
        checkpoint.mkdir(parents=True, exist_ok=True)
    epochs = sum(settings.epochs for settings in CNN_CHOSEN)
    with one_thread(), blaming(ops), counted("training, epoch by epoch", epochs) as advance:
        started = time.process_time()
        result = cross_validate(used, CNN_CHOSEN, seed, checkpoints=checkpoint, after_epoch=advance)
        seconds = time.process_time() - started
    accuracies = [fold.accuracy for fold in result.folds]
    record = {
        "network": "cnn",
        "folds": accuracies,
        "accuracy_mean": result.mean,
        "accuracy_min": min(accuracies),
        "cpu_seconds": seconds,
    }
    text = "\n".join(
        [
            f"network      conv {CHANNELS[0]} – relu – pool – conv {CHANNELS[1]} – relu – pool – linear, hand-written gradients, digits",
            f"accuracy     {result.mean:.4f} ± {result.spread:.4f} (mean and standard deviation of {len(accuracies)} folds)",
            f"folds        {' '.join(f'{accuracy:.3f}' for accuracy in accuracies)}",
            f"time         {seconds:.0f} s of processor time",
        ]
    )
    if plot is not None:
        from solutions.convnet_figures import convnet_figure
        from solutions.figures import save_figure

        save_figure(convnet_figure(result), plot)
    say(used, record, text, output)
    return record


def validate(ops: Ops, data: Data, seed: int) -> Validation:
    """Ten-fold cross-validation with the settings that inner folds chose, behind a progress bar on stderr."""
    settings = CHOSEN.get(len(data.y), (USUAL,) * FOLDS)
    with counted("training, fold by fold", len(settings)) as advance:
        return cross_validate(ops, data, settings, seed, advance)


def mlp_record(validation: Validation, data: Data, before: seed_bug.Curves) -> dict[str, Any]:
    """The JSON record of the network."""
    return {
        "network": "mlp",
        "folds": list(validation.accuracies),
        "accuracy_mean": validation.mean,
        "accuracy_min": min(validation.accuracies),
        "baseline_majority": data.majority,
        "seed_bug": before.last(),
        "steps_per_second": validation.steps_per_second,
    }


def mlp_text(record: dict[str, Any], validation: Validation, data: Data) -> str:
    """The same for people."""
    folds = " ".join(f"{accuracy:.3f}" for accuracy in validation.accuracies)
    bug = record["seed_bug"]
    return "\n".join(
        [
            f"network      {' → '.join(map(str, DIMS))}, hand-written gradients, {len(data.y)} samples",
            f"accuracy     {validation.mean:.4f} ± {validation.spread:.4f} (mean and standard deviation of {len(validation.accuracies)} folds)",
            f"folds        {folds}",
            f"baseline     {record['baseline_majority']:.4f} (always the larger class)",
            f"speed        {validation.steps_per_second:,.0f} full-batch steps a second",
            "",
            "The same network with its loss taken over (N, 1) against (N,), as in the notebook:",
            f"             loss {bug['loss']:.4f}, reported accuracy {bug['reported_accuracy']:.4f}, "
            f"true accuracy {bug['true_accuracy']:.4f}",
        ]
    )


def hunt(ops: Ops, data: Data, seed: int) -> dict[str, Any]:
    """Run the hunted network as it stands: what it reports, and what is true."""
    scaled = data.standardised_by(data)
    generator = torch.Generator().manual_seed(seed)
    params, history = ops.fit(
        scaled.x, scaled.y, dims=DIMS, lr=seed_bug.LEARNING_RATE, epochs=seed_bug.EPOCHS, generator=generator
    )
    loss, reported = history[-1]
    return {
        "network": "broadcast_hunt",
        "loss": float(loss),
        "reported_accuracy": float(reported),
        "true_accuracy": accuracy(ops, scaled, params),
        "baseline_majority": data.majority,
        "curve": [[float(value) for value in epoch] for epoch in history],
    }


def hunt_text(record: dict[str, Any]) -> str:
    """The same for people, a line every hundred epochs."""
    marks = [0, *range(99, len(record["curve"]), 100)]
    lines = [
        f"epoch {epoch + 1:>4}   loss {record['curve'][epoch][0]:.4f}   accuracy {record['curve'][epoch][1]:.1%}"
        for epoch in marks
    ]
    verdict = f"always the larger class: {record['baseline_majority']:.1%}   true accuracy: {record['true_accuracy']:.1%}"
    return "\n".join([*lines, verdict])


def select_command(samples: int | None = None, network: str = "mlp") -> list[dict[str, Any]]:
    """Choose the settings of every outer fold on its inner folds, as `solutions/chosen.py` holds them, and print them."""
    if network == "cnn":
        return select_cnn()
    with one_thread(), counted("choosing on inner folds", FOLDS * SEARCHES) as advance:
        found = select(load_ops("solutions", ROOT), breast_cancer(samples), FOLDS, advance)
    for fold, settings in enumerate(found, 1):
        print(f"fold {fold:>2}   {settings}")
    return [asdict(settings) for settings in found]


def select_cnn() -> list[dict[str, Any]]:
    """The same for the cnn: on one part held out of each outer training part (some minutes)."""
    from solutions.convnet_validation import GRID
    from solutions.convnet_validation import select as select_settings
    from solutions.digits import FOLDS as OUTER

    with one_thread(), counted("choosing on held-out parts", OUTER * len(GRID)) as advance:
        found = select_settings(load_ops("solutions", ROOT, CNN_FUNCTIONS), 0, advance)
    for fold, settings in enumerate(found, 1):
        print(f"fold {fold:>2}   {settings}")
    return [asdict(settings) for settings in found]


@contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr that says how many of `total` are done; what it yields is called after each."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread: matrices this small are slower on two. Afterwards as many as before."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def blaming(ops: str) -> Iterator[None]:
    """What a student's function raises, said in one sentence, and what a release has no reference for."""
    try:
        yield
    except AutogradCheckError:
        raise
    except NotImplementedError as error:
        says = f"Training needs {error}, which is not written yet and which this course has no reference for"
        raise CourseError(f"{says}. Write it in lessons/, then train with --ops lessons.") from error
    except Exception as error:
        if ops == "solutions":
            raise
        says = f"Training with your layers stopped: {type(error).__name__}: {error}"
        raise SubmissionError(f"{says}. `autograd-check check` finds the layer that is wrong.") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m solutions.train`; exit code 0, or 2 where it could not run."""
    parser = argparse.ArgumentParser(
        prog="python -m solutions.train", description="Train with hand-written gradients only."
    )
    parser.add_argument("--network", choices=NETWORKS, default="mlp")
    parser.add_argument("--ops", choices=("solutions", "lessons"), default="solutions", help="whose layers")
    parser.add_argument("--seed", type=int, default=0, help="of the initial parameters")
    parser.add_argument("--samples", type=int, help="train on a stratified subset of this size")
    parser.add_argument("--format", choices=("text", "json"), default="text", dest="output")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the curves to this PNG or SVG file")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="DIR", help="write the cnn's state there, go on from it"
    )
    parser.add_argument(
        "--select", action="store_true", help="choose the settings again, on inner folds (some minutes)"
    )
    options = vars(parser.parse_args(arguments))
    try:
        if options.pop("select"):
            select_command(options["samples"], options["network"])
        else:
            train_command(**options)
    except AutogradCheckError as error:
        print(f"solutions.train: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
