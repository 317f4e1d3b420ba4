"""What ``fit`` and ``finetune`` share: their folder, their config and the time of a run."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from realdeg.apis.photo_pairs import Size
from realdeg.apis.recipes import open_recipe
from realdeg.apis.training import TrainingResult, train
from realdeg.backbones.base import Backbone
from realdeg.config import inject
from realdeg.config.data_sets import build_data_sets
from realdeg.datasets.collate import collate_batch
from realdeg.degradations.base import Degradation
from realdeg.engine.hooks.time_limit import TIME_IS_UP
from realdeg.errors import ConfigError, OutputError, as_given
from realdeg.registry import TASKS
from realdeg.utils.component import component_hash
from realdeg.utils.data_file import RUN_CONFIG, data_text, read_data
from realdeg.utils.durations import format_duration
from realdeg.utils.files import atomic_path, remove_left_overs
from realdeg.utils.plain_json import read_json

REPORT, CARD, RUN = "report.json", "README.md", "run"
LEAST_TIME = 10.0
"""The shortest time in seconds that a command accepts."""
START = "start.safetensors"
_OURS = (
    *(RUN_CONFIG, REPORT, CARD, START, RUN),
    *("one_kernel", "regions", "held_out", "pictures"),
)
# Steps of which the first warm up; and the time after which no more are measured.
_WARM, _STEPS, _LONG = 2, 6, 4.0
# A run is planned for this share of what is left, as other work slows a machine down.
_SAFETY = 0.85


@dataclass(frozen=True)
class Pace:
    """Measured seconds.

    Args:
        step: Of one iteration: reading, degrading, forward, backward, optimiser.
        validation: Of a whole validation.
    """

    step: float
    validation: float

    def iterations(self, seconds: float, most: int) -> tuple[int, int]:
        """Return how many iterations fit into a time, and the interval of validations.

        Args:
            seconds: The time for the whole run.
            most: The largest number of iterations that makes sense.
        """
        usable = _SAFETY * seconds
        # Validations take at most a quarter of the time; there are 4 to 16.
        count = min(max(int(usable / 4 / max(self.validation, 1e-6)), 4), 16)
        left = usable - count * self.validation
        planned = min(int(left / max(self.step, 1e-6)), most)
        interval = max(planned // count, 1)
        return max(planned, 0) // interval * interval, interval


def check_time(seconds: float) -> None:
    """Refuse a time in which nothing can be done.

    Raises:
        ConfigError: If it is shorter than ``LEAST_TIME``.
    """
    if seconds < LEAST_TIME:
        raise ConfigError(
            f"{seconds:g} s are too short to learn and to measure anything: give at least"
            f" {as_given(time='30s')}."
        )


def open_output(
    folder: Path, result: str, form: str, what: str, *, overwrite: bool, resume: bool
) -> dict[str, Any] | None:
    """Prepare the folder of a command, which no other process may use by then.

    Nothing is replaced or removed but what the command itself has written, which its report tells.

    Args:
        folder: The folder.
        result: The file that exists once the command has finished.
        form: The ``format`` that the command's reports state.
        what: What the folder holds, for messages: ``"camera"``.
        overwrite: Start again and remove what the command had written.
        resume: Continue what was interrupted.

    Returns:
        The report of an interrupted run to be continued, or None.

    Raises:
        OutputError: If the folder holds a result, an interrupted run or other files that are to be
            kept.
    """
    noted = _noted(folder / REPORT)
    own = noted.get("format") == form
    foreign = [name for name in (result, *_OURS) if os.path.lexists(folder / name)]
    if foreign and not own:
        raise OutputError(
            f"{folder / foreign[0]} is already there and not part of a {what} that"
            f" `realdeg {form.split('-')[1]}` wrote: choose another folder, or move it away."
        )
    complete = own and (folder / result).exists()
    interrupted = own and not complete
    if not overwrite and complete:
        raise OutputError(
            f"{folder} holds a {what} already: choose another folder, or replace it with"
            f" {as_given(overwrite=True)}."
        )
    if not (overwrite or resume) and interrupted:
        raise OutputError(
            f"{folder} holds a {what} that was not finished: continue it with"
            f" {as_given(resume=True)}, or start again with {as_given(overwrite=True)}."
        )
    remove_left_overs(folder)
    if overwrite:
        remove_written(folder, result)
        return None
    if not interrupted:
        return None
    if not isinstance(noted.get("plan"), dict):
        raise OutputError(
            f"{folder / REPORT} does not say what was interrupted: start again with"
            f" {as_given(overwrite=True)}."
        )
    return noted


def identity(component: Backbone | Degradation) -> str:
    """Return the type of a network or degradation, and a hash of its arguments and weights."""
    name = type(component).__name__
    return f"{name} {component_hash(name, component.arguments, component.state_dict())}"


def check_same(folder: Path, former: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Refuse to continue what was begun with other options, as they would have no effect.

    Args:
        folder: The folder of the command.
        former: The report of the interrupted run, whose plan has ``asked``.
        asked: What is asked for now, by the names of the arguments.

    Raises:
        ConfigError: If something differs.
    """
    before = former["plan"].get("asked")
    if not isinstance(before, dict):
        before = {}
    changed = [name for name, value in asked.items() if before.get(name, value) != value]
    if changed:
        told = [
            f"{name} {_in_words(before[name])}, not {_in_words(asked[name])}" for name in changed
        ]
        raise ConfigError(
            f"{folder} was begun with {' and '.join(told)}: continue it with the same, or start"
            f" again with {as_given(overwrite=True)}."
        )


