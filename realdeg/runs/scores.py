"""Which test images a run was measured on, and its scores there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from realdeg.errors import RealdegError
from realdeg.evaluation.degradation.protocol import LrProtocol
from realdeg.evaluation.iqa_protocol import IqaProtocol
from realdeg.evaluation.protocols import Protocol
from realdeg.runs.record import RunRecord, TestReport
from realdeg.utils.description import read_description

_PROTOCOL = re.compile(r".*\[(.+)\]", re.DOTALL)


class TestedOn(NamedTuple):
    """What makes two tests comparable: the same images, made the same way.

    Attributes:
        dataset: The data set in words.
        lr: Where its LR images came from, if a degradation made them; empty for real ones.
        scale: Scale and grid in words.
        keys: The images' names, sorted.
    """

    dataset: str
    lr: str
    scale: str
    keys: tuple[str, ...]


def tested_on(report: TestReport) -> TestedOn:
    """Return which images a report measured."""
    return TestedOn(
        report.dataset,
        str(report.facts.get("LR", "")),
        str(report.facts.get("Scale", "")),
        tuple(sorted(image.key for image in report.images)),
    )


def images_in_words(dataset: str, lr: str) -> str:
    """Return a data set and where its LR images came from, in one line."""
    return f"{dataset}; LR {lr}" if lr else dataset


def protocol_of(label: str) -> str:
    """Return the protocol in a score's label, ``"rgb"`` of ``"psnr[rgb]"``; empty if none."""
    match = _PROTOCOL.fullmatch(label)
    return match[1] if match else ""


def meaning_of(settings: Mapping[str, Any]) -> str:
    """Return the settings of a protocol in one line."""
    for kind in (Protocol, LrProtocol, IqaProtocol):
        try:
            found: Any = kind(**settings)
            return str(found.summary())
        except (RealdegError, TypeError):  # a protocol of another kind or version
            continue
    return ", ".join(f"{name} = {value}" for name, value in settings.items())


def is_stale(report: TestReport, run: RunRecord) -> bool:
    """Return whether the run's weights have changed since they were tested."""
    for file in run.weights:
        if report.checkpoint is not None and report.checkpoint.endswith(f"/{file.name}"):
            described = read_description(file)
            return described is not None and described.hash not in (None, report.checkpoint_hash)
    return False


def scores_of(run: RunRecord) -> dict[TestedOn, TestReport]:
    """Return the finished tests of a run by their images.

    Several tests on the same images, under different protocols, are put together; where both have
    a score, the first counts. Tests of former weights are left out.
    """
    found: dict[TestedOn, TestReport] = {}
    for report in run.reports:
        if not report.complete or is_stale(report, run):
            continue
        tested = tested_on(report)
        if tested not in found:
            found[tested] = report
        elif report.title == found[tested].title:  # and not, say, with self-ensemble
            found[tested] = _joined(found[tested], report)
    return found


def _joined(first: TestReport, second: TestReport) -> TestReport:
    others = {image.key: image.values for image in second.images}
    # How often an image counts differs between protocols with and without tiles; the mean tells.
    counts = {image.key: image.samples for image in second.images}
    return replace(
        first,
        mean=_added(first.mean, second.mean),
        missing=_added(first.missing, second.missing),
        protocols=_added(first.protocols, second.protocols),
        images=tuple(
            replace(
                image,
                samples=max(image.samples, counts[image.key]),
                values=_added(image.values, others[image.key]),
            )
            for image in first.images
        ),
    )


def _added(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    return {**first, **{name: value for name, value in second.items() if name not in first}}
