"""A recipe without pairs through the command line: begun from weights, resumed, tested."""

from __future__ import annotations

from pathlib import Path

from realdeg import create_degradation
from realdeg.cli.main import main

RECIPE = "dsgan/dsgan_realsrv3crops_x4_cpu"
SMALL = {"type": "DSGAN", "width": 4, "num_blocks": 1, "residual": True}


def _train(folder: Path, start: Path, iterations: int, *more: str) -> int:
    options = [
        f"load_from={start}",
        f"train_cfg.max_iters={iterations}",
        "train_cfg.val_interval=10",
        "default_hooks.checkpoint.interval=1",
        "model.discriminator.width=2",
        *(f"degradation.{key}={value}" for key, value in SMALL.items() if key != "type"),
    ]
    common = ["--sample", "--device", "cpu", "--work-dir", str(folder)]
    return main(["train", RECIPE, *common, *more, "--cfg-options", *options])


def test_begun_from_weights_and_resumed(tmp_path, capsys):
    start = tmp_path / "start.safetensors"
    create_degradation(SMALL, 4, False).save(start, {"sample": True})
    folder = tmp_path / "run"
    # Nothing to resume yet: the recipe's own start counts.
    assert _train(folder, start, 1, "--resume") == 0
    assert f"loaded {start}" in capsys.readouterr().out
    assert _train(folder, start, 2, "--resume") == 0
    said = capsys.readouterr().out
    assert "resumed from" in said and "objective: L1Loss x 1" in said
    weights = folder / "degradation.safetensors"
    options = [f"degradation.{key}={value}" for key, value in SMALL.items() if key != "type"]
    assert (
        main(
            ["test", RECIPE, str(weights), "--sample", "--no-pictures", "--device", "cpu"]
            + ["--work-dir", str(folder), "--cfg-options", *options]
        )
        == 0
    )
    assert "no perceptual term" in (folder / "test" / "report.md").read_text()