def _in_words(value: Any) -> str:
    if isinstance(value, float):
        return format_duration(value)
    return "none" if value is None else str(value)


def remove_written(folder: Path, result: str) -> None:
    """Remove what a command has written into its folder.

    Args:
        folder: The folder.
        result: The file that exists once the command has finished.
    """
    # The report, by which it is known whose files these are, goes last.
    for name in (result, *(name for name in _OURS if name != REPORT), REPORT):
        place = folder / name
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


def _noted(file: Path) -> dict[str, Any]:
    """Return what a report says; nothing if there is none, or it is no report."""
    if not file.is_file():
        return {}
    noted = read_json(file.read_text("utf-8", errors="replace"), str(file), OutputError)
    return noted if isinstance(noted, dict) else {}


def write_report(folder: Path, report: Mapping[str, Any]) -> Path:
    """Write ``report.json``, whole or not at all."""
    text = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_path(folder / REPORT) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return folder / REPORT


def write_text(path: Path, text: str) -> Path:
    """Write a text file, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def write_config(path: Path, config: Mapping[str, Any], heading: str) -> Path:
    """Write a config as data, with a comment at its top."""
    lines = "".join(f"# {line}\n" for line in heading.splitlines())
    return write_text(path, lines + data_text(config))


def train_in_time(
    config: Path, run: Path, device: str | None, *, resume: bool = False
) -> TrainingResult:
    """Train what a config says, which ends by itself when its time is up.

    If it did, the config states the iteration afterwards, so that it trains to the same weights
    however fast the machine is.

    Args:
        config: A config that :func:`write_config` wrote, with a ``TimeLimitHook``.
        run: The folder of the run.
        device: Where to train; None: the accelerator if there is one.
        resume: Continue an interrupted run.
    """
    result = train(config, work_dir=run, device=device, resume=resume)
    if result.stopped.startswith(TIME_IS_UP):
        text = config.read_text("utf-8")
        heading = [line[2:] for line in text.splitlines() if line.startswith("# ")]
        stated = read_data(config)
        hooks = [hook for hook in stated["custom_hooks"] if hook["type"] != "TimeLimitHook"]
        hooks.append({"type": "TimeLimitHook", "iteration": result.iterations})
        write_config(config, {**stated, "custom_hooks": hooks}, "\n".join(heading))
    return result


def best_weights(run: Path, kind: str) -> Path:
    """Return the weights of the best validation of a run, or else its last ones."""
    best = run / f"best_{kind}.safetensors"
    return best if best.is_file() else run / f"{kind}.safetensors"


def measure_pace(config: Mapping[str, Any], device: torch.device) -> Pace:
    """Take a few steps and a validation of a config, and return what they took.

    Nothing is kept: the run itself starts anew from its seed.

    Args:
        config: A config of training, with pairs or a degradation; files are named absolutely.
        device: Where to compute.
    """
    # Not in the folder of the result: what is interrupted here must not be taken for the plan.
    with tempfile.TemporaryDirectory(prefix="realdeg_pace_") as folder:
        cfg = inject(open_recipe(write_config(Path(folder) / RUN_CONFIG, config, "Timed.")))
    data = build_data_sets(cfg, ("train_dataloader", "val_dataloader"))
    train, held = data["train_dataloader"], data["val_dataloader"]
    task: Any = TASKS.build(cfg.model).to(device)
    optimiser = torch.optim.Adam([p for p in task.parameters() if p.requires_grad], lr=1e-6)
    batch_size = int(cfg.train_dataloader["batch_size"])
    taken: list[float] = []
    began = time.perf_counter()
    for step in range(_STEPS):
        start = time.perf_counter()
        places = range(step * batch_size, (step + 1) * batch_size)
        batch = collate_batch([train[(place, place % len(train))] for place in places])
        (moved,) = task.data_preprocessor(batch)
        losses: dict[str, Tensor] = task.losses(moved)
        total = torch.stack([value.mean() for key, value in losses.items() if "loss" in key]).sum()
        optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        float(total.detach())  # waits for the device
        taken.append(time.perf_counter() - start)
        if step >= _WARM and time.perf_counter() - began > _LONG:
            break
    task.eval()
    start = time.perf_counter()
    with torch.no_grad():
        (moved,) = task.data_preprocessor(collate_batch([held[0]]))
        task.predict(moved)
    validation = (time.perf_counter() - start) * len(held)
    later = sorted(taken[_WARM:] or taken)
    return Pace(step=later[len(later) // 2], validation=validation)


def whole_or_centre(sizes: Collection[Size], multiple: int, most: int) -> list[dict[str, Any]]:
    """Return the transforms of images that are used whole, or their centre if some are large.

    Args:
        sizes: Height and width of the HR images.
        multiple: What the sides of a crop have to be divisible by.
        most: The side in HR pixels of the largest square that is used.
    """
    if max(height * width for height, width in sizes) > 2 * most**2:
        side = min(most, *(min(size) for size in sizes)) // multiple * multiple
        return [dict(type="CentreCrop", patch_size=side), dict(type="PackSample")]
    return [dict(type="ModCrop"), dict(type="PackSample")]
