"""Learn a simulated camera at x2 and x4 and compare its LR at x3, which nothing was trained on.

    OMP_NUM_THREADS=1 python benchmarks/scales.py DATA RUNS docs/results/scales.json --seeds 0 1
    OMP_NUM_THREADS=1 python benchmarks/scales.py DATA RUNS short.json --shorter 50

DATA holds ``BSDS500/train`` and ``Kodak24``: HR for training and for the test. ``SampleCamera``
makes LR of both at x2, x3 and x4 on the HR grid, as in RealSR V2, and is the truth. PSNR is that of
protocol ``lr-fidelity``: luma in 8 bit, RGB beside it. Pairs and trainings are kept in RUNS and
continued where they were stopped; results are written one by one, and rows that are there are kept.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from realdeg import create_degradation, read_image, train
from realdeg.degradations import Degradation
from realdeg.utils.colour import rgb_to_y
from realdeg.utils.image import write_image
from realdeg.utils.streams import stream_seed

SCALES, UNSEEN = (2, 4), 3
PHOTOS, SIDE = {"train": 60, "test": 12}, {"train": 320, "test": 256}
AUTOENCODER, FLOW, DML, SCALE_DML = 1500, 1000, 600, 1200
BORDER = 8
OFF: dict[str, Any] = {
    f"{split}_{part}": None
    for split in ("val", "test")
    for part in ("dataloader", "cfg", "evaluator")
}
BRIEF: dict[str, Any] = {
    "same_size": True,
    "patch_size": 48,
    "batch_size": 4,
    "train_dataloader.num_workers": 0,
    "train_dataloader.persistent_workers": False,
    "default_hooks.checkpoint.interval": 200,
    "default_hooks.logger.interval": 50,
}
Predict = Callable[[Tensor, Tensor | None, float], Tensor]
"""HR, the true LR and the scale to LR."""


class Stages:
    """Pairs and trainings, each made once.

    Args:
        data: Folder of data sets.
        runs: Folder of what is kept.
        shorter: What numbers of photos and iterations are divided by.
        seed: Of every random stream of a training.
    """

    def __init__(self, data: Path, runs: Path, shorter: int, seed: int) -> None:
        self.data, self.runs, self.shorter, self.seed = data, runs, shorter, seed

    def pairs(self, split: str) -> Path:
        """Write HR and its LR of all scales, and return their folder."""
        folder = self.runs / split
        if (folder / "done").exists():
            return folder
        source = self.data / ("BSDS500/train" if split == "train" else "Kodak24")
        files = sorted(file for file in source.iterdir() if file.suffix in (".png", ".jpg"))
        count, side = max(2, PHOTOS[split] // self.shorter), SIDE[split]
        for file in files[:: max(1, len(files) // count)][:count]:
            hr = read_image(file)
            top, left = ((length - side) // 2 for length in hr.shape[:2])
            hr = hr[top : top + side, left : left + side]
            write_image(folder / "HR" / f"{file.stem}.png", hr)
            for scale in (*SCALES, UNSEEN):
                camera = create_degradation("SampleCamera", scale=scale, same_size=True)
                lr = camera(_tensor(hr), [stream_seed(0, file.stem, scale)])[0]
                pixels = (lr * 255).round().byte().permute(1, 2, 0).numpy()
                write_image(folder / "LR" / f"{file.stem}_x{scale}.png", pixels)
        (folder / "done").touch()
        return folder

    def test(self) -> Iterator[tuple[str, Tensor, dict[float, Tensor]]]:
        """Yield name, HR and LR by scale of each held-out photo."""
        folder = self.pairs("test")
        for file in sorted((folder / "HR").iterdir()):
            lr = {s: _image(folder / "LR" / f"{file.stem}_x{s}.png") for s in (*SCALES, UNSEEN)}
            yield file.stem, _image(file), lr

    def degflow(self, stage: str) -> Path:
        """Train a stage of DegFlow, the first one before the second."""
        first = stage == "autoencoder"
        recipe = f"degflow/degflow_{'ae_' if first else ''}sample_x4_cpu"
        steps = AUTOENCODER if first else FLOW
        options = {
            "train_dataloader.dataset.dataset": self._scenes(),
            "train_cfg.max_iters": max(2, steps // self.shorter),
        }
        if not first:
            options["load_from"] = str(self.degflow("autoencoder"))
        return self._train(stage, recipe, options)

    def dml(self, scale: int) -> Path:
        """Train a DML of one scale."""
        options = {
            "scale": scale,
            "train_dataloader.dataset": self._scenes(),
            "train_cfg.max_iters": max(2, DML // self.shorter),
        }
        return self._train(f"dml_x{scale}", "dml/dml_n8_ntire19_x4_cpu", options)

    def scale_dml(self) -> Path:
        """Train one DML for both scales."""
        options = {
            "train_dataloader.dataset": {
                "_delete_": True,
                "type": "ScaleSetDataset",
                "scales": list(SCALES),
                "dataset": {k: v for k, v in self._scenes().items() if k != "_delete_"},
            },
            "train_cfg.max_iters": max(2, SCALE_DML // self.shorter),
        }
        return self._train("scale_dml", "scale_dml/scale_dml_n8_camera_x4_cpu", options)

    def cost(self, name: str) -> int:
        """Return the CPU seconds of a training, of its last part if it was interrupted."""
        return int((self._folder(name) / "cpu_seconds").read_text())

    def _scenes(self) -> dict[str, Any]:
        folder = self.pairs("train").resolve()
        return {
            "_delete_": True,
            "type": "PairedFolderDataset",
            "hr_dir": str(folder / "HR"),
            "lr_dir": str(folder / "LR"),
            "lr_pattern": "{name}_x{scale}",
            "transforms": [{"type": "PairedCrop"}, {"type": "Flip"}, {"type": "PackSample"}],
        }

    def _folder(self, name: str) -> Path:
        return self.runs / f"{name}_seed{self.seed}"

    def _train(self, name: str, recipe: str, options: dict[str, Any]) -> Path:
        folder = self._folder(name)
        file = folder / "degradation.safetensors"
        if (folder / "cpu_seconds").exists():
            return file
        known, used = (folder / "last_checkpoint").exists(), time.process_time()
        settings = OFF | BRIEF | options
        train(
            recipe,
            options=settings,
            work_dir=folder,
            seed=self.seed,
            device="cpu",
            resume=known or None,
        )
        (folder / "cpu_seconds").write_text(str(round(time.process_time() - used)))
        return file


def _tensor(pixels: Any) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def _image(file: Path) -> Tensor:
    return _tensor(read_image(file))


def decibels(made: Tensor, truth: Tensor) -> tuple[float, float]:
    """Return PSNR of luma and of RGB after rounding to 8 bit, without a border of 8 pixels."""
    made, inner = made.clamp(0, 1).mul(255).round().div(255), (..., *[slice(BORDER, -BORDER)] * 2)
    values = []
    for first, second in ((rgb_to_y(made), rgb_to_y(truth)), (made, truth)):
        error = (first - second)[inner].double().square().mean()
        values.append(float(-10 * torch.log10(error)))
    return values[0], values[1]


@lru_cache(maxsize=8)
def at(source: str | Path, scale: float) -> Degradation:
    """Build a degradation for a scale on the HR grid."""
    return create_degradation(source, scale=scale, same_size=True).eval()


def rows(stages: Stages) -> Iterator[tuple[str, Callable[[], Predict], tuple[float, ...], str]]:
    """Yield each row: its name, what builds it, its scales, and the trainings that it needs."""
    every, nothing = (2, 3, 4), ""
    if stages.seed == 0:  # these do not depend on a seed

        def mean_of_truth() -> Predict:
            true = {hr.sum().item(): (lr[2] + lr[4]) / 2 for _, hr, lr in stages.test()}
            return lambda hr, _, __: true[hr.sum().item()]

        yield "true x2 and x4, mean", mean_of_truth, (UNSEEN,), ""
        yield "HR itself", lambda: lambda hr, _, __: hr, every, nothing
        yield "Bicubic", lambda: lambda hr, _, s: at("Bicubic", s)(hr, [0]), every, nothing
    flow = lambda: stages.degflow("flow")  # noqa: E731
    dml = lambda s: stages.dml(int(s))  # noqa: E731

    def own() -> Predict:
        file = flow()
        return lambda hr, _, s: at(file, s)(hr, [0])

    def scaled() -> Predict:
        file = stages.scale_dml()
        return lambda hr, _, s: at(file, s)(hr, [0])

    def repeated() -> Predict:
        built: Any = at(stages.degflow("autoencoder"), 4)
        return lambda hr, lr, _: built.reconstruct(hr, lr)

    def mean_of_flow() -> Predict:
        file = flow()
        return lambda hr, _, __: (at(file, 2)(hr, [0]) + at(file, 4)(hr, [0])) / 2

    def single() -> Predict:
        files = {s: dml(s) for s in SCALES}
        return lambda hr, _, s: at(files[int(s)], s)(hr, [0])

    def mean_of_dml() -> Predict:
        files = {s: dml(s) for s in SCALES}
        return lambda hr, _, __: sum(at(files[s], s)(hr, [0]) for s in SCALES) / 2  # type: ignore

    yield "ScaleDML", scaled, every, "scale_dml"
    yield "DegFlow", own, every, "autoencoder flow"
    yield "its x2 and x4, mean", mean_of_flow, (UNSEEN,), "autoencoder flow"
    yield "its autoencoder, of true LR", repeated, every, "autoencoder"
    yield "DML, one per scale", single, SCALES, "dml_x2 dml_x4"
    yield "DML x2 and x4, mean", mean_of_dml, (UNSEEN,), "dml_x2 dml_x4"


def main() -> None:
    """Fill the table, row by row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--shorter", type=int, default=1, help="divides photos and iterations")
    parser.add_argument("--only", nargs="+", help="names of rows; the others are left out")
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = json.loads(args.result.read_text()) if args.result.exists() else {"rows": []}
    found["settings"] = {
        "photos": PHOTOS,
        "side": SIDE,
        "iterations": {
            "autoencoder": AUTOENCODER,
            "flow": FLOW,
            "DML": DML,
            "ScaleDML": SCALE_DML,
        },
        "shorter": args.shorter,
        "torch": torch.__version__,
    }
    done = {(row["row"], row["seed"]) for row in found["rows"]}
    for seed in args.seeds:
        stages = Stages(args.data, args.runs, args.shorter, seed)
        for name, build, scales, needed in rows(stages):
            if (name, seed) in done or (args.only and name not in args.only):
                continue
            predict, scores = build(), {}
            for photo, hr, lr in stages.test():
                for scale in scales:
                    with torch.no_grad():
                        made = predict(hr, lr[scale], scale)
                    scores.setdefault(f"x{scale}", {})[photo] = decibels(made, lr[scale])
            means = {
                scale: [round(statistics.fmean(v[i] for v in each.values()), 3) for i in (0, 1)]
                for scale, each in scores.items()
            }
            cost = {stage: stages.cost(stage) for stage in needed.split()}
            row = {"row": name, "seed": seed, "psnr_y_rgb": means, "cpu_seconds": cost}
            found["rows"].append(row | {"photos": scores})
            args.result.parent.mkdir(parents=True, exist_ok=True)
            args.result.write_text(json.dumps(found, indent=1) + "\n")
            print(f"{name:28} seed {seed}  {means}  {cost}", flush=True)


if __name__ == "__main__":
    main()
