r"""What CinCGAN's runs have learned: the losses of each direction and PSNR on held-out pairs.

    realdeg train edsr/edsr_realsrv3crops_bicubic_x4_cpu --cfg-options data_root=data
    realdeg train cincgan/cincgan_realsrv3crops_x4_cpu --cfg-options data_root=data
    python benchmarks/cincgan.py "without total variation=work_dirs/cincgan_realsrv3crops_x4_cpu"

Writes ``docs/results/cincgan.json`` from the runs' logs. Other runs are added as
``"label=folder of the run"``; the network that enlarges, which the runs begin with, is one as well.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KEPT = ("loss", "score", "logit")


def history(run: Path) -> dict[str, Any]:
    """Return losses and validation scores of a run by iteration, of all its parts."""
    training: dict[int, dict[str, float]] = {}
    validation: dict[int, dict[str, float]] = {}
    for file in sorted(run.glob("*/vis_data/scalars.json")):
        for line in file.read_text(encoding="utf-8").splitlines():
            noted = json.loads(line)
            named = {key.partition("/")[2]: value for key, value in noted.items() if "/" in key}
            if any(key.startswith("val/") for key in noted):
                validation.setdefault(noted["step"], {}).update(rounded(named, ("psnr", "ssim")))
            else:
                training.setdefault(noted["step"], {}).update(rounded(named, KEPT))
    return {
        "training": dict(sorted(training.items())),
        "held_out": dict(sorted(validation.items())),
    }


def rounded(values: dict[str, float], kinds: tuple[str, ...]) -> dict[str, float]:
    """Return the values of some kinds with five digits."""
    return {key: float(f"{v:.5g}") for key, v in values.items() if key.startswith(kinds)}


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="LABEL=RUN")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/results/cincgan.json")
    given = parser.parse_args()
    found = {}
    for item in given.runs:
        label, _, folder = item.partition("=")
        found[label] = history(Path(folder))
    given.out.write_text(json.dumps({"runs": found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
