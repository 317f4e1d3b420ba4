"""The tables of a page: runs, scores, configs, environment."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from realdeg.errors import DataError, first_line
from realdeg.evaluation.report import number_text
from realdeg.reporting.tables import DataTable
from realdeg.runs import RunRecord, TestedOn, TestReport, compare_groups, group_runs
from realdeg.runs.scores import images_in_words, is_stale, protocol_of, tested_on
from realdeg.runs.tables import difference_rows, heading_of, mean_rows
from realdeg.utils.durations import format_duration

ABSENT = "–"
# What a run's config says beyond its recipe's.
_OF_THE_RUN = ("recipe", "sample")
_ACROSS = 8
"""The most scores that stand beside one another."""
# Smaller is better for these; of names that are in neither list nothing is emphasised.
_LARGER = ("psnr", "ssim", "ms_ssim", "musiq", "clipiqa")
_SMALLER = ("lpips", "dists", "st_lpips", "niqe", "brisque", "piqe", "gmsd")


def runs_table(runs: Sequence[RunRecord]) -> DataTable:
    """Return what was run, one row per run."""
    rows = []
    for run in runs:
        done = str(run.iterations) if run.iterations else ABSENT
        if run.planned and run.planned != run.iterations:
            done += f" of {run.planned}"
        state = "finished" if run.finished else "unfinished" if run.sessions else "tested only"
        if run.sample:
            state += ", on the sample"
        rows.append(
            [
                run.label,
                run.recipe or ABSENT,
                ABSENT if run.seed is None else str(run.seed),
                done,
                state,
                duration(run.seconds),
                str(len(run.reports)),
            ]
        )
    head = ["run", "recipe", "seed", "iterations", "state", "training time", "tests"]
    return DataTable("runs", "The runs of this page", head, rows)


def score_tables(runs: Sequence[RunRecord]) -> list[DataTable]:
    """Return one table of means per test set and protocol, with the runs as rows.

    Scores on LR images of another origin stand in a table of their own. The best score is
    emphasised among complete tests of the same images.
    """
    found: dict[tuple[TestedOn, str], dict[str, dict[str, float]]] = {}
    counted: dict[tuple[TestedOn, str], dict[str, tuple[str, ...]]] = {}
    for run in runs:
        for report in run.reports:
            name, tested = _row_name(run, report), tested_on(report)
            for label, value in report.mean.items():
                place = tested._replace(keys=()), protocol_of(label)
                found.setdefault(place, {}).setdefault(name, {}).setdefault(label, value)
                if report.complete and not is_stale(report, run):
                    counted.setdefault(place, {})[name] = tested.keys
    tables = []
    for number, (place, rows) in enumerate(found.items()):
        tested, protocol = place
        labels = list(dict.fromkeys(label for row in rows.values() for label in row))
        caption = (
            f"{protocol or 'Other scores'}, mean over {images_in_words(tested.dataset, tested.lr)}"
        )
        heads = [label.partition("[")[0] for label in labels]
        body = [[score_text(x, row.get(x)) for x in labels] for row in rows.values()]
        whole = counted.get(place, {})
        best: frozenset[tuple[int, int]] = frozenset()
        if len(set(whole.values())) == 1:
            best = _best([row if name in whole else {} for name, row in rows.items()], labels)
        if len(labels) <= _ACROSS:
            head = ["run", *heads]
            lines = [[name, *cells] for name, cells in zip(rows, body, strict=True)]
        else:  # a table of thirty columns cannot be read
            head, best = ["score", *rows], frozenset((j - 1, i + 1) for i, j in best)
            lines = [[name, *(row[i] for row in body)] for i, name in enumerate(heads)]
        tables.append(DataTable(f"scores-{number}", caption, head, lines, best))
    return tables


def _row_name(run: RunRecord, report: TestReport) -> str:
    """Return a run's label, with what sets this test of it apart."""
    name = run.label
    first = next(one for one in run.reports if tested_on(one)[:3] == tested_on(report)[:3])
    if report.title != first.title:  # with self-ensemble, say
        name += f": {report.title}"
    if not report.complete:
        return f"{name} (incomplete)"
    return f"{name} (former weights)" if is_stale(report, run) else name


def compared_tables(runs: Sequence[RunRecord]) -> list[DataTable] | str:
    """Return means over seeds and differences between configs, or why there are none."""
    if len(runs) < 2:
        return "No spread over seeds and no difference: one run alone has neither."
    try:
        found = compare_groups(group_runs(runs))
    except DataError as error:
        return f"Nothing to compare: {first_line(error)}"
    tables = []
    for number, table in enumerate(found):
        heading = heading_of(table)
        if any(mean.runs > 1 for means in table.means.values() for mean in means.values()):
            caption = f"Mean ± standard deviation over runs that differ in their seed, {heading}"
            tables.append(_plain(f"seeds-{number}", caption, *mean_rows(table)))
        if table.differences:
            caption = f"Differences, by paired bootstrap over the images, {heading}"
            tables.append(_plain(f"differences-{number}", caption, *difference_rows(table)))
    return tables or "No spread over seeds: no config was run with several."


def _plain(name: str, caption: str, header: list[str], rows: list[list[str]]) -> DataTable:
    cells = [[cell.replace("`", "") for cell in row] for row in (header, *rows)]
    return DataTable(name, caption, cells[0], cells[1:])


