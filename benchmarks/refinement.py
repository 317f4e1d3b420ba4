r"""Self-ensemble and back-projection: PSNR on Set5 and on real pairs, and agreement with LR.

    python benchmarks/refinement.py --data DATA --networks "FSRCNN x3=fsrcnn_x3.safetensors" ... \
        --degradations "GlobalKernel=gk/degradation.safetensors" --out docs/results

DATA holds Set5 and RealSR-V3-crops. Networks are self-describing files. If degradations of x4 are
given, networks of x4 are also tested on the real pairs with them. docs/test_time.md shows the
results.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch

import realdeg
from realdeg import create_backbone
from realdeg.backbones.running import network_input, predict_image
from realdeg.degradations import BackProjection
from realdeg.utils.colour import to_colour
from realdeg.utils.image import read_image, to_tensor
from realdeg.visualization import training_curves

SET5 = "carnm/carnm_t91_x4_cpu"
REAL = "vdsr/vdsr_realsrv3crops_real_x4_cpu"
ITERATIONS = (1, 2, 5, 10, 20, 50)
MOST = max(ITERATIONS)


def scores(config: str, file: Path, data: Path, scale: int, **refinement: Any) -> dict[str, float]:
    """Return the averages of one test, with four decimals."""
    with tempfile.TemporaryDirectory() as folder:
        report = realdeg.test(
            config,
            file,
            options={"data_root": str(data), "scale": scale},
            work_dir=folder,
            device="cpu",
            pictures=False,
            **refinement,
        )
    return {name: round(value, 4) for name, value in report.averages.items()}


def consistency(file: Path, data: Path, scale: int) -> list[float]:
    """Return the mean over Set5 of the difference to LR, in grey levels, after each iteration."""
    network = create_backbone(file, trained=True).eval()
    project = BackProjection("Bicubic", 1, scale=scale)
    totals = torch.zeros(MOST + 1, dtype=torch.float64)
    files = sorted((data / f"Set5/LR_bicubic/x{scale}").glob("*.png"))
    for path in files:
        lr = to_colour(to_tensor(read_image(path))[None], network.colour)
        with torch.no_grad():
            sr = predict_image(network, network_input(network, lr))
        for number in range(MOST + 1):
            totals[number] += float(project.difference(sr, lr)) * 255
            sr = project(sr, lr)
    return [round(value, 5) for value in (totals / len(files)).tolist()]


def named(pairs: list[str]) -> dict[str, Path]:
    """Split NAME=FILE."""
    return {name: Path(file) for name, _, file in (pair.partition("=") for pair in pairs)}


def main() -> None:
    """Measure, and write ``test_time.json`` and a figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", required=True, metavar="NAME=FILE")
    parser.add_argument("--degradations", nargs="*", default=[], metavar="NAME=FILE")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--figure", type=Path)
    args = parser.parse_args()
    result: dict[str, Any] = {"set5": {}, "real": {}}
    curves = {}
    learned = named(args.degradations)
    for name, file in named(args.networks).items():
        scale = create_backbone(file, trained=True).scale
        row: dict[str, Any] = {"one pass": scores(SET5, file, args.data, scale)}
        row["self-ensemble"] = scores(SET5, file, args.data, scale, self_ensemble=True)
        row["back-projection"] = {
            str(number): scores(
                SET5,
                file,
                args.data,
                scale,
                back_projection={"degradation": "Bicubic", "iterations": number},
            )
            for number in ITERATIONS
        }
        row["both, 10"] = scores(
            SET5,
            file,
            args.data,
            scale,
            self_ensemble=True,
            back_projection={"degradation": "Bicubic", "iterations": 10},
        )
        row["difference, grey levels"] = consistency(file, args.data, scale)
        # Later values are rounding errors of single precision.
        curves[name] = (list(range(21)), row["difference, grey levels"][:21])
        result["set5"][name] = row
        print(name, json.dumps(row), flush=True)
        if scale == 4 and learned:
            real: dict[str, Any] = {"one pass": scores(REAL, file, args.data, 4)}
            real["self-ensemble"] = scores(REAL, file, args.data, 4, self_ensemble=True)
            for kind, weights in {"Bicubic": "Bicubic", **learned}.items():
                for kernel in ("bicubic", "adjoint"):
                    for number in (1, 2, 5, 10, 20):
                        settings = {
                            "degradation": str(weights),
                            "iterations": number,
                            "kernel": kernel,
                        }
                        try:
                            found: Any = scores(REAL, file, args.data, 4, back_projection=settings)
                        except realdeg.RealdegError as error:
                            found = str(error)
                        real[f"{kind}, {kernel}, {number}"] = found
                        print(name, kind, kernel, number, found, flush=True)
            result["real"][name] = real
    args.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1) + "\n"
    (args.out / "test_time.json").write_text(text, encoding="utf-8")
    if args.figure is not None:
        training_curves(
            curves,
            args.figure,
            xlabel="iterations",
            ylabel="difference to LR, grey levels",
            log=True,
            title="Back-projection with bicubic reduction, Set5",
        )


if __name__ == "__main__":
    main()
