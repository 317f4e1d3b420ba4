"""Draw the training samples of a recipe, exactly as its network gets them."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import Tensor

from realdeg.apis.recipes import Recipe, open_recipe
from realdeg.config import inject
from realdeg.config.fill import recipe_hint
from realdeg.degradations.trace import Trace
from realdeg.errors import ConfigError, DataError, argument_name
from realdeg.registry import HOOKS, TASKS
from realdeg.utils.colour import to_colour
from realdeg.utils.files import ensure_writable_dir
from realdeg.utils.place import places_in
from realdeg.utils.processes import drop_worker_options
from realdeg.utils.samples import Batch
from realdeg.visualization.style import (
    SMALL_SIZE,
    axes_at,
    hide_ticks,
    new_figure,
    pixels,
    save_figure,
    write_text,
    write_title,
)

_FLIPS = ("left-right", "up-down", "transposed")
# Inches.
_CELL, _TEXT, _GAP, _HEADING = 1.9, 4.2, 0.12, 0.24


@dataclass(frozen=True)
class TrainingSample:
    """One image of a training batch, as the task gets it.

    Args:
        key: The image's key.
        position: Its index in the run, from 0.
        hr: Shape (C, H, W); one channel where the task works on luma.
        lr: Shape (C, h, w), or None if the task makes none.
        origin: Where LR comes from, in words.
        trace: The trace of the degradation, or None for a real pair.
        meta: Notes of the data set and its transforms.
    """

    key: str
    position: int
    hr: Tensor
    lr: Tensor | None
    origin: str
    trace: Trace | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    def in_words(self) -> list[str]:
        """Return key, sizes, crop, flip and trace, one phrase each."""
        sizes = f"HR {_size(self.hr)}" + ("" if self.lr is None else f", LR {_size(self.lr)}")
        words = [f"{self.position}: {self.key}", sizes]
        if "crop" in self.meta:
            top, left, height, width = self.meta["crop"]
            words.append(f"crop {height} x {width} at row {top}, column {left}")
        if "flip" in self.meta:
            done = [name for name, on in zip(_FLIPS, self.meta["flip"], strict=True) if on]
            words.append("flip " + (", ".join(done) or "none"))
        words.append(f"LR: {self.origin}")
        if self.trace is not None:
            words.append(self.trace.in_words())
        return words


@dataclass(frozen=True)
class SampleSheet:
    """Training samples and the figure that shows them.

    Attributes:
        samples: The samples, in the order of the run.
        path: The figure.
    """

    samples: tuple[TrainingSample, ...]
    path: Path


def browse(
    config: Recipe,
    out: str | os.PathLike[str] = "sheet.png",
    *,
    count: int = 8,
    start: int = 0,
    options: Mapping[str, Any] | None = None,
    sample: bool = False,
    seed: int | None = None,
    **fields: Any,
) -> SampleSheet:
    """Draw the training samples of a recipe, as ``realdeg browse`` does.

    Args:
        config: A config file, a run's folder, or a name such as ``vdsr/vdsr_realsr_x4``.
        out: The image file to write.
        count: Number of samples.
        start: The first iteration.
        options: Dotted keys that override the config.
        sample: Use the built-in sample images instead of the config's data.
        seed: The seed of every random stream; None: the config's.
        **fields: Top-level fields of the config, such as ``scale=2``.

    Raises:
        ConfigError: If the config is not found or broken, or has no training data.
        DataError: If the data are missing.
        OutputError: If the figure cannot be written.
    """
    ensure_writable_dir(Path(out).parent)  # refused before the work, not after it
    cfg = open_recipe(config, options, fields, sample=sample, seed=seed)
    samples = training_samples(cfg, count, start=start)
    title = f"{os.fspath(config)}{' (sample data)' if sample else ''}"
    return SampleSheet(tuple(samples), draw_samples(samples, out, title=title))


def training_samples(cfg: Config, count: int = 8, *, start: int = 0) -> list[TrainingSample]:
    """Return the first samples of a training with this config, in the order of the run.

    Data set, sampler, collation and degradation are built as for training; with the same seed they
    give the same pixels. Nothing is trained or written.

    Args:
        cfg: What ``load_config`` returned.
        count: Number of samples.
        start: The first iteration.

    Raises:
        ConfigError: If the config has no training data.
        DataError: If the data are missing.
    """
    if count < 1 or start < 0:
        raise ConfigError(
            f"{argument_name('count')} is 1 or more and start 0 or more, got {count} and {start}."
        )
    ready = inject(cfg)
    if ready.get("train_dataloader") is None:
        raise ConfigError("the config has no 'train_dataloader': there are no training samples.")
    loader_cfg = ready.train_dataloader
    _record_traces(loader_cfg["dataset"])
    # The number of workers does not change the samples, and none starts fastest.
    loader_cfg["num_workers"] = 0
    drop_worker_options(loader_cfg)
    with recipe_hint(ready), DefaultScope.overwrite_default_scope("realdeg"):
        task = TASKS.build(ready.model)
        loader = Runner.build_dataloader(loader_cfg, seed=ready.seed)
        _attach_hooks(ready, task, loader.sampler)
    first = 0
    if hasattr(loader.sampler, "start"):
        loader.sampler.start(start)
        # The samples of an iteration: its backward passes may each have a batch of the loader.
        share = loader_cfg.get("batch_size", 1)
        first = start * getattr(loader.sampler, "batch_size", share)
    samples: list[TrainingSample] = []
    with recipe_hint(ready), torch.no_grad():
        for batch in loader:
            samples += _unpack(task, batch, first + len(samples))
            if len(samples) >= count:
                break
    if not samples:
        raise DataError("the training data set gave no samples.")
    return samples[:count]


def draw_samples(
    samples: list[TrainingSample], path: str | os.PathLike[str], *, title: str | None = None
) -> Path:
    """Draw samples below each other, HR and LR next to their description; return the path.

    Above the columns stand what they are and the sizes that all samples share.

    Args:
        samples: What :func:`training_samples` returned.
        path: The image file to write.
        title: A heading.

    Raises:
        OutputError: If it cannot be written.
    """
    blocks = [_wrapped(sample) for sample in samples]
    line = 0.15
    heights = [max(_CELL, line * (len(block) + 1)) for block in blocks]
    start = 0.42 if title else _GAP
    above = start + _HEADING
    width = 2 * _CELL + _TEXT + 4 * _GAP
    figure = new_figure(width, above + sum(heights) + _GAP * len(heights))
    for column, heading in enumerate(_headings(samples)):
        left = _GAP + column * (_CELL + _GAP)
        anchor = (
            ("left", 2 * (_CELL + _GAP) + _GAP) if column == 2 else ("center", left + _CELL / 2)
        )
        middle = start + _HEADING / 2 - 0.02
        write_text(
            figure,
            anchor[1],
            middle,
            heading,
            horizontalalignment=anchor[0],
            fontweight="bold",
        )
    top = above
    for sample, block, height in zip(samples, blocks, heights, strict=True):
        for column, image in enumerate((sample.hr, sample.lr)):
            if image is not None:
                axes = axes_at(figure, _GAP + column * (_CELL + _GAP), top, _CELL, _CELL)
                hide_ticks(axes)
                # Nearest neighbour: an LR pixel stays a pixel.
                axes.imshow(pixels(image), interpolation="nearest")
        left = 2 * (_CELL + _GAP) + _GAP
        for number, text in enumerate(block):
            weight = "bold" if number == 0 else "normal"
            place = top + line * (number + 0.6)
            style = {"fontsize": SMALL_SIZE, "fontweight": weight, "parse_math": False}
            write_text(figure, left, place, text, horizontalalignment="left", **style)
        top += height + _GAP
    write_title(figure, title)
    return save_figure(figure, path)


def _headings(samples: list[TrainingSample]) -> tuple[str, str, str]:
    """Return the headings of the columns; sizes where all samples have the same."""
    columns = []
    for name in ("HR", "LR"):
        images = [getattr(sample, name.lower()) for sample in samples]
        sizes = {None if image is None else tuple(image.shape) for image in images}
        one = images[0] if len(sizes) == 1 else None
        columns.append(name if one is None else f"{name}, {_size(one)}")
    return columns[0], columns[1], "number: key, and how the sample was made"


def _unpack(task: Any, batch: Batch, position: int) -> list[TrainingSample]:
    """Split a batch into samples after the task's own degradation."""
    # Degradation learning has its own colour, super-resolution uses its network's.
    owner = task if hasattr(task, "colour") else getattr(task, "backbone", None)
    colour = str(getattr(owner, "colour", "rgb"))
    hr = to_colour(batch["hr"], colour)
    paired = batch["paired"].tolist()
    traces = _traces(task, batch, hr)
    if hasattr(task, "low_resolution"):
        lr = list(task.low_resolution(batch))
    else:
        given = [] if batch["lr"] is None else list(to_colour(batch["lr"], colour))
        lr = [given.pop(0) if has else None for has in paired]
    samples = []
    for index, key in enumerate(batch["key"]):
        meta = dict(batch["meta"][index])
        trace, origin = traces[index], "none"
        if "trace" in meta:
            trace = Trace.from_json(meta.pop("trace"))
            origin = "made in the data loader"
        elif paired[index]:
            origin = "the data set's (a pair)"
        elif trace is not None:
            origin = "made on the training device"
        samples.append(
            TrainingSample(key, position + index, hr[index], lr[index], origin, trace, meta)
        )
    return samples


