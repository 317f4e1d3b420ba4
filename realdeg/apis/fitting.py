"""Fit a camera to real pairs, as ``realdeg fit`` does."""

from __future__ import annotations

import logging
import os
import shutil
import time as clock
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from realdeg.apis import fit_plan
from realdeg.apis.camera_report import CameraNumbers, measure_camera, write_camera
from realdeg.apis.create import create_degradation, find_device
from realdeg.apis.fit_plan import DML, ONE_KERNEL
from realdeg.apis.guided import (
    REPORT,
    RUN,
    best_weights,
    check_same,
    check_time,
    measure_pace,
    open_output,
    train_in_time,
    write_config,
    write_report,
    write_text,
)
from realdeg.apis.holding_out import divide, divided_pairs
from realdeg.apis.photo_pairs import Pairs, PhotoPairs, check_alignment, find_pairs
from realdeg.apis.result_block import result_block
from realdeg.apis.training import TrainingResult, train
from realdeg.engine.hooks.outputs import COLLAPSED
from realdeg.errors import DataError
from realdeg.utils.data_file import RUN_CONFIG
from realdeg.utils.durations import format_duration, parse_duration
from realdeg.utils.files import ensure_writable_dir
from realdeg.utils.locks import exclusive
from realdeg.utils.notebook import Table

logger = logging.getLogger(__name__)

FORMAT = "realdeg-fit-1"
CAMERA = "camera.safetensors"
_LEAST_RATE = 2e-4
_FOLDERS = {ONE_KERNEL: "one_kernel", DML: RUN}


@dataclass(frozen=True)
class FittedCamera:
    """A camera that was fitted to pairs.

    Attributes:
        folder: The folder; it stands for ``weights`` wherever a degradation is named.
        weights: The self-describing file of the degradation with its noise.
        kind: What was chosen: ``"DML"`` or ``"one kernel"``.
        psnr: PSNR in dB of held-out LR under the protocol ``lr-fidelity``, by what made it.
        noise: Standard deviation of the camera's noise in grey levels of 0 to 255.
        stopped: Why the training ended.
        seconds: How long everything took.
        report: All of this and more as plain data, as in ``report.json``.
    """

    folder: Path
    weights: Path
    kind: str
    psnr: Mapping[str, float]
    noise: float
    stopped: str
    seconds: float
    report: Mapping[str, Any] = field(repr=False)

    def _repr_html_(self) -> str:
        """Return numbers and pictures for a notebook."""
        rows = [(name, f"{value:.2f}") for name, value in self.psnr.items()]
        return result_block(self, self.kind, Table(("held-out LR made by", "PSNR, dB"), rows))

    def describe(self) -> str:
        """Return the result in words, one line per number."""
        lines = [f"{self.weights}: {self.kind}, noise {self.noise:.2f} grey levels"]
        lines += [f"  {name:<22} {value:6.2f} dB" for name, value in self.psnr.items()]
        lines.append(f"  {self.stopped}; {format_duration(self.seconds)} in all")
        return "\n".join(lines)


