"""Which runs belong together: those that differ in nothing but the seed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from realdeg.errors import DataError
from realdeg.runs.record import RunRecord

_SEED = re.compile(r"[-_. ]*seed[-_=]?\d+$", re.IGNORECASE)


@dataclass(frozen=True)
class Group:
    """Runs that are one row of a table.

    Attributes:
        label: The row's name.
        runs: The runs by seed.
    """

    label: str
    runs: tuple[RunRecord, ...]

    @property
    def seeds(self) -> str:
        """The seeds in words, such as ``"0, 1, 2"``."""
        return ", ".join("-" if run.seed is None else str(run.seed) for run in self.runs)


def group_runs(runs: Sequence[RunRecord], named: Sequence[str | None] = ()) -> tuple[Group, ...]:
    """Group runs whose configs are equal but for the seed.

    Args:
        runs: The runs.
        named: For each run the name that was given for it, or None. Runs with the same name are a
            group whatever their configs say: runs on cameras of several seeds, say.

    Returns:
        The groups in the order of their first runs, each with a label of its own.

    Raises:
        DataError: If a run is given twice.
    """
    folders = [os.path.realpath(run.folder) for run in runs]
    for index, folder in enumerate(folders):
        if folder in folders[:index]:
            raise DataError(f"the run {runs[index].folder} is given twice.")
    names = list(named) or [None] * len(runs)
    members: dict[str, list[int]] = {}
    for index, (run, name) in enumerate(zip(runs, names, strict=True)):
        members.setdefault(_identity(run) if name is None else f"named {name}", []).append(index)
    labels = _labels([[runs[i] for i in group] for group in members.values()])
    found = []
    for label, group in zip(labels, members.values(), strict=True):
        own = sorted((runs[i] for i in group), key=lambda run: (run.seed is None, run.seed or 0))
        found.append(Group(names[group[0]] or label, tuple(own)))
    doubled = [group.label for group in found if [g.label for g in found].count(group.label) > 1]
    if doubled:
        raise DataError(
            f"two different rows would be called '{doubled[0]}': name runs differently."
        )
    return tuple(found)


def _identity(run: RunRecord) -> str:
    if not run.sessions:  # its config does not say which weights were tested
        return os.path.realpath(run.folder)
    stated = {name: value for name, value in run.config.items() if name != "seed"}
    return json.dumps(stated, sort_keys=True, default=str)


def _labels(groups: list[list[RunRecord]]) -> list[str]:
    """Name each group after its folders, with as many parents as tell them apart."""
    longest = max(len(run.folder.resolve().parts) for group in groups for run in group)
    labels: list[str] = []
    for whole in (False, True):  # with the seed in the name only where nothing else differs
        for depth in range(1, longest + 1):
            labels = [_label(group, depth, whole) for group in groups]
            if len(set(labels)) == len(labels):
                return labels
    return labels


def _label(group: list[RunRecord], depth: int, whole: bool) -> str:
    own = []
    for run in group:
        place = run.folder.resolve()
        place = place.parent if place.name == "test" and place.parent.name else place
        name = run.label if whole else _SEED.sub("", run.label)
        parents = place.parts[1:-1]
        parts = [*parents, name] if name else list(parents)  # "seed=0" in the folder of a sweep
        own.append("/".join(parts[-depth:]) or run.label)
    if len(set(own)) == 1:
        return own[0]
    # Folders that have nothing in common but what they are runs of.
    start = os.path.commonprefix(own).rstrip("-_. =/")
    return start if len(start) > 2 else own[0]
