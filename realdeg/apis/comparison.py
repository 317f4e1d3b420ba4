"""Several degradations beside a real camera: every number, and what a picture of it needs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from realdeg.datasets import simulated_camera
from realdeg.degradations.base import Degradation
from realdeg.errors import ConfigError, DataError
from realdeg.evaluation.degradation import (
    Bandwidth,
    ColourDrift,
    EffectiveKernel,
    LrProtocol,
    NoiseStatistics,
    PatchDistance,
    SubPixelShift,
    get_lr_protocol,
)
from realdeg.evaluation.degradation.numbers import NUMBERS, Number, number_of
from realdeg.evaluation.image_quality import ImageQuality
from realdeg.evaluation.metrics.ssim import MS_SSIM_LEAST_SIDE
from realdeg.evaluation.protocols import get_protocol
from realdeg.utils.colour import to_colour
from realdeg.utils.files import atomic_path, ensure_writable_dir
from realdeg.utils.streams import stream_seed

FORMAT = "realdeg-comparison-1"
CAMERA = "camera"
_FIDELITY = "lr-fidelity"
_METRICS = (
    EffectiveKernel,
    SubPixelShift,
    ColourDrift,
    NoiseStatistics,
    Bandwidth,
    PatchDistance,
)
# Numbers that the JSON file has and the table leaves out.
_ONLY_IN_JSON = ("kernel_gain",)


@dataclass
class Result:
    """What was measured of one degradation.

    Args:
        description: The degradation in words.
        numbers: The numbers, by label.
        missing: Per number that could not be measured, the reason.
        curves: What the metrics found beside numbers: spectra, kernels; by metric.
    """

    description: str
    numbers: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    curves: dict[str, dict[str, Tensor]] = field(default_factory=dict)


@dataclass
class Comparison:
    """Several degradations measured against the same real pairs.

    Args:
        dataset: The pairs in words.
        images: How many HR images there are.
        draws: How often each was degraded.
        seed: The seed of everything random.
        colour: ``"rgb"`` or ``"y"``: what was degraded.
        sample: Whether the pairs are the built-in sample's, whose camera is simulated.
        protocols: The protocols' settings in words, by name.
        results: What was measured, by the degradation's name.
        camera: The camera's own numbers, where it has some.
        shown: For the picture: ``key``, ``hr``, ``real`` and one image per degradation.
    """

    dataset: str
    images: int
    draws: int
    seed: int
    colour: str
    sample: bool
    protocols: dict[str, str]
    results: dict[str, Result] = field(default_factory=dict)
    camera: dict[str, float] = field(default_factory=dict)
    shown: list[dict[str, Any]] = field(default_factory=list)

    @property
    def labels(self) -> list[str]:
        """Every number of the table, in the order of ``NUMBERS``."""
        found = [
            label
            for result in self.results.values()
            for label in (*result.numbers, *result.missing)
        ]
        order = list(NUMBERS)
        names = {label: label.split("[")[0] for label in dict.fromkeys(found)}
        known = [label for label, name in names.items() if name in NUMBERS]
        return sorted(known, key=lambda label: order.index(names[label]))

    def best(self, label: str) -> list[str]:
        """Return the degradations that come nearest to the ideal of a number."""
        number = number_of(label)
        if number is None or len(self.results) < 2:
            return []
        distances = {}
        for name, result in self.results.items():
            if math.isfinite(result.numbers.get(label, math.nan)):
                distance = number.distance(result.numbers[label], self.camera.get(label))
                if distance is not None:
                    distances[name] = round(distance, number.decimals)
        least = min(distances.values(), default=None)
        return [name for name, distance in distances.items() if distance == least]

    def to_dict(self) -> dict[str, Any]:
        """Return everything that was measured as plain data, ready for JSON."""
        return {
            "format": FORMAT,
            "dataset": self.dataset,
            "images": self.images,
            "draws": self.draws,
            "seed": self.seed,
            "colour": self.colour,
            "sample": self.sample,
            "protocols": self.protocols,
            "numbers": {
                label: {"unit": number.unit, "ideal": number.ideal, "meaning": number.meaning}
                for label in self.labels
                if (number := number_of(label)) is not None
            },
            "camera": _plain(self.camera),
            "degradations": {
                name: {
                    "description": result.description,
                    "numbers": _plain(result.numbers),
                    "missing": result.missing,
                    "curves": {
                        metric: {key: tensor.tolist() for key, tensor in curves.items()}
                        for metric, curves in result.curves.items()
                    },
                }
                for name, result in self.results.items()
            },
        }

    def to_markdown(self) -> str:
        """Return the table: numbers down, the camera and the degradations across."""
        times = "" if self.draws == 1 else f", each degraded {self.draws} times"
        lines = ["# Degradations against a real camera", ""]
        if self.sample:
            lines += ["> The pairs are the built-in sample: its camera is simulated.", ""]
        lines += [f"- Pairs: {self.dataset}", f"- Images: {self.images}{times}, seed {self.seed}"]
        lines += [f"- **{name}**: {result.description}" for name, result in self.results.items()]
        lines += ["", *self.table(), ""]
        lines += [
            f"- `{label}`: n/a for {name}: {reason}" for label, name, reason in self._missing()
        ]
        lines += [
            "",
            "What the numbers are ([formulas](metrics.md)); bold is nearest to ideal:",
            "",
        ]
        for label in self.labels:
            number = number_of(label)
            if number is not None and label.split("[")[0] not in _ONLY_IN_JSON:
                lines.append(f"- `{label}`: {number.meaning}{_unit(number)}{_ideal(number)}")
        lines += ["", "Protocols:", ""]
        lines += [f"- `{name}`: {meaning}" for name, meaning in self.protocols.items()]
        return "\n".join(lines) + "\n"

    def table(self) -> list[str]:
        """Return the lines of the Markdown table alone."""
        header = ["number", "the camera", *self.results]
        lines = [_row(header), _row(["---", *["---:"] * (len(header) - 1)])]
        for label in self.labels:
            number = number_of(label)
            if number is None or label.split("[")[0] in _ONLY_IN_JSON:
                continue
            best = self.best(label)
            cells = [f"`{label}`", number_text(number, self.camera.get(label), absent="")]
            for name, result in self.results.items():
                text = number_text(number, result.numbers.get(label))
                cells.append(f"**{text}**" if name in best else text)
            lines.append(_row(cells))
        return lines

    def write(self, folder: str | os.PathLike[str]) -> tuple[Path, Path]:
        """Write ``comparison.json`` and ``comparison.md``, each whole or not at all.

        Args:
            folder: Made where it is missing.

        Returns:
            The two paths.

        Raises:
            OutputError: If the folder cannot be written.
        """
        place = ensure_writable_dir(folder)
        paths = (place / "comparison.json", place / "comparison.md")
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        for path, content in zip(paths, (text + "\n", self.to_markdown()), strict=True):
            with atomic_path(path) as temporary:
                temporary.write_text(content, encoding="utf-8")
        return paths

    def _missing(self) -> Iterator[tuple[str, str, str]]:
        reasons: dict[tuple[str, str], list[str]] = {}
        for name, result in self.results.items():
            for label, reason in result.missing.items():
                reasons.setdefault((label, reason), []).append(name)
        for (label, reason), names in reasons.items():
            whole = len(names) == len(self.results)
            yield label, "every one" if whole else ", ".join(names), reason


def compare_degradations(
    degradations: Mapping[str, Degradation],
    pairs: Any,
    *,
    seed: int = 0,
    draws: int = 1,
    colour: str = "rgb",
    protocol: str | Mapping[str, Any] | LrProtocol = "lr-statistics",
    shown: int = 3,
    device: torch.device | str = "cpu",
) -> Comparison:
    """Measure how near several degradations come to a real camera.

    Each HR image of the pairs is degraded by each degradation, with a seed that is a function of
    ``seed`` and the image's key alone, and compared with the camera's own LR image.

    Args:
        degradations: By the name that stands in the table; of one geometry, that of the pairs.
        pairs: A data set of real pairs: items with ``hr`` and ``lr`` (tensors in [0, 1]) and
            ``key``.
        seed: The seed of everything random.
        draws: How often each image is degraded, with seeds of their own: a random degradation
            should be looked at more than once.
        colour: ``"rgb"``, or ``"y"`` to degrade luma alone; numbers of colour are missing then.
        protocol: Of the numbers beyond fidelity, whose protocol is ``lr-fidelity``.
        shown: How many images are kept for a picture.
        device: Where to degrade.

    Returns:
        The comparison.

    Raises:
        ConfigError: If there is no degradation, or an argument means nothing.
        DataError: If there are no pairs.
        GeometryError: If a size does not fit.
    """
    if not degradations or draws < 1 or colour not in ("rgb", "y"):
        raise ConfigError(
            "a comparison needs one degradation, one draw and colour 'rgb' or 'y' at least, got"
            f" {list(degradations)}, draws={draws}, colour={colour!r}."
        )
    chosen = get_lr_protocol(protocol)
    items = [_pair(pairs, index) for index in range(len(pairs))]
    if not items:
        raise DataError("there are no pairs to compare with.")
    summary = pairs.summary() if hasattr(pairs, "summary") else type(pairs).__name__
    fidelity = get_protocol(_FIDELITY)
    result = Comparison(
        dataset=summary,
        images=len(items),
        draws=draws,
        seed=seed,
        colour=colour,
        sample=simulated_camera(pairs) is not None,
        protocols={fidelity.name: fidelity.summary(), chosen.name: chosen.summary()},
        shown=[
            dict(key=i["key"], hr=i["hr"], real=i["lr"], made={}) for i in _spread(items, shown)
        ],
    )
    least = min(min(item["lr"].shape[1:]) for item in items) - 2 * fidelity.border_for(1)
    for name, degradation in degradations.items():
        result.results[name] = _measure(
            name, degradation.to(device).eval(), items, result, chosen, least
        )
    return result


def _spread(items: Sequence[Any], count: int) -> list[Any]:
    """Choose some items from all over a list."""
    count = min(count, len(items))
    return [items[index * len(items) // count] for index in range(count)]


def _pair(pairs: Any, index: int) -> dict[str, Any]:
    item = pairs[index]
    if item.get("lr") is None:
        raise DataError(
            f"the data set has no real LR image for '{item.get('key', index)}': a comparison needs"
            " pairs."
        )
    return {"key": str(item["key"]), "hr": item["hr"], "lr": item["lr"]}


@torch.no_grad()
def _measure(
    name: str,
    degradation: Degradation,
    items: Sequence[Mapping[str, Any]],
    comparison: Comparison,
    protocol: LrProtocol,
    least: int,
) -> Result:
    names = ["psnr", "ssim", "gmsd"]
    result = Result(degradation.describe())
    if least >= MS_SSIM_LEAST_SIDE:
        names.insert(2, "ms_ssim")
    else:
        result.missing[get_protocol(_FIDELITY).label("ms_ssim")] = (
            f"it needs {MS_SSIM_LEAST_SIDE} px per side, and the smallest LR image has {least}"
            " after the border is shaved."
        )
    metrics: list[Any] = [ImageQuality(_FIDELITY, names)]
    metrics += [metric(protocol) for metric in _METRICS]
    device = next(iter((*degradation.parameters(), *degradation.buffers())), torch.empty(0)).device
    shown = {row["key"]: row for row in comparison.shown}
    for item in items:
        for draw in range(comparison.draws):
            key = item["key"] if draw == 0 else f"{item['key']} (draw {draw + 1})"
            hr = to_colour(item["hr"], comparison.colour)[None].to(device)
            lr = degradation(hr, [stream_seed(comparison.seed, key, "degradation")])[0].cpu()
            sample = dict(
                key=key,
                prediction=lr,
                target=item["lr"],
                input=item["hr"],
                scale=degradation.scale,
            )
            for metric in metrics:
                metric.process(None, [sample])
            if draw == 0 and key in shown:
                psnr = next(iter(metrics[0].results[-1].mean().values()))
                shown[key]["made"][name] = (lr.clamp(0, 1), psnr)
    count = len(items) * comparison.draws
    for metric in metrics:
        for label, value in metric.evaluate(count).items():
            base, bracket, rest = label.partition("[")
            if base.endswith(f"_{CAMERA}"):
                comparison.camera[base.removesuffix(f"_{CAMERA}") + bracket + rest] = value
            else:
                result.numbers[label] = value
        result.missing |= {
            label: reason
            for label, reason in metric.missing.items()
            if not label.split("[")[0].endswith(f"_{CAMERA}")
        }
        for attribute in ("curves", "kernels"):
            if getattr(metric, attribute, None):
                result.curves[type(metric).__name__] = getattr(metric, attribute)
    return result


def number_text(number: Number, value: float | None, absent: str = "n/a") -> str:
    """Return a number as the table prints it.

    Args:
        number: What it is.
        value: Its value, or None.
        absent: What stands for None.
    """
    return absent if value is None else f"{value:.{number.decimals}f}"


def _unit(number: Number) -> str:
    return f", in {number.unit}" if number.unit else ""


def _ideal(number: Number) -> str:
    return {
        "most": "; more is better",
        "least": "; less is better",
        "zero": "; 0 is ideal",
        "one": "; 1 is ideal",
        "camera": "; the camera's own is ideal",
    }.get(number.ideal, "")


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _plain(numbers: Mapping[str, float]) -> dict[str, Any]:
    return {k: v if math.isfinite(v) else str(v) for k, v in numbers.items()}
