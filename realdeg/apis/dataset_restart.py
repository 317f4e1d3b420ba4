"""Make a data set again where one was made before."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from realdeg.apis.manifest import MANIFEST_NAME
from realdeg.errors import ConfigError, DataError
from realdeg.synthesis.plan import PLAN_NAME, read_plan
from realdeg.synthesis.records import FOLDER, former_files, read_record, record_path
from realdeg.utils.files import path_inside, sha256_file


def refuse_foreign(target: Path) -> None:
    """Refuse a folder that another command filled.

    Raises:
        ConfigError: If there is a manifest and no plan.
    """
    if not os.path.lexists(target / PLAN_NAME) and os.path.lexists(target / MANIFEST_NAME):
        raise ConfigError(
            f"{target} holds the results of another run (there is {MANIFEST_NAME} and no"
            f" {PLAN_NAME}): choose another folder."
        )


def start_again(target: Path) -> None:
    """Remove what earlier runs made and nobody changed since, and all their records.

    Raises:
        DataError: If the plan is damaged, so that it cannot be told what they made.
    """
    if not os.path.lexists(target / PLAN_NAME):
        return
    _, plan, _ = read_plan(target)
    for shard in range(plan.shards):
        with suppress(DataError):  # a damaged record names nothing
            for name, digest in former_files(read_record(target, shard)).items():
                _remove_unchanged(target, name, digest)
        # Of settings that are given up, so the new run could neither keep nor replace it.
        record_path(target, shard).unlink(missing_ok=True)
    for name in (MANIFEST_NAME, PLAN_NAME):
        (target / name).unlink(missing_ok=True)
    if (target / FOLDER).is_dir() and not any((target / FOLDER).iterdir()):
        (target / FOLDER).rmdir()


def _remove_unchanged(target: Path, name: str, digest: str) -> None:
    with suppress(OSError, DataError):  # missing, or in a folder that is a link
        file = path_inside(target, name)
        if not file.is_symlink() and sha256_file(file) == digest:
            file.unlink()
