"""Train a recipe with several seeds and settings, one run after the other."""

from __future__ import annotations

import gc
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from realdeg.apis.comparing import compare_runs
from realdeg.apis.recipes import Recipe, open_recipe
from realdeg.apis.sweep_plan import Combination, combinations, same_config
from realdeg.apis.test_protocol import ProtocolName, protocol_dir, use_protocol
from realdeg.config import config_name
from realdeg.errors import ConfigError, RealdegError, first_line
from realdeg.evaluation.protocols import get_protocol
from realdeg.runs import RunComparison, is_run, read_run
from realdeg.runs.scores import scores_of
from realdeg.utils.files import atomic_path, ensure_writable_dir

logger = logging.getLogger(__name__)

FORMAT = "realdeg-sweep-1"
State = Literal["planned", "finished", "failed"]


@dataclass(frozen=True)
class SweptRun:
    """One run of a sweep.

    Attributes:
        folder: Its work dir.
        settings: The swept keys and their values, ``"seed"`` among them.
        state: ``"planned"``, ``"finished"`` or ``"failed"``.
        reason: Why it failed, in one sentence; empty otherwise.
    """

    folder: Path
    settings: Mapping[str, Any]
    state: State = "planned"
    reason: str = ""


@dataclass
class SweepResult:
    """The outcome of a sweep.

    Attributes:
        config: The config as it was named.
        folder: The folder that holds a folder for each run, and ``sweep.json``.
        runs: The runs in their order.
        comparison: The finished runs compared; None if there is nothing to compare.
        files: The files that were written beside the runs.
    """

    config: str
    folder: Path
    runs: list[SweptRun]
    comparison: RunComparison | None = None
    files: list[Path] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as plain data, ready for JSON."""
        runs = [
            {
                "folder": run.folder.name,
                "settings": _plain(run.settings),
                "state": run.state,
                "reason": run.reason,
            }
            for run in self.runs
        ]
        return {
            "format": FORMAT,
            "config": self.config,
            "runs": runs,
            "comparison": None if self.comparison is None else self.comparison.to_dict(),
        }

    @property
    def failed(self) -> tuple[SweptRun, ...]:
        """The runs that ended with an error."""
        return tuple(run for run in self.runs if run.state == "failed")


def sweep(
    config: Recipe,
    *,
    seeds: Sequence[int] = (0,),
    grid: Mapping[str, Sequence[Any]] | None = None,
    options: Mapping[str, Any] | None = None,
    sample: bool = False,
    out: str | os.PathLike[str] | None = None,
    device: str | None = None,
    test: bool = True,
    protocol: ProtocolName | None = None,
    dry_run: bool = False,
    **fields: Any,
) -> SweepResult:
    """Train and test every combination of settings and seeds, as ``realdeg sweep`` does.

    Each combination has a folder, such as ``depth=12_seed=0``. The same call again does only what
    is missing: a finished run is kept, an interrupted one continued. An error ends its own run
    alone.

    Args:
        config: A config file or the name of a recipe.
        seeds: The seeds of each combination.
        grid: Dotted keys of the config and the values that each takes; every combination is run.
        options: Dotted keys that all runs share, such as ``{"train_cfg.max_iters": 1000}``.
        sample: Run on the built-in sample images with a short schedule.
        out: The folder of the sweep. None: ``work_dirs/NAME_sweep``.
        device: Where to compute; None: the config's, or the accelerator if there is one.
        test: Also test each run after its training, into its folder ``test``.
        protocol: The evaluation protocol of these tests, which are kept beside those under other
            protocols, in ``test_PROTOCOL/test``; None: the recipe's.
        dry_run: Return the plan and run nothing.
        **fields: Top-level fields of the config, such as ``scale=2``.

    Returns:
        The runs and their comparison. ``sweep.json`` and ``comparison.md`` are in the folder.

    Raises:
        ConfigError: If there is no combination that the config takes, or two would share a folder.
        OutputError: If the folder cannot be written.
        SystemExit: With code 130 or 143 after Ctrl-C or SIGTERM; the same call continues.
    """
    given = dict(options=options, fields=fields, sample=sample, device=device, protocol=protocol)
    folder, plan = _planned(config, seeds, grid or {}, out, given)
    found = [SweptRun(folder / one.name, one.settings) for one in plan]
    result = SweepResult(os.fspath(config), folder, found)
    if dry_run:
        return result
    ensure_writable_dir(folder)
    for index, one in enumerate(plan):
        logger.info("[%d/%d] %s", index + 1, len(plan), one.name)
        try:
            _run(config, one, found[index].folder, given, test)
            found[index] = replace(found[index], state="finished")
        except RealdegError as error:
            found[index] = replace(found[index], state="failed", reason=first_line(error))
        except Exception as error:
            logger.warning("%s failed", one.name, exc_info=True)
            reason = f"{type(error).__name__}: {first_line(error)}"
            found[index] = replace(found[index], state="failed", reason=reason)
        except (KeyboardInterrupt, SystemExit):
            logger.warning(
                "the sweep was stopped in run %d of %d; the same command continues it.",
                *(index + 1, len(plan)),
            )
            raise
        finally:
            gc.collect()  # the former run's model, before the next one is built
            _write(result)
        if found[index].reason:
            logger.warning("%s failed: %s", one.name, found[index].reason)
    _compare(result)
    return result


def _planned(
    config: Recipe,
    seeds: Sequence[int],
    grid: Mapping[str, Sequence[Any]],
    out: str | os.PathLike[str] | None,
    given: Mapping[str, Any],
) -> tuple[Path, list[Combination]]:
    """Return the sweep's folder and its combinations, of which the config takes at least one."""
    shared = set(grid) & {*(given["options"] or {}), *given["fields"]}
    if shared:
        raise ConfigError(
            f"'{sorted(shared)[0]}' is swept and set for all runs as well: take one of them out."
        )
    plan = combinations(grid, seeds)
    stem, refusals = "", []
    for one in plan:
        try:
            stem = stem or config_name(_open(config, one, None, given).filename).split("/")[-1]
        except RealdegError as error:
            refusals.append(error)
    if len(refusals) == len(plan):
        raise refusals[0]
    return Path(out) if out is not None else Path("work_dirs") / f"{stem}_sweep", plan


