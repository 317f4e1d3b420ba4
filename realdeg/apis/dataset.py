"""Make a data set of pairs from any number of HR images, in one job or in many."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from realdeg.apis.create import Source as DegradationSource
from realdeg.apis.create import create_degradation
from realdeg.apis.dataset_engines import Engine, check_engine, run_shards
from realdeg.apis.dataset_inputs import Images, check_apart, open_source
from realdeg.apis.dataset_restart import refuse_foreign, start_again
from realdeg.apis.dataset_shards import ShardMaker, ShardOutcome, versions_of
from realdeg.apis.dataset_work import ImageWork
from realdeg.apis.degrader import Colour, Degrader, Remainder
from realdeg.apis.folder import Failure
from realdeg.apis.manifest import MANIFEST_FORMAT, MANIFEST_NAME
from realdeg.apis.saving import Saving
from realdeg.apis.workers import check_jobs
from realdeg.degradations.base import Degradation
from realdeg.errors import ConfigError, DataError, as_given
from realdeg.synthesis.crops import FLAT, CropGrid
from realdeg.synthesis.entries import Source, keys_of
from realdeg.synthesis.plan import (
    MOST_SHARDS,
    Plan,
    agree,
    check_shard,
    hash_names,
    read_plan,
)
from realdeg.synthesis.records import (
    merge_records,
    missing_shards,
)
from realdeg.synthesis.sinks import DATASET_FORMATS, DatasetFormat, build_sink
from realdeg.synthesis.stores import local_folder
from realdeg.utils.files import (
    ensure_writable_dir,
    remove_left_overs,
)
from realdeg.utils.image import Reading
from realdeg.utils.locks import exclusive

SHARD_SIZE = 100
"""Images per shard, unless stated."""


@dataclass(frozen=True)
class DatasetSummary:
    """The outcome of one job.

    Args:
        folder: The folder of the data set.
        shards: Shards of the data set, over all jobs.
        missing: Shards that are not done yet.
        made: Names of the images whose samples this job made.
        kept: Names of the images whose samples were there already.
        samples: Samples in the shards of this job.
        dropped: Patches that were left out as flat, and images smaller than a patch.
        ignored: Names of what is no image.
        failed: What failed: images, or shards.
        manifest: The manifest of all shards, or None while shards are missing.
    """

    folder: Path
    shards: int
    missing: int
    made: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    samples: int = 0
    dropped: int = 0
    ignored: tuple[str, ...] = ()
    failed: tuple[Failure, ...] = field(default=())
    manifest: Path | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failed

    def describe(self) -> str:
        """Return the summary as text, with one failure per line."""
        made, kept = len(self.made), len(self.kept)
        lines = [f"{self.folder}: {made} images made, {kept} kept, {self.samples} samples"]
        if self.dropped:
            lines.append(f"{self.dropped} flat patches or small images left out")
        if self.ignored:
            lines.append(f"{len(self.ignored)} files are not images")
        if self.missing:
            lines.append(f"{self.missing} of {self.shards} shards are not done yet")
        elif self.manifest is not None:
            lines.append(f"all {self.shards} shards are done: {self.manifest}")
        if self.failed:
            lines.append(f"{len(self.failed)} FAILED:")
            lines += [f"  {one.name}: {one.reason}" for one in self.failed]
        return "\n".join(lines)


def degrade_dataset(
    degradation: DegradationSource | Degradation,
    src: Images,
    dst: str | os.PathLike[str],
    *,
    to: DatasetFormat | None = None,
    variants: int = 1,
    crop: int | None = None,
    stride: int | None = None,
    flat: float | None = None,
    hr: bool | None = None,
    shard: tuple[int, int] | None = None,
    shard_size: int = SHARD_SIZE,
    field: str | None = None,
    key: str | None = None,
    scale: float | None = None,
    same_size: bool | None = None,
    options: Mapping[str, Any] | None = None,
    colour: Colour = "rgb",
    seed: int = 0,
    remainder: Remainder = "crop",
    device: str | torch.device | None = None,
    jobs: int | None = None,
    engine: Engine = "local",
    address: str | None = None,
    reading: Reading | None = None,
    saving: Saving | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> DatasetSummary:
    """Make a data set of HR-LR pairs in shards, as ``realdeg degrade`` does.

    The images, sorted by name, are cut into ranges of ``shard_size``; each is a shard. A sample
    depends on the seed, its name, variant and patch alone, so any number of jobs and processes,
    killed or not, give the same bytes. The same call continues. The job that finds all shards done
    merges their records into ``manifest.jsonl``.

    Args:
        degradation: Anything that :func:`realdeg.create_degradation` takes.
        src: A folder, image or pattern, or several; tar files (WebDataset) or Parquet files (those
            of Hugging Face ``datasets``), or folders of them; an address such as
            ``s3://bucket/photos``.
        dst: The folder of the data set.
        to: ``"folder"``, ``"tar"``, ``"parquet"`` or ``"lmdb"``; None: what the name of ``dst``
            ends in, or else a folder.
        variants: LR images per HR image, 1 to 1000.
        crop: Side of square patches in HR pixels, divisible by the scale; None: whole images.
        stride: Distance of patches in HR pixels; None: ``crop``.
        flat: Patches with a smaller mean gradient of luma, in 8-bit levels per pixel, are left
            out; 0: none; None: 1.0.
        hr: Whether HR images are stored; None: except in a folder of whole images with one
            variant, which is then what :func:`realdeg.degrade` makes.
        shard: ``(i, n)``: this is job i of n, counted from 0; None: the only one.
        shard_size: Images per shard.
        field: The column of images in Parquet, or the end of names in tar (``"hr.png"``).
        key: The column of names in Parquet.
        scale: The scale factor; None: the degradation's.
        same_size: Whether LR lies on the HR grid; None: as the degradation states.
        options: Dotted keys that override the config or type.
        colour: ``"rgb"`` degrades R, G and B, ``"y"`` only luma.
        seed: The random seed.
        remainder: ``"crop"`` or ``"refuse"`` sizes that are not divisible by the scale.
        device: Where to compute; None: where the degradation is, or the CPU if it is built here
            (on Ray the CPU).
        jobs: Worker processes, one thread each, each with one shard at a time; None: the number
            of cores, of this machine or of the cluster.
        engine: ``"local"``: processes of this machine. ``"ray"``: actors of a Ray cluster, whose
            machines find inputs and ``dst`` in a common folder.
        address: Of the Ray cluster, such as ``"auto"``; None: as Ray decides.
        reading: How several pages and colour profiles are handled.
        saving: Names and format of LR images, in a folder of whole images alone.
        overwrite: Start again and replace existing files; not with several jobs.
        progress: Show a progress bar on stderr.

    Returns:
        The outcome of this job; check ``failed``.

    Raises:
        ConfigError: If settings are out of range or contradict each other, the degradation is
            unknown or untrained, ``dst`` was started with other settings or inputs, a package is
            missing, or the cluster cannot be used.
        CheckpointError: If weights cannot be read.
        DataError: If there is no image, a packed file is damaged, or names clash.
        GeometryError: If scale or grid differ from those of the weights.
        LostProcessError: If the cluster loses the process of a shard again and again.
        OutputError: If ``dst`` cannot be written, or another process does the same job there.

    Example:
        >>> import realdeg
        >>> realdeg.degrade_dataset("BSRGAN", "hr", "pairs", to="tar", crop=512)  # doctest: +SKIP
    """
    target = local_folder(dst)
    number, count = check_shard(shard)
    if overwrite and count > 1:
        raise ConfigError(
            "several jobs cannot start again, because each would remove what the others made:"
            " remove the folder, or choose another one."
        )
    check_engine(engine, address)
    if jobs is not None:
        check_jobs(jobs)
    grid = _grid(crop, stride, flat)
    to = to or _format_by_name(target)
    hr = (to != "folder" or variants != 1 or grid is not None) if hr is None else hr
    built = create_degradation(degradation, scale, same_size, trained=True, options=options)
    # On a cluster it is moved where it computes; this machine may have no GPU.
    here, there = (device, None) if engine == "local" else ("cpu", _type_of(device))
    degrader = Degrader(built, device=here, colour=colour)
    reading, saving = reading or Reading(), saving or Saving()
    work = ImageWork(degrader, int(seed), remainder, variants, grid, hr, reading, saving)
    check_apart(src, target)
    source = open_source(src, field=field, key=key)
    plan = _plan(source, to, hr, shard_size, variants, grid)
    saving.check_quality(saving.format)
    if not plan.plain and saving != Saving():
        raise ConfigError(
            "names and formats of LR images can be chosen in a folder of whole images without HR"
            " alone: leave out suffix, format and quality."
        )
    sink = build_sink(to, hr=hr, outputs=_outputs(source, saving) if plan.plain else None)
    if not plan.plain:
        keys_of(source.entries)
    header = {
        **degrader.settings(),
        "device": there or degrader.device.type,
        "seed": int(seed),
        "remainder": remainder,
        **reading.settings(),
        **saving.settings(),
        "versions": versions_of(sink),
        "threads": 1,
    }
    ensure_writable_dir(target)
    with exclusive(target, "degrade run", name=f".realdeg-{number}-of-{count}.lock") as alone:
        if count == 1:
            remove_left_overs(target, below=True)
        if overwrite:
            start_again(target)
        refuse_foreign(target)
        settings = agree(target, header, plan)
        maker = ShardMaker(target, plan, settings, source, work, sink, overwrite)
        mine = [str(one) for one in range(number, plan.shards, count)]
        outcomes = run_shards(
            maker,
            mine,
            engine,
            jobs=jobs,
            device=header["device"],
            address=address,
            progress=progress,
        )
        missing = missing_shards(target, plan)
        # Other jobs may be writing until the last shard is done.
        if alone and not missing:
            remove_left_overs(target, below=True)
        return _summary(target, plan, source, outcomes, len(missing))


def merge_dataset(dst: str | os.PathLike[str]) -> DatasetSummary:
    """Write the records of all shards of a data set into ``manifest.jsonl``.

    The last job does it by itself. The result depends on the shards alone.

    Args:
        dst: The folder of the data set.

    Returns:
        The number of samples and the manifest.

    Raises:
        DataError: If shards are missing or damaged.
        OutputError: If the manifest cannot be written.
    """
    target = local_folder(dst)
    header, plan, settings = read_plan(target)
    first = manifest_header(header, plan)
    samples, _ = merge_records(target, first, plan, settings, MANIFEST_NAME)
    return DatasetSummary(target, plan.shards, 0, samples=samples, manifest=target / MANIFEST_NAME)


def manifest_header(header: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """Return the first line of a data set's manifest."""
    cut = {} if plan.plain else {"dataset": asdict(plan)}
    return {"record": "header", "format": MANIFEST_FORMAT, **header, **cut}