def fit_camera(
    pairs: Pairs,
    out: str | os.PathLike[str],
    *,
    time: float | str = "10m",
    scale: int | None = None,
    seed: int = 0,
    device: str | None = None,
    allow_misaligned: bool = False,
    overwrite: bool = False,
    resume: bool = False,
) -> FittedCamera:
    """Learn how a camera degrades from real pairs, with everything chosen from the pairs.

    One kernel for the whole image is fitted by least squares. With enough pixels and time a DML is
    trained as well, for as many iterations as the time allows, and until several validations bring
    no gain. Whichever is better on the held-out pairs becomes the camera, together with noise of
    the level that is left over in flat regions of them.

    Args:
        pairs: A folder with the folders HR and LR, as ``realdeg register`` writes it, or a tuple of
            two folders.
        out: The folder for ``camera.safetensors``, the config, a card, a report and pictures.
        time: How long it may take in all: seconds, or ``"90s"``, ``"10m"``, ``"1h"``.
        scale: HR pixels per LR pixel; None: as registered, or by the sizes.
        seed: The seed of the division into pairs to learn from and to hold out, and of the
            training.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``; None: the accelerator if there is one.
        allow_misaligned: Fit to pairs that are not aligned, too.
        overwrite: Replace a camera that is in the folder.
        resume: Continue a fit that was interrupted.

    Returns:
        The camera and what was measured.

    Raises:
        ConfigError: If the time is no duration, or too short, or what is continued was begun with
            other pairs or options.
        DataError: If there are too few pairs, or they are misaligned, damaged or too small.
        GeometryError: If the sizes fit no scale.
        OutputError: If the folder holds something else, or cannot be written.

    Example:
        >>> import realdeg
        >>> realdeg.fit_camera("pairs", "my_camera", time="10m")  # doctest: +SKIP
    """
    began = clock.monotonic()
    seconds = parse_duration(time)
    check_time(seconds)
    found = find_pairs(pairs, scale)
    if len(found.names) < 2:
        raise DataError(
            f"there is one pair in {found.hr_dir}: a camera is learned from some pairs and tested"
            " on others, so give at least two, better twenty."
        )
    target = find_device(device)
    # Before the folder is touched: pairs that are refused replace no camera.
    alignment = check_alignment(found, allow_misaligned).summary
    folder = ensure_writable_dir(Path(out).expanduser())
    with exclusive(folder, "fit"):
        former = open_output(folder, CAMERA, FORMAT, "camera", overwrite=overwrite, resume=resume)
        asked: dict[str, Any] = {"time": seconds, "seed": seed, "device": str(target)}
        asked["pairs"] = found.identity()
        if former is None:
            plan = divide(found, folder, seed) | {
                "seed": seed,
                "time": seconds,
                "device": str(target),
                "asked": asked,
                "alignment": alignment,
                "pairs": found.describe(),
                "rate": fit_plan.RATE,
            }
        else:
            check_same(folder, former, asked)
            plan = dict(former["plan"])
        report: dict[str, Any] = {"format": FORMAT, "complete": False, "plan": plan}
        divided = divided_pairs(found, folder, plan)
        write_report(folder, report)
        runs: dict[str, TrainingResult | None] = {ONE_KERNEL: None}
        _least_squares(divided, folder, plan, device)
        if plan.get("kind") != ONE_KERNEL:
            left = seconds - (clock.monotonic() - began)
            dml = _mixture(divided, folder, report, device, target, left, former is not None)
            if dml is not None:
                runs[DML] = dml
        return _finish(divided, folder, report, runs, target, began)


def _least_squares(
    pairs: PhotoPairs, folder: Path, plan: Mapping[str, Any], device: str | None
) -> None:
    """Fit one kernel, unless that is done."""
    run = folder / _FOLDERS[ONE_KERNEL]
    if (run / "degradation.safetensors").is_file():
        return
    config = fit_plan.least_squares(pairs, plan["learned_from"], plan["held_out"])
    file = write_config(
        run / RUN_CONFIG, _stated(config, plan, device), "One kernel for the whole camera."
    )
    train(file, work_dir=run, device=device)


def _mixture(
    pairs: PhotoPairs,
    folder: Path,
    report: dict[str, Any],
    device: str | None,
    target: torch.device,
    left: float,
    resume: bool,
) -> TrainingResult | None:
    """Plan and train a DML; None if the pairs or the time are too few for one."""
    plan, file = report["plan"], folder / RUN_CONFIG
    if not (resume and "iterations" in plan and file.is_file()):
        resume = False
        reason = _too_few(pairs, plan)
        if not reason:
            reason = _plan_mixture(pairs, folder, plan, device, target, left)
        if reason:
            plan |= {"kind": ONE_KERNEL, "reason": f"least squares: {reason}"}
            logger.info("%s", reason)
            return None
        plan["kind"] = DML
        write_report(folder, report)
    began = clock.monotonic()
    while True:
        run = train_in_time(file, folder / RUN, device, resume=resume)
        if not run.stopped.startswith(COLLAPSED) or plan["rate"] < _LEAST_RATE:
            return run
        # Again, more slowly, in the time that is left.
        plan["rate"] /= 3
        logger.info("starting again with a third of the learning rate")
        remaining = left - (clock.monotonic() - began)
        if _plan_mixture(pairs, folder, plan, device, target, remaining, anew=True):
            return run
        write_report(folder, report)
        resume = False


def _too_few(pairs: PhotoPairs, plan: Mapping[str, Any]) -> str:
    pixels = pairs.lr_pixels(plan["learned_from"])
    if pixels < fit_plan.LEAST_PIXELS:
        return f"{pixels} LR pixels to learn from are too few for more than one kernel"
    if not fit_plan.patch_side(pairs, plan["learned_from"]):
        return (
            f"patches of at least {fit_plan.LEAST_PATCH} HR pixels, which more than one kernel"
            " needs, are larger than the smallest image"
        )
    return ""


