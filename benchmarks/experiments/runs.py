"""Runs of an experiment: each is trained, tested and recorded once."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = Path(__file__).resolve().parent / "configs"
RESULTS = ROOT / "docs" / "results"


@dataclass(frozen=True)
class Stage:
    """One training.

    Attributes:
        name: Its folder in the run's.
        config: A file in ``configs`` next to this one, or a recipe of realdeg.
        iterations: Their number; 0 for a network without weights, which is only tested.
        options: Dotted keys and values. ``{previous}`` in a value is the weights of the stage
            before, ``{NAME}`` those of another run or of the stage of that name, ``{data}`` the
            folder of the data.
        closed_form: Whether it is solved in one pass instead of by iterations.
    """

    name: str
    config: str
    iterations: int
    options: Mapping[str, Any] = field(default_factory=dict)
    closed_form: bool = False


@dataclass(frozen=True)
class Run:
    """Stages that follow each other, and the tests of the last one.

    Attributes:
        label: The row of the table.
        seed: The seed of every random stream.
        stages: In their order.
        tests: Dotted keys and values of the test.
        facts: More numbers for the record, such as the cost.
        also: More tests by name: what differs in their dotted keys.
    """

    label: str
    seed: int
    stages: tuple[Stage, ...]
    tests: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    also: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Its key in the record."""
        return f"{self.label}, seed {self.seed}"

    @property
    def folder(self) -> str:
        """Its folder below the experiment's."""
        words = "".join(c if c.isalnum() or c in "-_" else " " for c in self.label.lower()).split()
        return f"{'_'.join(words)}_seed{self.seed}"


class Book:
    """The record of an experiment, written after every number.

    Args:
        path: A JSON file; what it holds is not measured again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, Any] = {}
        self._read()

    def _read(self) -> None:
        if self.path.is_file():
            self.entries = json.loads(self.path.read_text())

    def once(self, section: str, key: str, measure: Callable[[], Any]) -> Any:
        """Return a recorded value, measured and written first if it is not there."""
        if key not in self.entries.get(section, {}):
            value = measure()
            self._read()  # another process may have added others meanwhile
            self.entries.setdefault(section, {})[key] = value
            self.entries["machine"] = machine()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial = self.path.with_suffix(f".{os.getpid()}")
            partial.write_text(json.dumps(self.entries, indent=1) + "\n")
            partial.replace(self.path)
        return self.entries[section][key]


def machine() -> dict[str, str]:
    """Describe what the numbers were measured on."""
    model = ""
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "")
    return {
        "processor": model or platform.processor() or "unknown",
        "cores": str(os.cpu_count()),
        "threads": "1 per run",
        "torch": torch.__version__,
    }


def perform(run: Run, work: Path, data: str, others: Mapping[str, str]) -> dict[str, Any]:
    """Train and test a run; finished stages and begun ones are continued.

    Args:
        run: What to do.
        work: The experiment's folder.
        data: ``data_root`` of the configs.
        others: Values for the names in options.

    Returns:
        The numbers of the test, iterations and CPU seconds of each stage (None if it was
        interrupted), and the run's facts.
    """
    names = {"data": data, **others}
    seconds: dict[str, float | None] = {}
    weights: Path | None = None
    for stage in run.stages:
        if not stage.iterations:
            continue
        folder = work / run.folder / stage.name
        done = folder / "cpu_seconds.json"
        if not done.is_file():
            begun = any(folder.glob("iter_*.pth"))
            length = {
                "train_cfg.max_iters": stage.iterations,
                "train_cfg.val_interval": stage.iterations,
                "default_hooks.checkpoint.interval": max(1, stage.iterations // 4),
            }
            options = {**({} if stage.closed_form else length), **_filled(stage.options, names)}
            more = ["--seed", str(run.seed), *(["--resume"] if begun else [])]
            spent = _tool("train", stage.config, folder, data, options, more)
            done.write_text(json.dumps(None if begun else spent))
        seconds[stage.name] = json.loads(done.read_text())
        weights = folder / "backbone.safetensors"
        if not weights.is_file():
            weights = folder / "degradation.safetensors"
        names["previous"] = names[stage.name] = str(weights)
    found = _test(run, run.tests, weights, work / run.folder / "test", data, names)
    also = {
        label: _test(
            run, {**run.tests, **options}, weights, work / run.folder / f"test {label}", data, names
        )
        for label, options in run.also.items()
    }
    return {
        "iterations": {stage.name: stage.iterations for stage in run.stages},
        "cpu_seconds": seconds,
        **found,
        **({"also": also} if also else {}),
        "weights": weights and str(weights.relative_to(work)),
        **run.facts,
    }


def _test(
    run: Run,
    tests: Mapping[str, Any],
    weights: Path | None,
    folder: Path,
    data: str,
    names: Mapping[str, str],
) -> dict[str, Any]:
    """Test the last stage; return the averages and the values of each image."""
    last = run.stages[-1]
    # The backbone of the last stage is what a test loads; where it started from is past.
    options = {
        key: value
        for key, value in {**last.options, **tests}.items()
        if not key.startswith(("train_", "backbone.start_from", "load_from"))
    }
    _tool(
        "test",
        last.config,
        folder,
        data,
        _filled(options, names),
        [*([str(weights)] if weights else []), "--no-pictures"],
    )
    report = json.loads((folder / "test" / "report.json").read_text())
    return {"values": report["mean"], "images": {i["key"]: i for i in report["images"]}}


def _filled(options: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    filled = dict(options)
    for key, value in options.items():
        if isinstance(value, str):
            for name, text in names.items():
                value = value.replace("{" + name + "}", text)
            filled[key] = value
    return filled


def _config(name: str) -> str:
    own = CONFIGS / name
    return str(own) if own.is_file() else name


def _tool(
    tool: str, config: str, folder: Path, data: str, options: Mapping[str, Any], more: list[str]
) -> float:
    """Run a program of one thread; return its CPU seconds."""
    command = [sys.executable, str(ROOT / "tools" / f"{tool}.py"), _config(config), *more]
    command += ["--work-dir", str(folder), "--cfg-options", f"data_root={data}"]
    command += [f"{key}={value}" for key, value in options.items()]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1)
