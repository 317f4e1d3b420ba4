"""Compare trained networks or degradations by their tests, under the same protocols."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from realdeg.apis.test_protocol import ProtocolName, protocol_dir
from realdeg.errors import ConfigError, DataError, argument_name
from realdeg.evaluation.protocols import PROTOCOLS, get_protocol
from realdeg.runs import (
    Group,
    RunComparison,
    RunRecord,
    ScoreTable,
    compare_groups,
    find_runs,
    group_runs,
    read_run,
)
from realdeg.runs.scores import is_stale, meaning_of, protocol_of, scores_of

_Path = str | os.PathLike[str]


def compare_runs(
    runs: Sequence[_Path | tuple[str, _Path]] | Mapping[str, _Path],
    *,
    protocol: ProtocolName | None = None,
    test: bool = False,
    all_pairs: bool = False,
    draws: int = 10_000,
    seed: int = 0,
    device: str | None = None,
) -> RunComparison:
    """Compare runs, as ``realdeg compare`` does.

    Runs that differ only in their seed become one row, with mean and spread. Differences to the
    first row have a confidence interval: a paired bootstrap over the test images. Only scores of
    the same protocol on the same images are compared.

    Args:
        runs: Work dirs of ``realdeg train`` and ``realdeg test``, and folders of such folders, as
            a sweep makes them. ``(name, folder)`` or a dict names the row, and all runs of one name
            are one row whatever their configs say.
        protocol: Compare under this protocol alone: a name, or ``dict(base="rgb", border=4)``.
        test: Test the runs that lack these scores, into ``test_PROTOCOL`` in their folders; without
            ``protocol`` those that have no finished test of their weights.
        all_pairs: Show the difference of every two rows, not only to the first.
        draws: The number of resamples of the bootstrap, 1 to 1,000,000.
        seed: The seed of the resamples.
        device: Where to test; None: as the configs say.

    Returns:
        The comparison; its ``write`` and ``to_markdown`` give the tables.

    Raises:
        DataError: If a folder is no run's, a file in it is damaged, or there is nothing that all
            runs were measured by.
        ConfigError: If the protocol is unknown, or a run cannot be tested.
    """
    if not 1 <= draws <= 1_000_000:
        raise ConfigError(
            f"'{argument_name('draws')}' is {draws}: the bootstrap takes 1 to 1,000,000 resamples."
        )
    name = _checked(protocol)
    chosen = list(_expanded(runs))
    if not chosen:
        raise ConfigError("there are no runs to compare: name at least one folder.")
    labels = [label for label, _ in chosen]
    records = [read_run(folder) for _, folder in chosen]
    group_runs(records, labels)  # refuses what cannot be grouped before anything is tested
    if test:
        records = [_tested(run, protocol, name, device) for run in records]
    elif name is not None and name not in PROTOCOLS and not any(_has(r, name) for r in records):
        get_protocol(name)  # its message names the nearest
    groups = group_runs(records, labels)
    tables = compare_groups(groups, protocol=name, all_pairs=all_pairs, draws=draws, seed=seed)
    used = dict.fromkeys(protocol_of(score) for table in tables for score in table.scores)
    stated = {
        key: settings
        for run in records
        for report in scores_of(run).values()
        for key, settings in report.protocols.items()
    }
    meanings = {key: meaning_of(stated[key]) for key in used if key in stated}
    notes = (*_absent(groups, tables), *_notes(groups))
    return RunComparison(groups, tables, meanings, draws, seed, notes)


def _checked(protocol: ProtocolName | None) -> str | None:
    if protocol is None or isinstance(protocol, str):
        return protocol
    return get_protocol(protocol).name


def _expanded(
    runs: Sequence[_Path | tuple[str, _Path]] | Mapping[str, _Path],
) -> Iterator[tuple[str | None, Path]]:
    """Yield each run's folder and the name that was given for it."""
    if isinstance(runs, str | os.PathLike):
        runs = [runs]
    for item in runs.items() if isinstance(runs, Mapping) else runs:
        name, folder = item if isinstance(item, tuple) else (None, item)
        yield from ((name, run) for run in find_runs(folder))


def _has(run: RunRecord, protocol: str | None) -> bool:
    """Whether a run has finished tests, of one protocol if that is named."""
    scores = [score for report in scores_of(run).values() for score in report.mean]
    return any(protocol is None or protocol_of(score) == protocol for score in scores)


def _tested(
    run: RunRecord, protocol: ProtocolName | None, name: str | None, device: str | None
) -> RunRecord:
    """Test a run where its scores are missing, and read it again."""
    if _has(run, name):
        return run
    from realdeg.apis.testing import test

    place = run.folder.parent if run.folder.resolve().name == "test" else run.folder
    settings: dict[str, Any] = dict(protocol=protocol, device=device, pictures=False)
    settings["work_dir"] = place if name is None else protocol_dir(place, name)
    if run.sessions:
        test(run.folder, **settings)
        return read_run(run.folder)
    first = run.reports[0]
    if first.checkpoint is not None and not Path(first.checkpoint).is_file():
        raise DataError(
            f"{run.folder} was made by a test of {first.checkpoint}, which is not there: it cannot"
            f" be tested under {name}."
        )
    test(first.file.parent, first.checkpoint, **settings)
    return read_run(place)


def _absent(groups: Sequence[Group], tables: Sequence[ScoreTable]) -> Iterator[str]:
    """Yield which rows are missing from a table."""
    for table in tables:
        names = [group.label for group in groups if group.label not in table.means]
        if names:
            yield f"not every run of {', '.join(names)} was tested on {table.tested.dataset}"


def _notes(groups: Sequence[Group]) -> Iterator[str]:
    """Yield what a reader of the tables has to know."""
    for group in groups:
        for run in group.runs:
            if run.sessions and not run.finished:
                of = f" of {run.planned}" if run.planned is not None else ""
                yield f"**{run.folder}** is not finished: {run.iterations}{of} iterations"
            for report in run.reports:
                if not report.complete:
                    yield f"{report.file} is left out, it is incomplete: {report.unfinished}"
                elif is_stale(report, run):
                    yield f"{report.file} is left out: the weights have changed since this test"
        seeds = [run.seed for run in group.runs]
        twice = sorted({seed for seed in seeds if seed is not None and seeds.count(seed) > 1})
        if twice:
            yield (
                f"**{group.label}** has several runs of seed {', '.join(map(str, twice))}: its"
                " spread is not one over seeds alone"
            )
