"""Make the tables of docs/results.md: train every row from several seeds and print the spread.

    python benchmarks/results.py degradations_ntire19 --data data --iters 600 --seeds 0 1 2

Every run is an ordinary ``tools/train.py`` of a config that ships, in a process of its own with
one thread. A run that has finished is not repeated, so the command can be stopped and started.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from realdeg.evaluation.report import mean_and_spread

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    label: str
    config: str
    options: tuple[str, ...] = ()
    iterated: bool = True


def _degradations(data: str) -> list[Row]:
    dml = f"dml/dml_n8_{data}_x4_cpu"
    rows = [Row("GlobalKernel", f"global_kernel/global_kernel_{data}_x4", iterated=False)]
    rows += [
        Row("DML 8, Gaussian bank", dml),
        Row("DirectNet", f"direct_net/direct_net_{data}_x4_cpu"),
        Row("DirectKPN", f"direct_kpn/direct_kpn_{data}_x4_cpu"),
        Row("DML 4, Gaussian bank", dml, ("degradation.num_kernels=4",)),
        Row("DML 16, Gaussian bank", dml, ("degradation.num_kernels=16",)),
    ]
    rows += [
        Row(
            f"DML {n}, literal start",
            dml,
            (f"degradation.num_kernels={n}", "degradation.init=random"),
        )
        for n in (8, 4, 16)
    ]
    return rows


TABLES = {
    "degradations_ntire19": _degradations("ntire19"),
    "degradations_realsrv3crops": _degradations("realsrv3crops"),
}


def main() -> int:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", choices=sorted(TABLES))
    parser.add_argument("--data", default="data", help="data_root of the configs")
    parser.add_argument("--iters", type=int, default=600)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=2, help="runs at the same time")
    parser.add_argument("--out", type=Path, default=Path("work_dirs/results"))
    args = parser.parse_args()
    rows = TABLES[args.table]
    jobs = [
        (row, seed) for row in rows for seed in (args.seeds if row.iterated else args.seeds[:1])
    ]
    with ThreadPoolExecutor(args.jobs) as pool:
        values = list(pool.map(lambda job: _run(args, *job), jobs))
    names = sorted(values[0])
    print("| model | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(names))
    for row in rows:
        mine = [v for (other, _), v in zip(jobs, values, strict=True) if other is row]
        cells = []
        for name in names:
            spread = mean_and_spread([value[name] for value in mine])
            cells.append(spread.text(2 if name.startswith("psnr") else 4))
        print(f"| {row.label} | " + " | ".join(cells) + " |")
    return 0


def _run(args: argparse.Namespace, row: Row, seed: int) -> dict[str, float]:
    name = row.label.lower().replace(",", "").replace(" ", "_")
    work_dir = args.out / args.table / f"{name}_{args.iters}_seed{seed}"
    found = _last_validation(work_dir)
    if found is not None:
        return found
    options = [f"data_root={args.data}", *row.options]
    if row.iterated:
        options += [
            f"train_cfg.max_iters={args.iters}",
            f"train_cfg.val_interval={args.iters}",
            f"default_hooks.checkpoint.interval={args.iters}",
            "train_dataloader.num_workers=0",
            "train_dataloader.persistent_workers=False",
        ]
    command = [sys.executable, str(ROOT / "tools" / "train.py"), row.config]
    command += ["--work-dir", str(work_dir), "--seed", str(seed), "--cfg-options", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    found = _last_validation(work_dir)
    if done.returncode or found is None:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    print(f"{row.label}, seed {seed}: {found}", file=sys.stderr, flush=True)
    return found


def _last_validation(work_dir: Path) -> dict[str, float] | None:
    # The exported weights are written last, so their presence says that the run came to its end.
    if not (work_dir / "degradation.safetensors").is_file():
        return None
    latest = None
    for file in sorted(work_dir.glob("*/vis_data/scalars.json")):
        for line in file.read_text().splitlines():
            record = json.loads(line)
            if any(key.startswith("val/") for key in record):
                latest = {k[4:]: v for k, v in record.items() if k.startswith("val/")}
    return latest


if __name__ == "__main__":
    raise SystemExit(main())
