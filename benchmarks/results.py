"""Make the tables of docs/results.md: train every row with several seeds and print the spread.

    python benchmarks/results.py degradations_ntire19 --data data --iters 600 --seeds 0 1 2

Every run is an ordinary ``tools/train.py`` and ``tools/test.py`` of a recipe, each in its own
single-threaded process. Finished runs are not repeated, so the command can be interrupted.
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

from realdeg.evaluation.report import MeanSpread, mean_and_spread
from realdeg.utils.tables import markdown_table

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    label: str
    config: str
    options: tuple[str, ...] = ()
    iterated: bool = True
    tests: tuple[tuple[str, tuple[str, ...]], ...] = (("", ()),)
    """Name and options of each test set."""


# As in the paper: independent sigmoid weights, bases with free sums.
_FREE = ("degradation.activation=sigmoid", "degradation.renormalise=False")


def _degradations(data: str) -> list[Row]:
    dml = f"dml/dml_n8_{data}_x4_cpu"
    rows = [
        Row("GlobalKernel", f"global_kernel/global_kernel_{data}_x4", iterated=False),
        Row("DML 8, Gaussian bank, sums kept at 1", dml),
        Row("DML 8, Gaussian bank", dml, _FREE),
        Row("DirectNet", f"direct_net/direct_net_{data}_x4_cpu"),
        Row("DirectKPN", f"direct_kpn/direct_kpn_{data}_x4_cpu"),
    ]
    for n in (4, 16):
        number = f"degradation.num_kernels={n}"
        rows.append(Row(f"DML {n}, Gaussian bank", dml, (number, *_FREE)))
    for n in (8, 4, 16):
        options = (f"degradation.num_kernels={n}", "degradation.init=random", *_FREE)
        rows.append(Row(f"DML {n}, literal start", dml, options))
    return rows


_CITY100 = tuple(
    f"test_dataloader.dataset.{setting}"
    for setting in ("type=City100Dataset", "camera=iPhoneX", "ids=51-56")
)
_SR_METRICS = ("test_evaluator.metrics.0.metrics=[psnr,ssim,gmsd]",)


def _networks(data: str) -> list[Row]:
    tests = [("", _SR_METRICS)]
    if data == "ntire19":
        tests.append(("City100 ", (*_SR_METRICS, *_CITY100)))
    rows = []
    for label, name in (
        ("HR + bicubic", "bicubic"),
        ("real pairs", "real"),
        ("Syn-DML", "syn_dml"),
        ("real + Syn-DML", "real_syn_dml"),
    ):
        options = ("degradation.parts.0.checkpoint={camera}",) if "syn" in name else ()
        rows.append(Row(label, f"vdsr/vdsr_{data}_{name}_x4_cpu", options, tests=tuple(tests)))
    return rows


TABLES = {
    "degradations_ntire19": _degradations("ntire19"),
    "degradations_realsrv3crops": _degradations("realsrv3crops"),
    "networks_ntire19": _networks("ntire19"),
    "networks_realsrv3crops": _networks("realsrv3crops"),
}


def main() -> int:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", choices=sorted(TABLES))
    parser.add_argument("--data", default="data", help="data_root of the configs")
    parser.add_argument("--iters", type=int, default=600)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=2, help="runs at the same time")
    parser.add_argument("--only", default="", help="only rows whose label contains this text")
    parser.add_argument("--camera", help="the DML weights that Syn-DML uses")
    parser.add_argument("--out", type=Path, default=Path("work_dirs/results"))
    args = parser.parse_args()
    rows = [row for row in TABLES[args.table] if args.only in row.label]
    jobs = [
        (row, seed) for row in rows for seed in (args.seeds if row.iterated else args.seeds[:1])
    ]
    with ThreadPoolExecutor(args.jobs) as pool:
        values = list(pool.map(lambda job: _run(args, *job), jobs))
    names = sorted(values[0])
    table = []
    for row in rows:
        mine = [v for (other, _), v in zip(jobs, values, strict=True) if other is row]
        spreads = [mean_and_spread([value[name] for value in mine]) for name in names]
        digits = [2 if name.startswith("psnr") else 4 for name in names]
        table.append([row.label, *map(MeanSpread.text, spreads, digits)])
    print("\n".join(markdown_table(["model", *names], table)))
    return 0


def _run(args: argparse.Namespace, row: Row, seed: int) -> dict[str, float]:
    name = row.label.lower().replace(",", "").replace(" ", "_")
    work_dir = args.out / args.table / f"{name}_{args.iters}_seed{seed}"
    common = [f"data_root={args.data}", *(o.format(camera=args.camera) for o in row.options)]
    options = list(common)
    if row.iterated:
        options += [
            f"train_cfg.max_iters={args.iters}",
            f"train_cfg.val_interval={args.iters}",
            f"default_hooks.checkpoint.interval={args.iters}",
            "train_dataloader.num_workers=0",
        ]
    # The exported weights are written last, so their presence shows that training finished.
    weights = next(iter(work_dir.glob("*.safetensors")), None)
    if weights is None:
        _tool("train.py", row.config, work_dir, options, "--seed", str(seed))
        weights = next(iter(work_dir.glob("*.safetensors")))
    found: dict[str, float] = {}
    for test, more in row.tests:
        folder = work_dir / f"test_{test.strip() or 'own'}"
        report = folder / "test" / "report.json"
        # The report of an interrupted test is marked as incomplete.
        if not report.is_file() or not json.loads(report.read_text()).get("complete", True):
            _tool("test.py", row.config, folder, [*common, *more], str(weights))
        means = json.loads(report.read_text())["mean"]
        found.update({test + key: entry for key, entry in means.items()})
    print(f"{row.label}, seed {seed}: {found}", file=sys.stderr, flush=True)
    return found


def _tool(tool: str, config: str, work_dir: Path, options: list[str], *more: str) -> None:
    command = [sys.executable, str(ROOT / "tools" / tool), config, *more]
    command += ["--work-dir", str(work_dir), "--cfg-options", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


if __name__ == "__main__":
    raise SystemExit(main())
