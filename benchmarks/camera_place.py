"""Does a DML that sees place and colour find the kernels of a lens?

    python benchmarks/camera_place.py RUNS --data DATA [--seeds 2] [--iterations 1000]

DATA holds ``BSDS500``. Sixty of its training photos go through a simulated camera with radial blur
and lateral chromatic aberration; a DML is trained on these pairs without and with the place in the
photo, with luma and with colours, and its kernels are compared with the true ones on test photos,
in three rings around the optical axis. What is in RUNS is not made again; the numbers go to
``docs/results/camera_place.json``, the kernels over the field to ``docs/assets``.

    python benchmarks/camera_place.py RUNS --data DATA --draw

draws alone.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

from realdeg import Degrader, create_degradation, train
from realdeg.degradations import Degradation
from realdeg.evaluation.kernel_rings import error_by_radius
from realdeg.runs import read_run
from realdeg.utils.image import read_image, to_tensor
from realdeg.utils.place import Place
from realdeg.visualization.style import (
    SMALL_SIZE,
    axes_at,
    hide_ticks,
    new_figure,
    save_figure,
    write_text,
)

ROOT = Path(__file__).resolve().parents[1]
RECIPE = "dml/dml_n8_place_colour_lens_x2_cpu"
CAMERA = {
    "type": "SampleCamera", "content": 0.25, "position": 0.0, "radial": 1.0, "lateral": 1.5,
}  # fmt: skip
MODELS = {
    "DML": {"position": False, "colour": "luma"},
    "DML with place": {"position": True, "colour": "luma"},
    "DML with colour": {"position": False, "colour": "weights"},
    "DML with place and colour": {"position": True, "colour": "weights"},
    "DML with place and bases per colour": {"position": True, "colour": "bases"},
}
TRAINING_PHOTOS, TEST_PHOTOS, POINTS, PLACES = 60, 20, 256, 7


def camera() -> Degradation:
    """Return the camera."""
    return create_degradation(CAMERA, scale=2, same_size=False)


def photos(folder: Path, count: int) -> dict[str, torch.Tensor]:
    """Return some photos, cropped to even sides."""
    found = {}
    for path in sorted(p for p in folder.iterdir() if p.suffix in (".jpg", ".png"))[:count]:
        pixels = to_tensor(read_image(path))[:3]
        found[path.stem] = pixels[:, : pixels.shape[1] // 2 * 2, : pixels.shape[2] // 2 * 2]
    return found


def training_photos(data: Path) -> list[Path]:
    """Return the files that the models learn from."""
    return sorted((data / "BSDS500/train").glob("*.jpg"))[:TRAINING_PHOTOS]


def learn(runs: Path, data: Path, model: str, seed: int, iterations: int) -> Path:
    """Train a model on the pairs of the camera, and return its weights."""
    folder = runs / f"{model.replace(' ', '_')}_{seed}"
    weights = folder / "degradation.safetensors"
    # An interrupted run has weights, too.
    if weights.exists() and read_run(folder).finished:
        return weights
    options = {f"degradation.{name}": value for name, value in MODELS[model].items()}
    colour = "y" if MODELS[model]["colour"] == "luma" else "rgb"
    crop = [{"type": "ModCrop"}, {"type": "PairedCrop"}, {"type": "Flip"}, {"type": "PackSample"}]
    pairs = {
        "_delete_": True,
        "type": "PairedFolderDataset",
        "hr_dir": str(data / "BSDS500/train"),
        "lr_dir": str(runs / "lr"),
        "names": [file.stem for file in training_photos(data)],
        "whole_photos": True,
        "transforms": crop,
    }
    torch.set_num_threads(1)
    train(
        RECIPE,
        options={
            **options,
            "model.colour": colour,
            "train_dataloader.dataset": pairs,
            "train_dataloader.num_workers": 0,
            "train_cfg.max_iters": iterations,
            "train_cfg.val_interval": iterations,
        },
        seed=seed,
        work_dir=folder,
        device="cpu",
        resume=True,
    )
    return weights


def draw(runs: Path, data: Path, out: Path) -> None:
    """Draw the kernels from corner to corner: the truth above, each model below.

    The kernels of R, G and B are the colours of a picture, on black: where they lie apart, there
    are fringes.
    """
    ((name, photo),) = photos(data / "BSDS500/test", 1).items()
    hr = photo[None]
    place = Place.whole(photo.shape[1], photo.shape[2])
    size = [side // 2 for side in photo.shape[1:]]
    along = [0.06 + 0.88 * index / (PLACES - 1) for index in range(PLACES)]
    points = [(int(at * size[0]), int(at * size[1])) for at in along]
    found = {"true": camera().channel_kernels_at(hr, points, place)}
    for model in MODELS:
        file = runs / f"{model.replace(' ', '_')}_0" / "degradation.safetensors"
        if file.exists():
            with torch.no_grad():
                found[model] = create_degradation(str(file)).channel_kernels_at(hr, points, place)
    cell, left, above = 1.0, 2.1, 0.35
    figure = new_figure(left + PLACES * cell, above + len(found) * cell)
    heading = (
        f"upper left corner to lower right corner of {name}: the kernels of R, G and B as colours"
    )
    write_text(figure, left, 0.18, heading, fontsize=SMALL_SIZE, horizontalalignment="left")
    for row, (model, kernels) in enumerate(found.items()):
        top = above + row * cell
        words = model.replace(" with", "\nwith").replace(" and bases", "\nand bases")
        write_text(figure, left / 2, top + cell / 2, words, fontsize=SMALL_SIZE)
        for column, kernel in enumerate(kernels):
            axes = axes_at(figure, left + column * cell, top, cell - 0.05, cell - 0.05)
            # Brighter by the square root, as faint taps are drawn elsewhere.
            shown = (kernel / kernel.amax()).clamp(0, 1).sqrt().permute(1, 2, 0)
            axes.imshow(shown.numpy(), interpolation="nearest")
            hide_ticks(axes)
    save_figure(figure, out)


def main() -> None:
    """Train and measure what is missing; write after each model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--draw", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/camera_place.json")
    args = parser.parse_args()
    picture = ROOT / "docs/assets/camera_place.png"
    if args.draw:
        draw(args.runs, args.data, picture)
        return
    args.runs.mkdir(parents=True, exist_ok=True)
    chosen = [str(file) for file in training_photos(args.data)]
    Degrader(camera()).degrade_folder(chosen, args.runs / "lr", progress=False)
    tested = photos(args.data / "BSDS500/test", TEST_PHOTOS)
    done = json.loads(args.out.read_text()) if args.out.exists() else {"runs": {}}
    done["camera"], done["iterations"] = CAMERA, args.iterations
    for seed in range(args.seeds):
        for model in MODELS:
            key = f"{model}, seed {seed}"
            if key in done["runs"]:
                continue
            started = time.process_time()
            weights = learn(args.runs, args.data, model, seed, args.iterations)
            spent = time.process_time() - started
            learned = create_degradation(str(weights))
            errors = error_by_radius(learned, camera(), tested, points_per_photo=POINTS)
            done["runs"][key] = {**errors, "cpu_seconds": round(spent, 1)}
            args.out.parent.mkdir(parents=True, exist_ok=True)
            args.out.write_text(json.dumps(done, indent=1) + "\n")
            print(key, json.dumps(errors), flush=True)
    draw(args.runs, args.data, picture)


if __name__ == "__main__":
    main()
