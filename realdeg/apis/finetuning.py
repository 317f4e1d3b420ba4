"""Fine-tune a network for a camera, as ``realdeg finetune`` does."""

from __future__ import annotations

import logging
import math
import os
import time as clock
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from realdeg.apis import finetune_plan
from realdeg.apis.create import Source, create_backbone, create_degradation, find_device
from realdeg.apis.finetune_start import find_camera, find_network
from realdeg.apis.guided import (
    RUN,
    START,
    best_weights,
    check_same,
    check_time,
    identity,
    measure_pace,
    open_output,
    remove_written,
    train_in_time,
    write_config,
    write_report,
)
from realdeg.apis.holding_out import divide, divided_pairs
from realdeg.apis.network_report import NETWORK, Scores, measure_network, write_network
from realdeg.apis.photo_pairs import Pairs, check_alignment
from realdeg.apis.result_block import result_block
from realdeg.apis.training import TrainingResult
from realdeg.backbones.base import Backbone
from realdeg.degradations.base import Degradation
from realdeg.errors import ConfigError, as_given
from realdeg.utils.component import save_component
from realdeg.utils.data_file import RUN_CONFIG
from realdeg.utils.durations import format_duration, parse_duration
from realdeg.utils.files import ensure_writable_dir
from realdeg.utils.locks import exclusive
from realdeg.utils.notebook import Table

logger = logging.getLogger(__name__)

FORMAT = "realdeg-finetune-1"


@dataclass(frozen=True)
class FinetunedNetwork:
    """A network that was fine-tuned for a camera.

    Attributes:
        folder: The folder; it stands for ``weights`` wherever a network is named.
        weights: The self-describing file of the network.
        before: PSNR and SSIM of held-out images with the network as it was given.
        after: The same with the network that was kept.
        enlarged: The same of LR enlarged by bicubic interpolation.
        held_out: ``"real pairs"`` or ``"synthetic pairs"``.
        stopped: Why the training ended.
        seconds: How long everything took.
        report: All of this and more as plain data, as in ``report.json``.
    """

    folder: Path
    weights: Path
    before: Mapping[str, float]
    after: Mapping[str, float]
    enlarged: Mapping[str, float]
    held_out: str
    stopped: str
    seconds: float
    report: Mapping[str, Any] = field(repr=False)

    def _repr_html_(self) -> str:
        """Return numbers and pictures for a notebook."""
        rows = [(k, f"{v['psnr']:.2f}", f"{v['ssim']:.4f}") for k, v in self._rows()]
        table = Table((f"held-out {self.held_out}", "PSNR, dB", "SSIM"), rows)
        return result_block(self, self.report["network"], table)

    def _rows(self) -> tuple[tuple[str, Mapping[str, float]], ...]:
        return (("bicubic", self.enlarged), ("before", self.before), ("after", self.after))

    def describe(self) -> str:
        """Return the result in words, one line per number."""
        lines = [f"{self.weights}: {self.report['network']}, on held-out {self.held_out}"]
        lines += [
            f"  {name:<10} {scores['psnr']:6.2f} dB   SSIM {scores['ssim']:.4f}"
            for name, scores in self._rows()
        ]
        lines.append(f"  {self.stopped}; {format_duration(self.seconds)} in all")
        return "\n".join(lines)


