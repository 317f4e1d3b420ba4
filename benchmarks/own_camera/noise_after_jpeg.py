"""How much of a known noise `fit` finds, before and after JPEG.

LR is HR reduced by bicubic interpolation, with white noise, as PNG or as JPEG; the camera without
noise is known, so that only the measurement of noise is judged.

    python benchmarks/own_camera/noise_after_jpeg.py data/Kodak24 OUT.json
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from realdeg import create_degradation
from realdeg.apis.camera_report import camera_noise
from realdeg.apis.photo_pairs import find_pairs
from realdeg.utils.image import as_rgb, read_image, to_tensor

SCALE, CUT = 2, 3
"""The LR's pixels that are cut off after JPEG, as `register` cuts: its blocks of 8 are moved."""


def measured(files: list[Path], sigma: float, quality: int | None) -> dict[str, float]:
    """Return the noise that is found, in grey levels, by channel."""
    reduction = create_degradation("Bicubic", SCALE, False)
    with tempfile.TemporaryDirectory() as folder:
        sides = {name: Path(folder) / name for name in ("HR", "LR")}
        for side in sides.values():
            side.mkdir()
        for number, file in enumerate(files):
            hr = as_rgb(read_image(file))
            lr = reduction(to_tensor(hr)[None], [0])[0].permute(1, 2, 0).numpy() * 255.0
            lr = lr + np.random.default_rng(number).normal(0, sigma, lr.shape)
            shot = Image.fromarray(lr.clip(0, 255).round().astype(np.uint8))
            if quality is not None:
                coded = io.BytesIO()
                shot.save(coded, "jpeg", quality=quality)
                shot = Image.open(coded).convert("RGB")
            Image.fromarray(np.asarray(shot)[CUT:, CUT:]).save(sides["LR"] / f"{file.stem}.png")
            Image.fromarray(hr[CUT * SCALE :, CUT * SCALE :]).save(sides["HR"] / f"{file.stem}.png")
        pairs = find_pairs((sides["HR"], sides["LR"]))
        transforms = [dict(type="ModCrop"), dict(type="PackSample")]
        found = camera_noise(reduction, pairs.data_set(pairs.names, transforms))
    return {name: round(level, 3) for name, level in found.items()}


def main() -> None:
    """Measure levels of noise and qualities of JPEG."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hr", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=8)
    args = parser.parse_args()
    torch.set_num_threads(1)
    files = sorted(args.hr.glob("*.png"))[: args.count]
    rows = []
    for sigma in (1.0, 2.0, 5.0):
        for quality in (None, 98, 95, 90, 80):
            rows.append({"sigma": sigma, "quality": quality, **measured(files, sigma, quality)})
            print(rows[-1], flush=True)
    args.out.write_text(json.dumps({"images": len(files), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