def _plan_mixture(
    pairs: PhotoPairs,
    folder: Path,
    plan: dict[str, Any],
    device: str | None,
    target: torch.device,
    left: float,
    *,
    anew: bool = False,
) -> str:
    """Write the config of a DML for the time that is left; return why there is none, if so.

    Nothing is written, and no former run removed (``anew``), before it is known that there is time.
    """

    def config(iterations: int, interval: int, seconds: float) -> dict[str, Any]:
        made = fit_plan.mixture_of_kernels(
            pairs,
            plan["learned_from"],
            plan["held_out"],
            accelerated=target.type != "cpu",
            iterations=iterations,
            interval=interval,
            seconds=seconds,
            rate=plan["rate"],
        )
        return _stated(made, plan, device)

    began = clock.monotonic()
    pace = measure_pace(config(1, 1, left), target)
    iterations, interval = pace.iterations(0.9 * left, fit_plan.MOST_ITERATIONS)
    if iterations < fit_plan.LEAST_ITERATIONS:
        return (
            f"the time allows {iterations} iterations, and a mixture of kernels needs"
            f" {fit_plan.LEAST_ITERATIONS}"
        )
    plan |= {
        "iterations": iterations,
        "validated_every": interval,
        "seconds_per_iteration": round(pace.step, 4),
    }
    if anew:
        shutil.rmtree(folder / RUN)
    write_config(
        folder / RUN_CONFIG,
        config(iterations, interval, 0.9 * left - (clock.monotonic() - began)),
        "A camera, fitted to pairs. `realdeg train` on this file gives the same weights again,"
        "\nas best_degradation.safetensors, on the same machine with the same threads.",
    )
    logger.info(
        "%d iterations of %.3f s are planned, a validation after every %d",
        *(iterations, pace.step, interval),
    )
    return ""


def _stated(
    config: Mapping[str, Any], plan: Mapping[str, Any], device: str | None
) -> dict[str, Any]:
    chosen = {} if device is None else {"device": device}
    return {"seed": plan["seed"], **chosen, **config}


def _finish(
    pairs: PhotoPairs,
    folder: Path,
    report: dict[str, Any],
    runs: Mapping[str, TrainingResult | None],
    device: torch.device,
    began: float,
) -> FittedCamera:
    """Measure, choose the better one and write everything; the camera's file comes last."""
    plan = report["plan"]
    files = {name: best_weights(folder / _FOLDERS[name], "degradation") for name in runs}
    learned = {
        name: create_degradation(file, pairs.scale, pairs.same_size, trained=True)
        for name, file in files.items()
    }
    numbers: CameraNumbers = measure_camera(pairs, plan, learned, folder, device)
    kind = max(learned, key=lambda name: numbers.psnr[name])
    stopped = _why(plan, runs, kind, numbers)
    if kind == ONE_KERNEL:
        # Its config takes the place of the DML's, with which nothing could be continued any more.
        plan |= {"kind": ONE_KERNEL, "reason": stopped}
        write_report(folder, report)
        source = folder / _FOLDERS[ONE_KERNEL] / RUN_CONFIG
        write_text(folder / RUN_CONFIG, source.read_text(encoding="utf-8"))
    dml = runs.get(DML)
    report |= {
        "complete": True,
        "kind": kind,
        "scale": pairs.scale,
        "same_size": pairs.same_size,
        "stopped": stopped,
        "iterations": dml.iterations if dml is not None else 0,
        "validations": {str(at): value for at, value in sorted(dml.validations.items())}
        if dml is not None
        else {},
        **numbers.to_dict(),
    }
    report["seconds"] = round(clock.monotonic() - began, 1)
    weights = write_camera(pairs, folder, learned[kind], kind, files[kind], numbers, report)
    return FittedCamera(
        folder=folder,
        weights=weights,
        kind=kind,
        psnr=numbers.psnr,
        noise=numbers.noise,
        stopped=stopped,
        seconds=report["seconds"],
        report=report,
    )


def _why(
    plan: Mapping[str, Any],
    runs: Mapping[str, TrainingResult | None],
    kind: str,
    numbers: CameraNumbers,
) -> str:
    """Return why the training ended, and why this camera was chosen, in words."""
    dml = runs.get(DML)
    if dml is None:
        return str(plan["reason"])
    planned = int(plan["iterations"])
    if dml.stopped:
        ended = f"stopped after {dml.iterations} of {planned} iterations: {dml.stopped}"
    elif planned == fit_plan.MOST_ITERATIONS:
        ended = f"all {planned} iterations done"
    else:
        ended = f"all {planned} iterations that the time allows are done"
    if kind == DML:
        return ended
    return (
        f"{ended}; the DML reached {numbers.psnr[DML]:.2f} dB on held-out pairs, less than one"
        f" kernel ({numbers.psnr[ONE_KERNEL]:.2f} dB), which was kept"
    )


__all__ = ["CAMERA", "FORMAT", "REPORT", "FittedCamera", "fit_camera"]