def finetune(
    network: Source | Backbone,
    *,
    camera: Source | Degradation,
    hr: str | os.PathLike[str],
    out: str | os.PathLike[str],
    pairs: Pairs | None = None,
    weights: str | os.PathLike[str] | None = None,
    time: float | str = "10m",
    scale: float | None = None,
    same_size: bool | None = None,
    seed: int = 0,
    device: str | None = None,
    allow_misaligned: bool = False,
    overwrite: bool = False,
    resume: bool = False,
) -> FinetunedNetwork:
    """Adapt a trained network to a camera.

    HR photos are degraded by the camera, anew in every iteration; real pairs, if there are any, are
    every second patch. The weights that are best on held-out images are kept: real pairs if there
    are any, otherwise HR photos degraded by the camera. Where nothing is gained, the network stays
    as it was.

    Args:
        network: Anything that :func:`realdeg.create_backbone` takes: published weights, a file or
            folder of weights, a config, or a type beside ``weights``.
        camera: Anything that :func:`realdeg.create_degradation` takes: the folder of
            :func:`realdeg.fit_camera`, a file, a config or a type.
        hr: A folder of HR photos, searched recursively.
        out: The folder for ``network.safetensors``, the config, a card, a report and pictures.
        pairs: Real pairs as for :func:`realdeg.fit_camera`; None: HR photos only.
        weights: A file of weights of any format, or the name of published ones, for ``network``.
        time: How long it may take in all: seconds, or ``"90s"``, ``"10m"``, ``"1h"``.
        scale: The scale factor; None: the network's.
        same_size: Whether the network takes LR on the HR grid; None: as its weights state.
        seed: The seed of the held-out images and of the training.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``; None: the accelerator if there is one.
        allow_misaligned: Train on pairs that are not aligned, too.
        overwrite: Replace a network that is in the folder.
        resume: Continue a run that was interrupted.

    Returns:
        The network and what was measured.

    Raises:
        ConfigError: If network or camera are unknown or untrained, the time is too short, or what
            is continued was begun with others.
        DataError: If there are no photos, or pairs are damaged or misaligned.
        GeometryError: If camera, network and pairs differ in scale or grid.
        CheckpointError: If weights cannot be read.
        OutputError: If the folder holds something else, or cannot be written.

    Example:
        >>> import realdeg
        >>> realdeg.finetune(
        ...     "swinir-classical-x4", camera="my_camera", hr="photos", out="my_network"
        ... )  # doctest: +SKIP
    """
    began = clock.monotonic()
    seconds = parse_duration(time)
    check_time(seconds)
    start = find_network(network, scale, same_size, weights)
    degradation = find_camera(camera, start)
    real = None if pairs is None else finetune_plan.pairs_for(pairs, start)
    photos = finetune_plan.find_photos(hr, start)
    target = find_device(device)
    # Before the folder is touched: pairs that are refused replace no network.
    alignment = None if real is None else check_alignment(real, allow_misaligned).summary
    folder = ensure_writable_dir(Path(out).expanduser())
    with exclusive(folder, "finetune"):
        former = open_output(folder, NETWORK, FORMAT, "network", overwrite=overwrite, resume=resume)
        built = create_degradation(degradation, start.scale, start.same_size, trained=True)
        asked: dict[str, Any] = {
            "time": seconds,
            "seed": seed,
            "device": str(target),
            "hr": str(photos.folder),
        }
        asked |= {"network": identity(start), "camera": identity(built)}
        asked |= {"pairs": None if real is None else real.identity()}
        if former is None:
            plan: dict[str, Any] = {
                "seed": seed,
                "time": seconds,
                "device": str(target),
                "asked": asked,
                "photos": len(photos.names),
                **photos.divide(seed, hold_out_any=real is None),
            }
            if real is not None:
                plan["alignment"] = alignment
                plan["pairs"] = {"described": real.describe(), **divide(real, folder, seed)}
                plan["trained_on"] = photos.without(plan["trained_on"], real, plan["pairs"])
            save_component(
                folder / START,
                start,
                kind="backbone",
                type=type(start).__name__,
                arguments=start.arguments,
            )
        else:
            check_same(folder, former, asked)
            plan = dict(former["plan"])
        if real is not None:
            real = divided_pairs(real, folder, plan["pairs"])
        report: dict[str, Any] = {"format": FORMAT, "complete": False, "plan": plan}
        write_report(folder, report)
        held = finetune_plan.HeldOut(photos, real, plan)
        run = _train(start, degradation, photos, held, folder, report, device, target, began)
        return _finish(start, built, held, folder, report, run, target, began)