def _open(config: Recipe, one: Combination, folder: Path | None, given: Mapping[str, Any]) -> Any:
    """Open the config of one combination, without the notes that its run will make."""
    parent = logging.getLogger("realdeg")
    level = parent.level
    parent.setLevel(logging.ERROR)
    try:
        cfg = open_recipe(
            config,
            {**(given["options"] or {}), **one.options},
            given["fields"],
            sample=given["sample"],
            seed=one.seed,
            work_dir=folder,
            device=given["device"],
        )
        if given["protocol"] is not None:
            use_protocol(cfg, given["protocol"])
        return cfg
    finally:
        parent.setLevel(level)


def _run(
    config: Recipe, one: Combination, folder: Path, given: Mapping[str, Any], tested: bool
) -> None:
    """Train and test one combination, as far as that is still to be done."""
    from realdeg.apis.testing import test
    from realdeg.apis.training import train

    before = read_run(folder) if folder.is_dir() and is_run(folder) else None
    if before is not None:
        same_config(_open(config, one, folder, {**given, "protocol": None}), folder)
    if before is None or not before.finished:
        train(
            config,
            options={**(given["options"] or {}), **one.options},
            sample=given["sample"],
            seed=one.seed,
            work_dir=folder,
            device=given["device"],
            resume=True if before is not None else None,
            **given["fields"],
        )
    protocol = given["protocol"]
    name = None if protocol is None else get_protocol(protocol).name
    if tested and not _has_test(folder, name):
        # Tests under other protocols are kept.
        place = None if name is None else protocol_dir(folder, name)
        test(folder, device=given["device"], protocol=protocol, work_dir=place)


def _has_test(folder: Path, name: str | None) -> bool:
    found = scores_of(read_run(folder)).values()
    return any(name is None or name in report.protocols for report in found)


def _compare(result: SweepResult) -> None:
    """Compare what finished, if it was tested, and write the tables beside the runs."""
    finished = [run.folder for run in result.runs if run.state == "finished"]
    if not finished:
        return
    try:
        result.comparison = compare_runs(finished)
        result.files.append(result.comparison.write(result.folder / "comparison.md"))
        _write(result)
    except RealdegError as error:  # tests were left out, say
        logger.info("no comparison: %s", first_line(error))


def _write(result: SweepResult) -> None:
    file = result.folder / "sweep.json"
    with atomic_path(file) as temporary:
        text = json.dumps(result.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    if file not in result.files:
        result.files.append(file)


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as JSON can hold them; what it cannot is written as text."""
    found = {}
    for key, value in settings.items():
        try:
            json.dumps(value, allow_nan=False)
            found[key] = value
        except (TypeError, ValueError):
            found[key] = str(value)
    return found