def image_tables(runs: Sequence[RunRecord], most: int = 500) -> list[DataTable]:
    """Return the scores of each image, one table per run and test."""
    tables = []
    for index, run in enumerate(runs):
        for number, report in enumerate(run.reports):
            if not report.images:
                continue
            labels = list(dict.fromkeys(x for image in report.images for x in image.values))
            rows = [
                [image.key, *(score_text(label, image.values.get(label)) for label in labels)]
                for image in report.images[:most]
            ]
            cut = f", the first {most} of {len(report.images)}" if len(report.images) > most else ""
            caption = f"{run.label}: each image of {report.title}{cut}"
            tables.append(DataTable(f"images-{index}-{number}", caption, ["image", *labels], rows))
    return tables


def protocols_table(runs: Sequence[RunRecord]) -> DataTable | None:
    """Return the settings of every protocol of a score on the page."""
    found: dict[str, Mapping[str, Any]] = {}
    for run in runs:
        for report in run.reports:
            found |= report.protocols
    if not found:
        return None
    names = list(found)
    keys = list(dict.fromkeys(key for item in found.values() for key in item if key != "name"))
    rows = [[key, *(value_text(found[name].get(key)) for name in names)] for key in keys]
    return DataTable("protocols", "What each protocol does", ["setting", *names], rows)


def difference_table(
    name: str, caption: str, configs: Mapping[str, Mapping[str, Any]], *, all_keys: bool = False
) -> DataTable | None:
    """Return the settings in which configs differ, one column per config.

    Args:
        name: The table's id.
        caption: Its caption.
        configs: By heading.
        all_keys: Return those that agree as well.
    """
    flat = {heading: flattened(config) for heading, config in configs.items()}
    keys = list(dict.fromkeys(key for config in flat.values() for key in config))
    rows = []
    for key in keys:
        if key in _OF_THE_RUN and not all_keys:
            continue
        values = [config.get(key, ABSENT) for config in flat.values()]
        if all_keys or len(set(values)) > 1:
            rows.append([key, *values])
    return DataTable(name, caption, ["setting", *flat], rows) if rows else None


def environment_table(runs: Sequence[RunRecord]) -> DataTable | None:
    """Return software, hardware and times of every run."""
    facts: dict[str, dict[str, str]] = {}
    for run in runs:
        sessions = [session for session in run.sessions if session.started]
        own = dict(run.environment)
        if sessions:
            own["started"] = f"{sessions[0].started:%Y-%m-%d %H:%M:%S}"
            own["training time"] = duration(run.seconds)
            own["sessions"] = str(len(run.sessions))
        facts[run.label] = own
    keys = list(dict.fromkeys(key for own in facts.values() for key in own))
    if not keys:
        return None
    rows = [[key, *(own.get(key, ABSENT) for own in facts.values())] for key in keys]
    return DataTable("environment", "Environment and time", ["", *facts], rows)


def tests_table(runs: Sequence[RunRecord]) -> DataTable | None:
    """Return which weights each test used, and what its report says beside scores."""
    tests: list[tuple[RunRecord, TestReport]] = [(r, t) for r in runs for t in r.reports]
    rows = []
    for run, report in tests:
        facts = "; ".join(f"{key}: {value}" for key, value in report.facts.items())
        missing = "; ".join(f"{key}: {why}" for key, why in report.missing.items())
        rows.append(
            [
                run.label,
                report.dataset,
                report.checkpoint_hash or ABSENT,
                facts,
                report.unfinished or missing or "complete",
            ]
        )
    head = ["run", "test images", "hash of the weights", "facts", "state"]
    return DataTable("tests", "Tests: data, weights and state", head, rows) if rows else None


def flattened(value: Any, place: str = "") -> dict[str, str]:
    """Return nested settings by dotted keys, values as text."""
    if isinstance(value, Mapping) and value:
        found: dict[str, str] = {}
        for key, item in value.items():
            found |= flattened(item, f"{place}.{key}" if place else str(key))
        return found
    if isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        found = {}
        for index, item in enumerate(value):
            found |= flattened(item, f"{place}.{index}")
        return found
    return {place: value_text(value)}


def score_text(label: str, value: float | None) -> str:
    """Return a score as text."""
    if value is None:
        return ABSENT
    if not math.isfinite(value):
        return "∞" if value > 0 else "-∞"
    # What no protocol measures may be of any size.
    return number_text(label, value) if "[" in label else f"{value:.4g}"


def value_text(value: Any) -> str:
    """Return a setting as text."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(value_text, value)) + "]"
    return str(value)


def duration(seconds: float) -> str:
    """Return a duration in words.

    Example:
        >>> duration(3725)
        '1 h 2 min'
    """
    return format_duration(seconds) if seconds > 0 else ABSENT


def _best(rows: Sequence[Mapping[str, float]], labels: Iterable[str]) -> frozenset[tuple[int, int]]:
    """Return the places of the best scores, if there is something to compare."""
    places = set()
    for column, label in enumerate(labels, 1):
        name = label.partition("[")[0].rpartition("/")[2]
        values = {number: row[label] for number, row in enumerate(rows) if label in row}
        if len(values) < 2 or len(set(values.values())) < 2 or name not in (*_LARGER, *_SMALLER):
            continue
        best = (max if name in _LARGER else min)(values.values())
        places |= {(number, column) for number, value in values.items() if value == best}
    return frozenset(places)