def _grid(crop: int | None, stride: int | None, flat: float | None) -> CropGrid | None:
    if crop is not None:
        return CropGrid(crop, crop if stride is None else stride, FLAT if flat is None else flat)
    for name, value in (("stride", stride), ("flat", flat)):
        if value is not None:
            raise ConfigError(
                f"{as_given(**{name: value})} is for patches: add {as_given(crop=512)}."
            )
    return None


def _type_of(device: str | torch.device | None) -> str:
    """Return the type of a device of a cluster."""
    kind = "cpu" if device is None else str(device)
    if kind not in ("cpu", "cuda"):
        raise ConfigError(f"on Ray, the device is 'cpu' or 'cuda', got {kind!r:.40}.")
    return kind


def _format_by_name(target: Path) -> DatasetFormat:
    ending = target.suffix.lower().lstrip(".")
    return ending if ending in DATASET_FORMATS else "folder"  # type: ignore[return-value]


def _plan(
    source: Source, to: str, hr: bool, size: int, variants: int, grid: CropGrid | None
) -> Plan:
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise ConfigError(f"{as_given(shard_size=size)}: give a number of images from 1.")
    if not source.entries:
        name, reason = next(iter(source.refused.items()))
        raise DataError(f"no image can be read; {name}: {reason}")
    names = hash_names(entry.name for entry in source.entries)
    crop = None if grid is None else asdict(grid)
    plan = Plan(to, hr, len(source.entries), names, size, variants, crop)
    if plan.shards > MOST_SHARDS:
        least = -(-plan.images // MOST_SHARDS)
        raise ConfigError(
            f"{plan.images} images make {plan.shards} shards, at most {MOST_SHARDS} are made: take"
            f" {as_given(shard_size=least)} or more."
        )
    return plan


def _outputs(source: Source, saving: Saving) -> dict[str, str]:
    names = [entry.name for entry in source.entries]
    outputs = saving.plan(names, {})
    for name in names:
        if name not in outputs:
            raise DataError(f"the output of {name} would have the name of another: rename it.")
    return outputs


def _summary(
    target: Path, plan: Plan, source: Source, outcomes: Iterable[ShardOutcome], missing: int
) -> DatasetSummary:
    manifest = None if missing else merge_dataset(target).manifest
    refused = [Failure(name, reason) for name, reason in source.refused.items()]
    failed = [failure for one in outcomes for failure in one.failed]
    return DatasetSummary(
        target,
        plan.shards,
        missing,
        tuple(sorted(name for one in outcomes for name in one.made)),
        tuple(sorted(name for one in outcomes for name in one.kept)),
        sum(one.samples for one in outcomes),
        sum(one.dropped for one in outcomes),
        tuple(source.ignored),
        tuple(sorted([*refused, *failed], key=lambda one: one.name)),
        manifest,
    )
