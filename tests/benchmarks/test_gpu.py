"""The table of steps on a GPU, as far as a CPU can make it."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu import WAYS, main, precision, row

SMALL = ["patch.size_vox=[32, 16, 16]", "model.widths=[2, 4, 8]", "model.embed_dim=8"]
WAY = {way.name: way for way in WAYS}


def options(**changes: object) -> argparse.Namespace:
    return argparse.Namespace(**{"device": "cpu", "steps": 1, "side": 32, "set": SMALL} | changes)


def test_a_row_has_time_rate_and_share_of_the_peak() -> None:
    cells = [cell.strip() for cell in row("demo", "siil", WAY["bfloat16"], options()).strip("|").split("|")]
    assert cells[:3] == ["demo", "siil", "bfloat16"]
    assert float(cells[3]) > 0
    assert cells[4] == "–", "a CPU has no memory of its own"
    assert cells[6].endswith("%")


@pytest.mark.parametrize(
    ("way", "changes", "said"),
    [
        ("bfloat16, CUDA graph", {}, "RuntimeError: CUDA graphs need a GPU"),
        ("float32", {"set": ["patch.size_vox=[30, 16, 16]"]}, "ConfigError"),
    ],
)
def test_a_way_that_fails_says_why_and_the_table_goes_on(way: str, changes: dict, said: str) -> None:
    assert said in row("demo", "siil", WAY[way], options(**changes))


def test_without_a_gpu_the_command_says_so_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match=r"^--device cuda: torch finds no GPU here; [^\n]*\Z"):
        main([])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_graphs_peak_holds_the_activations() -> None:
    """About that of the same step without a graph, at the demo's sizes."""
    eager, graph = (
        row("demo", "siil", WAY[name], options(device="cuda", set=[])) for name in ("bfloat16", WAYS[-1].name)
    )
    assert float(graph.split("|")[5]) == pytest.approx(float(eager.split("|")[5]), rel=0.5)


def test_tf32_is_as_before_afterwards() -> None:
    before = torch.backends.cuda.matmul.allow_tf32
    with precision(WAY["float32"]):
        assert not torch.backends.cuda.matmul.allow_tf32
    with precision(WAY["TF32"]):
        assert torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cuda.matmul.allow_tf32 == before


def test_the_table_is_printed_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(gpu, "WAYS", (WAY["float32"],))
    sets = [word for pair in SMALL for word in ("--set", pair)]
    table = tmp_path / "table.md"
    quick = ["--device", "cpu", "--steps", "1", "--side", "64"]
    main([*quick, "--sizes", "demo", "--models", "siil", "--output", str(table), *sets])
    assert table.read_text() == capsys.readouterr().out
    assert table.read_text().count("| demo | siil |") == 1