def _train(
    start: Backbone,
    degradation: Mapping[str, Any],
    photos: finetune_plan.Photos,
    held: finetune_plan.HeldOut,
    folder: Path,
    report: dict[str, Any],
    device: str | None,
    target: torch.device,
    began: float,
) -> TrainingResult:
    """Plan and train, or continue the training.

    Raises:
        ConfigError: If the time allows too few iterations.
    """
    plan, file = report["plan"], folder / RUN_CONFIG
    planned = "iterations" in plan and file.is_file()
    if not planned:

        def config(iterations: int, interval: int, seconds: float) -> dict[str, Any]:
            made = finetune_plan.super_resolution(
                start,
                degradation,
                photos,
                held,
                str((folder / START).resolve()),
                iterations=iterations,
                interval=interval,
                seconds=seconds,
            )
            chosen = {} if device is None else {"device": device}
            return {"seed": plan["seed"], **chosen, **made}

        pace = measure_pace(config(1, 1, plan["time"]), target)
        while pace.validation > plan["time"] / 60 and held.shrink():
            pace = measure_pace(config(1, 1, plan["time"]), target)
        left = plan["time"] - (clock.monotonic() - began) - 2 * pace.validation
        paced = clock.monotonic()
        iterations, interval = pace.iterations(0.95 * left, finetune_plan.MOST_ITERATIONS)
        if iterations < finetune_plan.LEAST_ITERATIONS:
            remove_written(folder, NETWORK)  # there is nothing to be continued
            wanted = finetune_plan.LEAST_ITERATIONS * pace.step + 6 * pace.validation
            # What was given was too short, whatever the estimate says.
            minutes = math.ceil(max(2 * wanted, 1.5 * plan["time"]) / 60)
            raise ConfigError(
                f"{format_duration(plan['time'])} are too short: an iteration of"
                f" {type(start).__name__} takes {format_duration(pace.step)} here, and at least"
                f" {finetune_plan.LEAST_ITERATIONS} are needed. Give about"
                f" {as_given(time=f'{minutes}m')}, or name a smaller network."
            )
        plan |= {
            "iterations": iterations,
            "validated_every": interval,
            "seconds_per_iteration": round(pace.step, 4),
            "held_out_side": held.side,
        }
        write_config(
            file,
            config(iterations, interval, left - (clock.monotonic() - paced)),
            "A network, fine-tuned for a camera. `realdeg train` on this file gives the same"
            "\nweights again, as best_backbone.safetensors, on the same machine with the same"
            " threads.",
        )
        write_report(folder, report)
        logger.info(
            "%d iterations of %.3f s are planned, a validation after every %d",
            *(iterations, pace.step, interval),
        )
    return train_in_time(file, folder / RUN, device, resume=planned)


def _finish(
    start: Backbone,
    degradation: Degradation,
    held: finetune_plan.HeldOut,
    folder: Path,
    report: dict[str, Any],
    run: TrainingResult,
    device: torch.device,
    began: float,
) -> FinetunedNetwork:
    """Measure before and after, keep the better one and write everything, the network last."""
    plan = report["plan"]
    best = best_weights(folder / RUN, "backbone")
    tuned = create_backbone(best, trained=True)
    scores: dict[str, Scores] = measure_network(
        {"before": start, "after": tuned}, degradation, held, device
    )
    if run.stopped:
        stopped = f"stopped after {run.iterations} of {plan['iterations']} iterations:"
        stopped = f"{stopped} {run.stopped}"
    else:
        stopped = f"all {run.iterations} planned iterations are done"
    gained = scores["after"].mean("psnr") > scores["before"].mean("psnr")
    if not gained:
        stopped += "; nothing was gained on held-out images, so the network is as it was"
        best, scores["after"] = folder / START, scores["before"]
    report |= {
        "complete": True,
        "network": type(start).__name__,
        "scale": start.scale,
        "same_size": start.same_size,
        "camera": degradation.describe(),
        "held_out": held.kind,
        "gained": gained,
        "stopped": stopped,
        "iterations": run.iterations,
        "validations": {str(at): value for at, value in sorted(run.validations.items())},
        "protocol": finetune_plan.PROTOCOL,
        **{name: scores[name].to_dict() for name in ("bicubic", "before", "after")},
    }
    report["seconds"] = round(clock.monotonic() - began, 1)
    weights = write_network(folder, best, scores, report)
    means = {name: scores[name].means() for name in ("bicubic", "before", "after")}
    return FinetunedNetwork(
        folder=folder,
        weights=weights,
        before=means["before"],
        after=means["after"],
        enlarged=means["bicubic"],
        held_out=held.kind,
        stopped=stopped,
        seconds=report["seconds"],
        report=report,
    )
