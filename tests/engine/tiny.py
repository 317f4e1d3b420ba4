"""A model, a data set and a config small enough to train in milliseconds."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from pathlib import Path

import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from torch import nn
from torch.utils.data import Dataset, Sampler

import realdeg.engine  # noqa: F401 - registers hooks and loops
from realdeg.engine import RealdegRunner
from realdeg.errors import RealdegError
from realdeg.registry import DATA_SAMPLERS, DATASETS, METRICS, TASKS
from realdeg.utils.component import save_component
from realdeg.utils.streams import Stream


class Line(nn.Module):
    """A component: y = weight * x + bias, with a buffer."""

    def __init__(self, start: float = 0.0, width: int = 4) -> None:
        super().__init__()
        self.arguments = dict(start=start, width=width)
        self.layer = nn.Linear(width, width)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def describe(self) -> str:
        return "a line"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


@TASKS.register_module(force=True)
class TinyTask(BaseModel):
    component = "backbone"

    def __init__(self, width: int = 4, break_at: int = -1) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(1)
            self.backbone = Line(width=width)
        self.break_at, self.steps = break_at, 0
        self.summed: list[str] = []

    def forward(self, x, y, key=None, mode="tensor"):
        out = self.backbone(x)
        if mode == "loss":
            self.backbone.seen += 1
            self.steps += 1
            small = 0.1 * (out - y).abs().mean()
            if self.steps == self.break_at:
                small = small * float("nan")
            return {"loss_square": (out - y).square().mean(), "loss_small": small}
        return [
            {"key": k, "prediction": o.detach(), "target": t}
            for k, o, t in zip(key, out, y, strict=True)
        ]

    def export(self, path, meta):
        module = self.backbone
        return save_component(
            path, module, kind="backbone", type="Line", arguments=module.arguments, meta=meta
        )

    def accumulate(self, batch):
        self.summed += batch["key"]

    def solve(self):
        with torch.no_grad():
            self.backbone.layer.bias.fill_(float(len(self.summed)))


@DATASETS.register_module(force=True)
class TinyData(Dataset):
    """Items whose randomness is a function of (seed, position), or of (seed, key)."""

    def __init__(self, length: int = 7, fail_at: int = -1) -> None:
        self.length, self.fail_at = length, fail_at

    def __len__(self) -> int:
        return self.length

    def summary(self) -> str:
        return f"{self.length} pairs"

    def __getitem__(self, item):
        position, index = item if isinstance(item, tuple) else (f"item{item}", item)
        if position == self.fail_at:
            from realdeg.errors import DataError

            raise DataError("photo.png cannot be read: it is cut off.")
        noise = Stream(3, position).rng("noise").normal(size=4)
        x = torch.linspace(-1, 1, 4) * (index + 1) / self.length
        y = 2 * x + 1 + 0.1 * torch.from_numpy(noise).float()
        return {"x": x, "y": y.float(), "key": f"item{index}"}


@DATA_SAMPLERS.register_module(force=True)
class TinyPositions(Sampler):
    """Iteration t has the positions t*B to (t+1)*B - 1, a contiguous slice for each rank."""

    def __init__(self, dataset, batch_size: int, seed=None) -> None:
        from mmengine.dist import get_dist_info

        self.size, self.batch_size, self.first = len(dataset), batch_size, 0
        self.rank, self.world = get_dist_info()

    def start(self, iteration: int) -> None:
        self.first = iteration

    def __len__(self) -> int:
        return self.size

    def __iter__(self):
        share, iteration = self.batch_size // self.world, self.first
        while True:
            for i in range(share):
                position = iteration * self.batch_size + self.rank * share + i
                yield position, position * 5 % self.size
            iteration += 1


@DATA_SAMPLERS.register_module(force=True)
class TinyOnce(Sampler):
    def __init__(self, dataset, seed=None) -> None:
        from mmengine.dist import get_dist_info

        rank, world = get_dist_info()
        self.indices = range(rank, len(dataset), world)

    def __len__(self) -> int:
        return len(self.indices)

    def __iter__(self):
        return iter(self.indices)


@METRICS.register_module(force=True)
class TinyError(BaseMetric):
    default_prefix = "tiny"

    def process(self, data_batch, data_samples):
        for item in data_samples:
            error = (item["prediction"] - item["target"]).abs().mean().item()
            self.results.append((item["key"], error))

    def compute_metrics(self, results):
        keys = [key for key, _ in results]
        assert keys == [f"item{i}" for i in range(len(keys))], keys
        mean = sum(error for _, error in results) / len(results)
        return {"error": mean, "psnr": -mean, "count": len(results)}


def tiny_config(work_dir: Path, **changes) -> dict:
    """A config for RealdegRunner.from_cfg; ``hooks`` and ``data`` change those parts."""
    iterations = changes.pop("iterations", 16)
    workers = changes.pop("workers", 0)
    save = dict(type="SaveCheckpointHook", interval=4, save_best="psnr")
    save.update(changes.pop("save", {}))
    data = {"type": "TinyData", **changes.pop("data", {})}
    processes = int(os.environ.get("WORLD_SIZE", 1))
    cfg = dict(
        model={"type": "TinyTask", **changes.pop("model", {})},
        work_dir=str(work_dir),
        seed=5,
        device="cpu",
        train_dataloader=dict(
            dataset=data,
            batch_size=4 // processes,
            num_workers=workers,
            persistent_workers=True,
            sampler=dict(type="TinyPositions", batch_size=4),
            collate_fn=dict(type="default_collate"),
        ),
        val_dataloader=dict(
            dataset=dict(type="TinyData"),
            batch_size=2,
            num_workers=0,
            sampler=dict(type="TinyOnce"),
            collate_fn=dict(type="default_collate"),
        ),
        train_cfg=dict(type="IterTrainLoop", max_iters=iterations, val_interval=4),
        val_cfg=dict(type="EvalLoop"),
        val_evaluator=dict(type="Evaluator", metrics=[dict(type="TinyError")]),
        optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=0.05)),
        param_scheduler=[dict(type="MultiStepLR", milestones=[6, 11], gamma=0.5, end=1000)],
        default_hooks=dict(logger=dict(type="ProgressHook", interval=4), checkpoint=save),
    )
    cfg.update(changes)
    cfg["test_dataloader"], cfg["test_cfg"] = cfg["val_dataloader"], cfg["val_cfg"]
    cfg["test_evaluator"] = cfg["val_evaluator"]
    return cfg


def train(work_dir: Path, **changes) -> RealdegRunner:
    """Train in this process."""
    runner = RealdegRunner.from_cfg(tiny_config(work_dir, **changes))
    runner.train()
    runner.close()
    return runner


def final_state(work_dir: Path, iteration: int = 16) -> dict:
    """The last checkpoint, without what the clock decides."""
    from realdeg.engine import read_checkpoint

    state = read_checkpoint(work_dir / f"iter_{iteration}.pth")
    scalars = state["message_hub"]["scalars"]
    state["message_hub"]["scalars"] = {k: v for k, v in scalars.items() if "time" not in k}
    for key in ("time", "experiment_name", "config"):
        state["meta"].pop(key)
    return state


def differences(one, two, place: str = "") -> list[str]:
    """Where two states differ, bit for bit."""
    if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        same = one.dtype == two.dtype and torch.equal(one, two)
        return [] if same else [place]
    if type(one) is not type(two):
        return [place]
    if isinstance(one, dict):
        if list(one) != list(two) and set(one) != set(two):
            return [f"{place}: {sorted(set(one) ^ set(two))}"]
        return [d for key in one for d in differences(one[key], two[key], f"{place}.{key}")]
    if isinstance(one, list | tuple):
        if len(one) != len(two):
            return [place]
        pairs = enumerate(zip(one, two, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, f"{place}.{i}")]
    return [] if one == two else [place]


def _child(work_dir: Path, changes: dict, env: dict, function) -> None:
    os.environ.update(env)
    os.chdir(work_dir.parent)
    torch.set_num_threads(1)
    try:
        (function or train)(work_dir, **changes)
    except RealdegError as error:
        print(f"error: {error}", flush=True)
        raise SystemExit(error.exit_code) from error
    except Exception:
        traceback.print_exc()
        raise SystemExit(1) from None


def start(work_dir: Path, env: dict | None = None, function=None, **changes):
    """Train in a process of its own, forked so that torch need not be imported again.

    Where an earlier test made autograd start threads of its own, torch refuses backward in a fork.
    """
    threads = (file.read_text() for file in Path("/proc/self/task").glob("*/comm"))
    forked = not any("autograd" in name for name in threads)
    context = multiprocessing.get_context("fork" if forked else "spawn")
    process = context.Process(target=_child, args=(work_dir, changes, env or {}, function))
    process.start()
    return process


def run(work_dir: Path, **changes) -> int:
    """Train in a process of its own and return its exit code."""
    process = start(work_dir, **changes)
    process.join(60)
    if process.exitcode is None:
        process.kill()
    return process.exitcode
