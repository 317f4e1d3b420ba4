"""``dataset.json``: what a data set is made with, agreed on by every job that writes to it.

The images, sorted by name, are cut into ranges of equal length. Range k is shard k, and job i of n
makes the shards with k mod n = i. So the shards do not depend on the number of jobs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from realdeg.errors import ConfigError, DataError, as_given, first_line
from realdeg.synthesis.samples import line_of
from realdeg.utils.files import atomic_path, open_regular
from realdeg.utils.locks import exclusive
from realdeg.utils.plain_json import read_json

PLAN_NAME = "dataset.json"
PLAN_FORMAT = 1
MOST_SHARDS = 1_000_000


@dataclass(frozen=True)
class Plan:
    """How a data set is cut and written.

    Args:
        to: Its format.
        hr: Whether it holds HR images.
        images: How many images it is made from.
        names: SHA-256 of their names in order.
        shard_size: Images per shard.
        variants: LR images per HR image.
        crop: The grid of patches as plain data, or None.
    """

    to: str
    hr: bool
    images: int
    names: str
    shard_size: int
    variants: int = 1
    crop: Mapping[str, Any] | None = None

    @property
    def shards(self) -> int:
        """The number of shards."""
        return -(-self.images // self.shard_size)

    def span(self, shard: int) -> range:
        """Return the positions of a shard's images in the sorted list."""
        start = shard * self.shard_size
        return range(start, min(start + self.shard_size, self.images))

    @property
    def plain(self) -> bool:
        """Whether it is what ``realdeg degrade`` makes of a folder: LR images and a manifest."""
        return self.to == "folder" and not self.hr and self.variants == 1 and self.crop is None

    @staticmethod
    def of(stored: Any) -> Plan:
        """Return the plan in a ``dataset.json``.

        Raises:
            DataError: If it is none.
        """
        counts = ("images", "shard_size", "variants")
        try:
            plan = Plan(**stored)
            sound = all(type(getattr(plan, name)) is int for name in counts)
            sound = sound and type(plan.hr) is bool and isinstance(plan.to, str)
            sound = sound and min(getattr(plan, name) for name in counts) > 0
            sound = sound and (plan.crop is None or isinstance(plan.crop, dict))
            if sound and plan.shards <= MOST_SHARDS:
                return plan
        except TypeError:
            pass
        raise DataError("it states no plan of a data set")


def hash_names(names: Iterable[str]) -> str:
    """Return the SHA-256 of names in order."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(os.fsencode(name) + b"\0")
    return digest.hexdigest()


def check_shard(shard: tuple[int, int] | None) -> tuple[int, int]:
    """Return a job's number and the number of jobs.

    Args:
        shard: ``(i, n)`` with i from 0 to n - 1; None: the only job.

    Raises:
        ConfigError: If it is out of range.
    """
    number, count = (0, 1) if shard is None else shard
    if not 1 <= count <= MOST_SHARDS:
        raise ConfigError(f"the number of jobs is from 1 to {MOST_SHARDS}, got {count}.")
    if not 0 <= number < count:
        raise ConfigError(
            f"shard {number}/{count} is out of range: jobs are counted from 0, so"
            f" {as_given(shard=(f'0/{count}',))} to {as_given(shard=(f'{count - 1}/{count}',))}."
        )
    return number, count


def agree(root: Path, header: Mapping[str, Any], plan: Plan) -> str:
    """Write ``dataset.json``, or compare it with that of an earlier run or another job.

    Args:
        root: The folder of the data set.
        header: What results depend on, as plain data; the header of the manifest.
        plan: How it is cut and written.

    Returns:
        The SHA-256 of the file, which every shard's record repeats.

    Raises:
        ConfigError: If the data set was started with something else.
        DataError: If the file is damaged.
        OutputError: If it cannot be written.
    """
    file = root / PLAN_NAME
    content = line_of({"header": header, "plan": asdict(plan)})
    # Of jobs that start together, one writes it and the others compare.
    with exclusive(root, "start", name=".realdeg-start.lock", wait=True):
        if not os.path.lexists(file):
            with atomic_path(file) as temporary:
                temporary.write_bytes(content)
    former_header, former, digest = read_plan(root)
    _compare(root, former_header, former, json.loads(content)["header"], plan)
    return digest


def read_plan(root: Path) -> tuple[dict[str, Any], Plan, str]:
    """Read ``dataset.json``.

    Returns:
        The header, the plan, and the SHA-256 of the file.

    Raises:
        DataError: If it is missing or damaged.
    """
    file = root / PLAN_NAME
    try:
        with open_regular(file) as stream:
            content = stream.read(1 << 24)
    except OSError as error:
        raise DataError(
            f"cannot read {file}: {error.strerror or error}; it is written by every run that makes"
            " a data set."
        ) from error
    stored = read_json(content.decode(errors="replace"), f"the file {file}", DataError)
    try:
        if not isinstance(stored, dict) or not isinstance(stored.get("header"), dict):
            raise DataError("it states no settings")
        return stored["header"], Plan.of(stored.get("plan")), hashlib.sha256(content).hexdigest()
    except DataError as error:
        raise DataError(f"{file} is damaged: {first_line(error)}.") from error


def _compare(
    root: Path, before: Mapping[str, Any], former: Plan, now: Mapping[str, Any], plan: Plan
) -> None:
    start = "choose another folder, or start again without what is there"
    if former.names != plan.names:
        raise ConfigError(
            f"{root} was started with other inputs ({former.images} images then, {plan.images}"
            f" now, or other names): {start}."
        )
    first, second = {**before, **asdict(former)}, {**now, **asdict(plan)}
    differing = [
        f"{name} was {first.get(name)!r:.200} and is {second.get(name)!r:.200}"
        for name in sorted(first.keys() | second.keys())
        if first.get(name) != second.get(name)
    ]
    if differing:
        raise ConfigError(
            f"{root} was started with other settings: {'; '.join(differing[:8])}. Run with the"
            f" former ones to continue, {start}."
        )
