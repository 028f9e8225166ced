"""The notebook of unit 2 is its text source, runs from top to bottom, and says what the story claims."""

from __future__ import annotations

from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "lessons" / "u02_network"
FIX = "run: jupytext --sync lessons/u02_network/story.py && jupyter execute --inplace lessons/u02_network/story.ipynb"


def cells(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source.strip()) for cell in notebook.cells]


def texts(notebook: nbformat.NotebookNode) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


def test_the_notebook_is_its_text_source() -> None:
    notebook, source = jupytext.read(FOLDER / "story.ipynb"), jupytext.read(FOLDER / "story.py")
    assert cells(notebook) == cells(source), FIX


def test_the_committed_notebook_shows_its_results() -> None:
    notebook = jupytext.read(FOLDER / "story.ipynb")
    assert all(cell.outputs for cell in notebook.cells if "print(" in cell.source and cell.cell_type == "code"), FIX
    assert any("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])), FIX


# jupyter's own packages warn about each other
@pytest.mark.filterwarnings("ignore")
def test_the_notebook_runs_and_tells_the_story() -> None:
    notebook = jupytext.read(FOLDER / "story.py")
    NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(FOLDER)}}).execute()
    said = texts(notebook)
    assert "loss 0.6603   accuracy 62.7%" in said
    assert "569 samples: loss 0.6603, accuracy 62.7%, always the larger class: 62.7%" in said
    assert "144 samples: loss 0.6616, accuracy 62.5%, always the larger class: 62.5%" in said
    assert "product    (569, 569)" in said
    assert "ValueError: z (569, 1) and y (569,) must have the same shape" in said
    assert "bce_with_logits · passed" in said
    assert "mlp · passed" in said
    assert "bce · failed" in said
    after = float(said.split("after    loss ")[1].split("accuracy ")[1].split("%")[0])
    assert after > 96
