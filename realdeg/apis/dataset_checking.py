"""Check a data set: its files against its records, and a sample of its traces."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from realdeg.apis.create import Source as DegradationSource
from realdeg.apis.create import create_degradation
from realdeg.apis.dataset import manifest_header
from realdeg.apis.dataset_inputs import Images, open_source
from realdeg.apis.degrader import Degrader
from realdeg.apis.folder import Failure, why_failed
from realdeg.apis.manifest import MANIFEST_NAME
from realdeg.apis.saving import Saving
from realdeg.apis.workers import threads_of_torch
from realdeg.degradations.base import Degradation
from realdeg.degradations.trace import Trace
from realdeg.errors import ConfigError, DataError, RealdegError
from realdeg.synthesis.entries import Source
from realdeg.synthesis.plan import PLAN_NAME, Plan, read_plan
from realdeg.synthesis.records import ShardRecord, former_files, merged_lines, read_record
from realdeg.synthesis.samples import Row, sha256
from realdeg.synthesis.sinks import Sink, build_sink
from realdeg.synthesis.stores import local_folder
from realdeg.utils.construction import within_budget
from realdeg.utils.files import open_regular, path_inside, sha256_file
from realdeg.utils.image import Reading, encode_image
from realdeg.utils.progress import progress_bar

REPLAYED = 20
"""Samples whose traces are replayed, unless stated."""


@dataclass(frozen=True)
class DatasetCheck:
    """What was found.

    Args:
        folder: The folder of the data set.
        samples: How many samples its records list.
        replayed: How many traces were replayed.
        differing: Samples, by key, and files that are not what the records say.
        note: Why nothing was replayed, or an empty text.
    """

    folder: Path
    samples: int
    replayed: int
    differing: tuple[Failure, ...] = ()
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.differing

    def describe(self) -> str:
        """Return the outcome as text, with one difference per line."""
        found = f"{len(self.differing)} DIFFER:" if self.differing else "nothing differs"
        lines = [f"{self.folder}: {self.samples} samples, {self.replayed} replayed, {found}"]
        lines += [f"  {one.name}: {one.reason}" for one in self.differing]
        return "\n".join(lines + ([self.note] if self.note else []))


def verify_dataset(
    dst: str | os.PathLike[str],
    degradation: DegradationSource | Degradation | None = None,
    src: Images | None = None,
    *,
    replay: int = REPLAYED,
    field: str | None = None,
    key: str | None = None,
    progress: bool = True,
) -> DatasetCheck:
    """Check every file of a data set by its hash, and replay a sample of its traces.

    Args:
        dst: The folder of the data set.
        degradation: What it was made with; None: the type and arguments that it states, which is
            enough for hand-made degradations.
        src: Its inputs, from which traces are replayed where it holds no HR images; None: nothing
            is replayed then.
        replay: How many traces, chosen by the hashes of their keys.
        field: As for :func:`realdeg.degrade_dataset`.
        key: As for :func:`realdeg.degrade_dataset`.
        progress: Show a progress bar on stderr.

    Returns:
        What differs; check ``ok``.

    Raises:
        ConfigError: If the degradation is another one, or a package is missing.
        DataError: If there is no data set, or its records are damaged.
    """
    root = local_folder(dst)
    header, plan, settings = read_plan(root)
    sink = build_sink(plan.to, hr=plan.hr)
    differing: list[Failure] = []
    chosen: list[tuple[int, int, int, Row]] = []
    samples = 0
    with progress_bar("verifying", plan.shards, shown=progress) as advance:
        for shard in range(plan.shards):
            record = read_record(root, shard)
            if record is None or record.settings != settings:
                why = "is not done" if record is None else "was made with other settings"
                differing.append(Failure(f"shard {shard}", f"{why}: run its job again."))
                continue
            differing += _differences(root, sink, record)
            rows = record.of_kind("image")
            for row in rows:
                samples += 1
                # Those with the smallest hashes stay; the number keeps rows from being compared.
                place = (-int(sha256(_name(row).encode())[:15], 16), shard, samples, row)
                heapq.heappush(chosen, place)
                if len(chosen) > replay:
                    heapq.heappop(chosen)
            advance(shard + 1)
    differing += _manifest(root, header, plan, settings, differing)
    wrong = {one.name for one in differing}
    todo = [(shard, row) for _, shard, _, row in sorted(chosen, key=lambda one: -one[0])]
    todo = [(shard, row) for shard, row in todo if _name(row) not in wrong]
    if not plan.hr and src is None:
        note = "No trace was replayed: the data set holds no HR images; name its inputs as well."
        return DatasetCheck(root, samples, 0, tuple(differing), note if replay else "")
    try:
        degrader = _degrader(root, header, degradation)
    except ConfigError as error:
        if degradation is not None:
            raise
        return DatasetCheck(root, samples, 0, tuple(differing), str(error))
    source = None if src is None else open_source(src, field=field, key=key)
    with threads_of_torch(1):
        for shard, row in todo:
            reason = _replayed(root, sink, header, degrader, source, shard, row)
            if reason is not None:
                differing.append(Failure(_name(row), reason))
    return DatasetCheck(root, samples, len(todo), tuple(differing))


def _name(row: Row) -> str:
    """Return what names a sample: its key, or its image where there are no keys."""
    return str(row.get("key", row["name"]))


def _differences(root: Path, sink: Sink, record: ShardRecord) -> Iterator[Failure]:
    """Yield the samples of a shard that are not what its record says."""
    rows = record.of_kind("image")
    wrong = [name for name, sha in former_files(record).items() if not _is(root, name, sha)]
    if not wrong:
        return
    left = {_name(row): row for row in rows}
    try:
        for row, (hr, lr) in sink.read(root, record.shard, rows):
            same = sha256(lr) == row["output_sha256"]
            if same and (hr is None or sha256(hr) == row.get("hr_sha256")):
                left.pop(_name(row), None)
    except DataError as error:
        why = f"missing or changed: {error}"
    else:
        why = "missing or changed"
    for name in left:
        yield Failure(name, f"{why} ({', '.join(wrong[:2])}).")
    if not left:
        for name in wrong:
            yield Failure(name, "its bytes are not those recorded, though its images are.")


def _is(root: Path, name: str, digest: str) -> bool:
    file = path_inside(root, name)
    try:
        return not file.is_symlink() and sha256_file(file) == digest
    except OSError:
        return False


def _manifest(
    root: Path, header: Row, plan: Plan, settings: str, found: list[Failure]
) -> list[Failure]:
    """Compare the manifest with the records it was merged from, if it is there."""
    file = root / MANIFEST_NAME
    if not os.path.lexists(file) or any(one.name.startswith("shard ") for one in found):
        return []
    try:
        with open_regular(file) as stream:
            lines = merged_lines(root, manifest_header(header, plan), plan, settings)
            # Not by its own lines, which may be of any length.
            for number, line in enumerate(chain(lines, [b""]), start=1):
                if stream.read(len(line) or 1) != line:
                    return [Failure(MANIFEST_NAME, f"line {number} is not that of the shards.")]
    except OSError as error:
        return [Failure(MANIFEST_NAME, f"cannot be read: {error.strerror or error}.")]
    return []


def _degrader(
    root: Path, header: Mapping[str, Any], given: DegradationSource | Degradation | None
) -> Degrader:
    """Return what the data set was made with.

    Raises:
        ConfigError: If it cannot be built, or the given one is another.
    """
    stated = header.get("degradation")
    geometry = (header.get("scale"), header.get("same_size"))
    colour = header.get("colour")
    if not isinstance(stated, Mapping) or colour not in ("rgb", "y"):
        raise ConfigError(f"{root / PLAN_NAME} states no degradation.")
    if given is not None:
        built = create_degradation(given, *geometry, trained=True)
    else:
        try:
            # Nothing larger is built than what a hand-made degradation needs, and no file is read.
            with within_budget({}, str(root / PLAN_NAME), str(stated.get("type"))):
                built = create_degradation(_config(stated), *geometry, trained=True)
        except RealdegError as error:
            raise ConfigError(
                f"No trace was replayed: {stated.get('type')!s:.60} cannot be built from what the"
                " data set states of it, so name the degradation that it was made with."
            ) from error
    degrader = Degrader(built, colour=colour)
    now = degrader.settings()["degradation"]
    if now.get("hash") != stated.get("hash"):
        raise ConfigError(
            f"{root} was made with another degradation: {stated.get('type')!s:.60} with the hash"
            f" {stated.get('hash')!s:.64}, and {now['type']} has {now['hash']}."
        )
    return degrader


def _config(stated: Any) -> Any:
    """Return a described degradation as a config."""
    if isinstance(stated, Mapping):
        if stated.keys() == {"type", "arguments", "hash"} and isinstance(
            stated["arguments"], Mapping
        ):
            return {**_config(stated["arguments"]), "type": stated["type"]}
        return {name: _config(value) for name, value in stated.items()}
    return [_config(one) for one in stated] if isinstance(stated, list) else stated


def _replayed(
    root: Path,
    sink: Sink,
    header: Mapping[str, Any],
    degrader: Degrader,
    source: Source | None,
    shard: int,
    row: Row,
) -> str | None:
    """Return why a trace does not give the LR image that is stored, or None if it does."""
    try:
        stored = dict((_name(one), pair) for one, pair in sink.read(root, shard, [row]))
        if _name(row) not in stored:
            return "it is not in the data set any more."
        hr, lr = stored[_name(row)]
        image = Reading().decode(hr, _name(row)) if hr is not None else None
        if image is None:
            entries = {one.name: one for one in source.entries} if source is not None else {}
            if source is None or row["name"] not in entries:
                return "its HR image is neither in the data set nor among the inputs."
            content = source.read(entries[row["name"]])
            if sha256(content) != row["source_sha256"]:
                return "its input has changed since."
            image = _reading(header).decode(content, row["name"])
            if "crop" in row:
                top, left, height, width = row["crop"]
                cut = image.pixels[top : top + height, left : left + width]
                image = type(image)(np.ascontiguousarray(cut), image.icc, image.notes)
        result = degrader.replay(image.pixels, Trace.from_dict(row.get("trace")))
        quality = Saving.of(header).quality
        again = encode_image(
            row["output"] if hr is None else "a.png",
            result,
            icc=image.icc,
            quality=quality if hr is None else None,
        )
    except Exception as error:
        reason = why_failed(error)
        if reason is None:
            raise
        return f"its trace cannot be replayed: {reason}"
    if again != lr:
        pixels = Reading().decode(lr, _name(row)).pixels
        if pixels.shape != result.shape or not np.array_equal(pixels, result):
            return "its trace gives another LR image."
    return None


def _reading(header: Mapping[str, Any]) -> Reading:
    return Reading(bool(header.get("first_frame")), bool(header.get("srgb")))
