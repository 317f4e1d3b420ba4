"""Several runs compared on the same test images under the same protocols."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from realdeg.errors import DataError
from realdeg.evaluation.bootstrap import Interval, paired_bootstrap
from realdeg.evaluation.report import MeanSpread, mean_and_spread
from realdeg.runs.groups import Group
from realdeg.runs.record import RunRecord, TestReport
from realdeg.runs.scores import TestedOn, protocol_of, scores_of

LEVEL = 0.95


@dataclass(frozen=True)
class Difference:
    """How much one group scores above another, on the same images.

    Attributes:
        score: The label, such as ``"psnr[rgb]"``.
        baseline: The label of the group that is subtracted.
        model: The label of the other group.
        interval: The mean difference and its interval; None where the score is no mean over images
            or no image has finite values.
        higher: On how many images the model's value is higher.
        left_out: How many images have an infinite value, and are not in the interval.
    """

    score: str
    baseline: str
    model: str
    interval: Interval | None
    higher: int = 0
    left_out: int = 0


@dataclass(frozen=True)
class ScoreTable:
    """The scores on one set of test images.

    Attributes:
        tested: The test images.
        images: How many there are.
        scores: The labels that every group has, in order.
        means: By group and label the mean and spread over the group's runs.
        differences: Each group against the baseline, by label.
    """

    tested: TestedOn
    images: int
    scores: tuple[str, ...]
    means: Mapping[str, Mapping[str, MeanSpread]]
    differences: tuple[Difference, ...]


def compare_groups(
    groups: Sequence[Group],
    *,
    protocol: str | None = None,
    all_pairs: bool = False,
    draws: int = 10_000,
    seed: int = 0,
) -> tuple[ScoreTable, ...]:
    """Compare groups of runs by their finished tests.

    Args:
        groups: At least one.
        protocol: Take only scores of this protocol; None: every score that all have.
        all_pairs: Take the difference of every two groups, not only to the first.
        draws: Resamples of the bootstrap.
        seed: Of the resamples.

    Returns:
        One table for each set of test images that several groups have been tested on; of a single
        group, every one.

    Raises:
        DataError: If no set of images and no score is shared, or one name stands for protocols of
            different settings.
    """
    tests = {run.folder: scores_of(run) for group in groups for run in group.runs}
    sets = list(dict.fromkeys(tested for found in tests.values() for tested in found))
    tables = []
    for tested in sets:
        mine = [group for group in groups if all(tested in tests[run.folder] for run in group.runs)]
        if len(mine) < min(2, len(groups)):
            continue
        reports = {run.folder: tests[run.folder][tested] for group in mine for run in group.runs}
        labels = [
            label
            for label in _shared([report.mean for report in reports.values()])
            if protocol is None or protocol_of(label) == protocol
        ]
        _check_protocols(reports.values(), labels)
        if labels:
            tables.append(_table(tested, mine, reports, labels, all_pairs, draws, seed))
    if not tables:
        raise DataError(_nothing_shared(groups, tests, protocol))
    return tuple(tables)


def _shared(means: Sequence[Mapping[str, float]]) -> list[str]:
    return [label for label in means[0] if all(label in other for other in means)]


def _table(
    tested: TestedOn,
    groups: Sequence[Group],
    reports: Mapping[Path, TestReport],
    labels: Sequence[str],
    all_pairs: bool,
    draws: int,
    seed: int,
) -> ScoreTable:
    own = {group.label: [reports[run.folder] for run in group.runs] for group in groups}
    means = {
        name: {label: over_runs([report.mean[label] for report in found]) for label in labels}
        for name, found in own.items()
    }
    names = list(own)
    pairs = [
        (first, second)
        for index, first in enumerate(names)
        for second in names[index + 1 :]
        if all_pairs or index == 0
    ]
    return ScoreTable(
        tested,
        len(next(iter(own.values()))[0].images),
        tuple(labels),
        means,
        tuple(
            _difference(label, first, second, own, draws, seed)
            for label in labels
            for first, second in pairs
        ),
    )


def over_runs(values: Sequence[float]) -> MeanSpread:
    """Return mean and spread; an infinite mean has no spread."""
    if all(map(math.isfinite, values)):
        return mean_and_spread(values)
    return MeanSpread(sum(values), None, len(values))


def _difference(
    label: str,
    first: str,
    second: str,
    own: Mapping[str, Sequence[TestReport]],
    draws: int,
    seed: int,
) -> Difference:
    weights = [_weights(report, label) for report in (*own[first], *own[second])]
    if any(found is None or found != weights[0] for found in weights):
        return Difference(label, first, second, None)
    before, after = (_per_image(own[name], label) for name in (first, second))
    found, counts, higher = [], [], 0
    for key, count in (weights[0] or {}).items():
        higher += after[key] > before[key]
        if math.isfinite(after[key]) and math.isfinite(before[key]):
            found.append(after[key] - before[key])
            counts.append(count)
    left_out = len(before) - len(found)
    if not found:
        return Difference(label, first, second, None, higher, left_out)
    interval = paired_bootstrap(found, counts, draws=draws, seed=seed, level=LEVEL)
    return Difference(label, first, second, interval, higher, left_out)


def _per_image(reports: Sequence[TestReport], label: str) -> dict[str, float]:
    """Return each image's mean over the runs of a group."""
    values: dict[str, list[float]] = {}
    for report in reports:
        for image in report.images:
            if label in image.values:
                values.setdefault(image.key, []).append(image.values[label])
    return {key: sum(found) / len(found) for key, found in values.items()}


def _weights(report: TestReport, label: str) -> dict[str, int] | None:
    """Return how often each image counts in the mean, or None if it is no mean over images.

    A report does not say whether a score was taken on tiles or on the whole image: its mean does.
    """
    images = [image for image in report.images if label in image.values]
    for tiles in (True, False):
        counts = {image.key: image.samples if tiles else 1 for image in images}
        total = sum(counts.values())
        values = [image.values[label] * counts[image.key] for image in images]
        if not total:
            return None
        mean, stated = sum(values) / total, report.mean[label]
        if mean == stated or abs(mean - stated) <= 1e-6 * max(1.0, abs(stated)):
            return counts
    return None


def _check_protocols(reports: Iterable[TestReport], labels: Sequence[str]) -> None:
    """Refuse one name for two protocols."""
    used = {protocol_of(label) for label in labels}
    seen: dict[str, tuple[Mapping[str, object], TestReport]] = {}
    for report in reports:
        for name in used & set(report.protocols):
            other, first = seen.setdefault(name, (report.protocols[name], report))
            for field in sorted(set(other) | set(report.protocols[name])):
                one, two = other.get(field), report.protocols[name].get(field)
                if one != two and field not in ("description", "source"):
                    raise DataError(
                        f"the protocol '{name}' has {field} = {one!r} in {first.file} and {two!r}"
                        f" in {report.file}: test both under one protocol."
                    )


def _nothing_shared(
    groups: Sequence[Group],
    tests: Mapping[Path, Mapping[TestedOn, TestReport]],
    protocol: str | None,
) -> str:
    def has(run: RunRecord) -> str:
        found = [
            f"{', '.join(report.mean)} on {tested.dataset}"
            for tested, report in tests[run.folder].items()
        ]
        return f"{run.folder}: {'; '.join(found) or 'no finished test'}"

    wanted = f"of the protocol '{protocol}' " if protocol else ""
    return (
        f"the runs have no score {wanted}on the same test images: measure what is missing with"
        " `realdeg compare ... --protocol NAME --test`. They have:\n  "
        + "\n  ".join(has(run) for group in groups for run in group.runs)
    )
