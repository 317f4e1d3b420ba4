"""Run the tables of the papers and write what was found beside what was published."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from realdeg.apis.reproduce_rows import PLANS, Budget, Cell, Plan, Run, Weights
from realdeg.apis.sweeping import sweep
from realdeg.config.find import find_config
from realdeg.errors import ConfigError, RealdegError, first_line, nearest
from realdeg.evaluation.report import MeanSpread, mean_and_spread, number_text
from realdeg.registry import DEGRADATIONS, load_plugins
from realdeg.runs import is_run, read_run
from realdeg.runs.scores import scores_of
from realdeg.utils.files import write_record
from realdeg.utils.tables import markdown_table

logger = logging.getLogger(__name__)

FORMAT = "realdeg-reproduce-1"
State = Literal["done", "interrupted", "to do", "missing", "failed"]
FIGURE = "figure6"
_FILE = "degradation.safetensors"


@dataclass
class ReproducedRun:
    """One run of a table.

    Attributes:
        name: Its folder in the folder of the budget.
        recipe: The recipe.
        seed: The seed.
        state: What became of it.
        reason: Why it is missing or failed, in one sentence.
    """

    name: str
    recipe: str
    seed: int
    state: State = "to do"
    reason: str = ""


@dataclass
class Reproduction:
    """A table of a paper, as far as it was run.

    Attributes:
        table: Its name.
        budget: ``"small"`` or ``"paper"``.
        title: What it shows.
        folder: Where its runs are.
        runs: The runs by name and seed.
        cells: Per cell its heading, mean and spread by score, published values, what is missing.
        files: The files that were written.
    """

    table: str
    budget: Budget
    title: str
    folder: Path
    runs: list[ReproducedRun]
    cells: list[dict[str, Any]] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    @property
    def failed(self) -> list[ReproducedRun]:
        """The runs that ended with an error."""
        return [run for run in self.runs if run.state == "failed"]

    @property
    def missing(self) -> list[str]:
        """What is missing, one sentence for each run."""
        found = [run for run in self.runs if run.state not in ("done", "to do")]
        return list(dict.fromkeys(f"{run.name} (seed {run.seed}): {run.reason}" for run in found))

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        return {
            "format": FORMAT,
            "table": self.table,
            "budget": self.budget,
            "title": self.title,
            "runs": [vars(run) for run in self.runs],
            "cells": self.cells,
        }

    def to_markdown(self) -> str:
        """Return the table: here and published, and what is missing."""
        columns = list(dict.fromkeys(cell["column"] for cell in self.cells))
        rows = []
        for name in dict.fromkeys(cell["row"] for cell in self.cells):
            own = {cell["column"]: cell for cell in self.cells if cell["row"] == name}
            texts = [name]
            for column in columns:
                cell = own.get(column)
                texts += ["", ""] if cell is None else [_here(cell), _published(cell)]
            rows.append(texts)
        head = [text for column in columns for text in (f"{column}, here", "published")]
        scores = list(dict.fromkeys("; ".join(f"`{s}`" for s in c["scores"]) for c in self.cells))
        lines = [f"# {self.title}", "", f"Budget `{self.budget}`. Scores of a cell: "]
        lines[-1] += "; or ".join(scores) + "."
        if self.budget == "small":
            lines += [
                "",
                "Small networks on crops, minutes each: the published values are of other data and"
                " budgets, and stand here for the order of the rows, not to be reached.",
            ]
        lines += ["", *markdown_table(["", *head], rows), ""]
        lines.append("± is the sample standard deviation over seeds; one seed has none.")
        if self.missing:
            lines += ["", "Missing:", "", *(f"- {text}" for text in self.missing)]
        return "\n".join([*lines, ""])

    def plan_text(self) -> str:
        """Return the runs and their states, one a line."""
        lines = [f"{self.title}: {len(self.runs)} runs in {self.folder}"]
        for run in self.runs:
            why = f" ({run.reason})" if run.reason else ""
            lines.append(f"  {run.state:<12} {run.name} seed {run.seed}: {run.recipe}{why}")
        return "\n".join(lines)


def reproduce(
    table: str,
    *,
    budget: Budget = "small",
    data: str | os.PathLike[str] = "data",
    seeds: Sequence[int] = (0, 1),
    out: str | os.PathLike[str] | None = None,
    options: Mapping[str, Any] | None = None,
    device: str | None = None,
    plan: bool = False,
) -> Reproduction:
    """Run a table of a paper and write it beside the published values.

    Runs are shared by all tables of a folder. The same call does only what is missing; an
    interrupted run continues. A run that fails, or whose recipe or component is not there, leaves
    its cell empty, with the reason.

    Args:
        table: ``"table1"``, ``"table2"``, ``"figure6"``, ``"transfer"``, ``"noise"`` or
            ``"scales"`` (docs/reproduce.md).
        budget: ``"small"``: crops and small networks, minutes per run on a CPU. ``"paper"``: the
            recipes of the paper, which want a GPU and its data.
        data: The folder of the data sets.
        seeds: The seeds of every run.
        out: The folder for runs and tables; None: ``work_dirs/reproduce``.
        options: Dotted keys of the config for all runs, such as ``{"train_cfg.max_iters": 400}``.
        device: Where to compute; None: the accelerator if there is one.
        plan: List the runs, their states and what is missing, and run nothing.

    Returns:
        The table. ``TABLE.md`` and ``TABLE.json`` are in the folder of the budget.

    Raises:
        ConfigError: If there is no such table or budget, or no seed.
        OutputError: If the folder cannot be written.
        SystemExit: With code 130 or 143 after Ctrl-C or SIGTERM; the same call continues.

    Example:
        >>> import realdeg
        >>> realdeg.reproduce("table1", plan=True).title
        'Table 1 of DML: fidelity of generated LR, and VDSR trained on it'
    """
    if table == FIGURE:
        from realdeg.apis.reproduce_figure import reproduce_figure

        return reproduce_figure(
            budget=budget,
            data=data,
            seeds=seeds,
            out=out,
            options=options,
            device=device,
            plan=plan,
        )
    if table not in PLANS:
        known = [*PLANS, FIGURE]
        raise ConfigError(
            f"there is no table '{table}': {', '.join(known)}.{nearest(table, known)}"
        )
    if budget not in get_args(Budget):
        raise ConfigError(f"budget is 'small' or 'paper', got {budget!r}.")
    if not seeds or len(set(seeds)) < len(seeds):
        raise ConfigError(f"seeds are different whole numbers, at least one, got {list(seeds)}.")
    load_plugins()
    chosen = PLANS[table](budget)
    folder = Path(out if out is not None else Path("work_dirs") / "reproduce").expanduser() / budget
    given = {"data_root": os.fspath(data), **(options or {})}
    found = {
        (run.name, seed): ReproducedRun(run.name, run.recipe, seed)
        for run in chosen.runs
        for seed in seeds
    }
    result = Reproduction(table, budget, chosen.title, folder, list(found.values()))
    absent = _absent(chosen)
    for run in chosen.runs:
        for seed in seeds:
            one = found[run.name, seed]
            _look(run, one, folder, absent.get(run.name, ""))
            for needed in run.needs:
                other = found[needed.name, seed]
                if not one.reason and other.state == "missing":
                    one.state, one.reason = "missing", f"it needs {other.name}: {other.reason}"
    if plan:
        return result
    measured = {cell.run.name for cell in chosen.cells}
    for index, (run, seed) in enumerate((run, seed) for run in chosen.runs for seed in seeds):
        one = found[run.name, seed]
        logger.info("[%d/%d] %s, seed %d", index + 1, len(found), run.name, seed)
        _do(run, one, found, folder, given, device, run.name in measured)
        _write(result, chosen, found, seeds)
    return result


def _absent(plan: Plan) -> dict[str, str]:
    """Return why runs cannot be started, by name: a recipe or a component is not there."""
    found = {}
    for cell in plan.cells:
        lacking = [name for name in cell.requires if DEGRADATIONS.get(name) is None]
        for run in (cell.run, *cell.run.needs) if lacking else ():
            if run is cell.run:
                found[run.name] = f"{', '.join(lacking)} is not registered"
    for run in plan.runs:
        try:
            find_config(run.recipe)
        except ConfigError:
            found.setdefault(run.name, f"there is no recipe {run.recipe}")
    return found


def place_of(run: Run, seed: int, folder: Path) -> Path:
    """Return the folder of a run."""
    return folder / run.name / f"seed={seed}"


def _look(run: Run, one: ReproducedRun, folder: Path, absent: str) -> None:
    """Note what there is of a run."""
    place = place_of(run, one.seed, folder)
    if absent:
        one.state, one.reason = "missing", absent
    elif place.is_dir() and is_run(place):
        try:
            one.state = "done" if read_run(place).finished else "interrupted"
        except RealdegError as error:
            one.state, one.reason = "failed", first_line(error)


def _do(
    run: Run,
    one: ReproducedRun,
    found: Mapping[tuple[str, int], ReproducedRun],
    folder: Path,
    given: Mapping[str, Any],
    device: str | None,
    measured: bool,
) -> None:
    """Train and test one run, as far as that is still to be done."""
    if one.state == "missing":
        return
    lacking = [need.name for need in run.needs if found[need.name, one.seed].state != "done"]
    if lacking:
        one.state, one.reason = "missing", f"it needs {lacking[0]}, which is not there"
        return
    options = filled({**given, **run.options}, one.seed, folder)
    try:
        swept = sweep(
            run.recipe,
            seeds=[one.seed],
            options=options,
            out=folder / run.name,
            device=device,
            test=measured,
        )
        (only,) = swept.runs
        one.state, one.reason = "done", ""
        if only.state == "failed":
            one.state, one.reason = "failed", only.reason
    except RealdegError as error:
        one.state, one.reason = "failed", first_line(error)
    if one.reason:
        logger.warning("%s failed: %s", one.name, one.reason)


def filled(value: Any, seed: int, folder: Path) -> Any:
    """Return options with paths in the place of other runs' weights.

    Args:
        value: The options, or a part of them.
        seed: The seed of the other runs.
        folder: The folder of all runs.
    """
    if isinstance(value, Weights):
        return str((place_of(value.run, seed, folder) / _FILE).absolute())
    if isinstance(value, Mapping):
        return {key: filled(item, seed, folder) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [filled(item, seed, folder) for item in value]
    return value


def _write(
    result: Reproduction,
    plan: Plan,
    found: Mapping[tuple[str, int], ReproducedRun],
    seeds: Sequence[int],
) -> None:
    """Write the table as it stands."""
    result.cells = [_cell(cell, found, seeds, result.folder) for cell in plan.cells]
    files = write_record(result.folder, result.table, result.to_dict(), result.to_markdown())
    result.files = list(files)


def _cell(
    cell: Cell,
    found: Mapping[tuple[str, int], ReproducedRun],
    seeds: Sequence[int],
    folder: Path,
) -> dict[str, Any]:
    values: dict[str, list[float]] = {}
    reasons: dict[str, str] = {}
    for seed in seeds:
        one = found[cell.run.name, seed]
        if one.state != "done":
            reasons.setdefault("", one.reason or "not run yet")
            continue
        for report in scores_of(read_run(place_of(cell.run, seed, folder))).values():
            for score in cell.scores:
                if score in report.mean:
                    values.setdefault(score, []).append(report.mean[score])
                elif score in report.missing:
                    reasons.setdefault(score, report.missing[score])
    means = {score: mean_and_spread(values[score]) for score in cell.scores if score in values}
    return {
        "row": cell.row,
        "column": cell.column,
        "run": cell.run.name,
        "scores": list(cell.scores),
        "found": {
            s: {"mean": m.mean, "spread": m.spread, "runs": m.runs} for s, m in means.items()
        },
        "published": list(cell.published or (None,) * len(cell.scores)),
        "missing": reasons,
    }


def _here(cell: Mapping[str, Any]) -> str:
    if not cell["found"]:
        return "missing"
    texts = []
    for score in cell["scores"]:
        entry = cell["found"].get(score)
        if entry is None:
            texts.append("n/a")
            continue
        mean = MeanSpread(entry["mean"], entry["spread"], entry["runs"])
        text = number_text(score, mean.mean)
        texts.append(text if mean.spread is None else f"{text} ± {number_text(score, mean.spread)}")
    return " / ".join(texts)


def _published(cell: Mapping[str, Any]) -> str:
    return " / ".join("-" if value is None else value for value in cell["published"])