def _traces(task: Any, batch: Batch, hr: Tensor) -> list[Trace | None]:
    chosen = getattr(task, "degradation_for", None)
    degradation = chosen(batch) if chosen else getattr(task, "active_degradation", None)
    traces: list[Trace | None] = [None] * hr.shape[0]
    without = (~batch["paired"]).nonzero().flatten().tolist()
    if degradation is None or not without:
        return traces
    seeds = [batch["seeds"][index] for index in without]
    known = places_in(batch)
    drawn = degradation.sample(hr[without], seeds, [known[index] for index in without])
    for index, trace in zip(without, drawn, strict=True):
        traces[index] = trace
    return traces


def _attach_hooks(cfg: Config, task: Any, sampler: Any) -> None:
    """Let hooks that change the training samples over the run do so, for all iterations."""
    total = (cfg.get("train_cfg") or {}).get("max_iters", 1)
    for hook in (*(cfg.get("custom_hooks") or ()), *(cfg.get("default_hooks") or {}).values()):
        kind = HOOKS.get(hook["type"]) if isinstance(hook, dict) and "type" in hook else None
        if hasattr(kind, "attach"):
            settings = {key: value for key, value in hook.items() if key != "priority"}
            HOOKS.build(settings).attach(task, sampler, total)


def _record_traces(dataset: Any) -> None:
    """Let degradations in the data loader record their traces; the pixels stay the same."""
    if isinstance(dataset, list | tuple):
        for item in dataset:
            _record_traces(item)
    elif isinstance(dataset, dict):
        if dataset.get("type") in ("Degrade", "realdeg.Degrade"):
            dataset["record"] = True
        for value in dataset.values():
            _record_traces(value)


def _wrapped(sample: TrainingSample) -> list[str]:
    return [line for words in sample.in_words() for line in textwrap.wrap(words, 66)[:8]]


def _size(image: Tensor) -> str:
    name = {1: "Y", 3: "RGB"}.get(image.shape[0], f"{image.shape[0]} channels")
    return f"{image.shape[1]} x {image.shape[2]} {name}"
