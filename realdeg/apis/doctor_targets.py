"""What a diagnosis is asked for: a recipe, a run, a data set or folders, as sets of images."""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from realdeg.apis.recipes import open_recipe
from realdeg.apis.registration_file import registered_geometry
from realdeg.config import inject
from realdeg.config.fill import recipe_hint
from realdeg.datasets import (
    City100Dataset,
    HRFolderDataset,
    PairedFolderDataset,
    RealSRDataset,
)
from realdeg.datasets.records import list_images
from realdeg.diagnosis import Finding, ImageSet, image_sets
from realdeg.diagnosis.sets import Role
from realdeg.errors import ConfigError, DataError, RealdegError, as_given
from realdeg.registry import DATASETS
from realdeg.runs import is_run
from realdeg.utils.arguments import arguments_of
from realdeg.utils.data_file import RUN_CONFIG
from realdeg.utils.image import IMAGE_SUFFIXES, image_size

_LOADERS: tuple[tuple[Role, str], ...] = (
    ("train", "train_dataloader"),
    ("val", "val_dataloader"),
    ("test", "test_dataloader"),
)
_ROLES: dict[str, Role] = {
    **{"train": "train", "training": "train"},
    **{"val": "val", "valid": "val", "validation": "val"},
    **{"test": "test", "testing": "test"},
}
# The ends of names that pair the files of one folder: HR, then LR.
_ENDS = (
    ("_HR", "_LR{scale}"),
    ("_HR", "_LR"),
    ("_hr", "_lr"),
    ("HR", "LR"),
    ("_gt", "_lq"),
    ("_gt", "_noise"),
    ("_gt", "_noisy"),
    ("_mean", "_real"),
)
_SCALES = (2, 3, 4, 8)
# Pairs whose sizes are looked at to find the scale, and where LR is on the HR grid the assumed one.
_LOOKED_AT, _ASSUMED = 16, 4

logger = logging.getLogger(__name__)


def sets_of(
    targets: Sequence[str | os.PathLike[str]],
    *,
    role: Role = "train",
    scale: float | None = None,
    same_size: bool | None = None,
    options: Mapping[str, Any] | None = None,
    sample: bool = False,
    data_root: str | os.PathLike[str] | None = None,
) -> tuple[list[ImageSet], list[Finding]]:
    """Find the data sets of a target.

    Args:
        targets: One recipe, run, registered data set or folder; or the folders of HR and LR.
        role: What folders without ``train`` and ``test`` are used for.
        scale: HR pixels per LR pixel; None: the recipe's, or found from the sizes.
        same_size: Whether LR lies on the HR grid; None: likewise.
        options: Dotted keys that override a config.
        sample: Use the built-in images instead of a recipe's data.
        data_root: The folder of all data sets.

    Returns:
        The sets, and findings on those that cannot be listed.

    Raises:
        ConfigError: If a target is nothing of these.
        DataError: If a folder has no images.
    """
    paths = [Path(target).expanduser() for target in targets]
    if len(paths) == 2:
        for path in paths:
            if not path.is_dir():
                raise DataError(
                    f"{path} is not a folder: two targets are the folders of HR and LR."
                )
        if paths[0].resolve() == paths[1].resolve():
            raise DataError(
                f"HR and LR are the same folder, {paths[0]}: name two, or that one alone."
            )
        found = list(_two_folders(paths[0], paths[1], role, scale, same_size))
        return found, []
    if len(paths) != 1:
        raise ConfigError(f"one target or the folders of HR and LR are examined, got {len(paths)}.")
    name, path = os.fspath(targets[0]), paths[0]
    if name in DATASETS:
        return _registered(name, scale, same_size, data_root)
    if not path.exists() and (path.is_absolute() or name.startswith((".", "~"))):
        raise DataError(f"there is no file or folder {path}.")
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        raise DataError(f"{path} is a single image: name its folder.")
    if path.is_dir() and not _is_run(path):
        return list(_folder(path, role, scale, same_size)), []
    fields: dict[str, Any] = {} if scale is None else {"scale": scale}
    if data_root is not None:
        fields["data_root"] = os.fspath(data_root)
    return _of_recipe(name, {**(options or {}), **fields}, sample)


def _is_run(folder: Path) -> bool:
    return (folder / RUN_CONFIG).is_file() or is_run(folder)


def _of_recipe(
    name: str, options: Mapping[str, Any], sample: bool
) -> tuple[list[ImageSet], list[Finding]]:
    given = dict(options)
    fields = {"scale": given.pop("scale")} if "scale" in given else {}
    cfg = inject(open_recipe(name, given, fields, sample=sample))
    sets: list[ImageSet] = []
    findings: list[Finding] = []
    for role, key in _LOADERS:
        loader = cfg.get(key)
        if loader is None:
            continue
        try:
            with recipe_hint(cfg):
                dataset = DATASETS.build(loader["dataset"])
        except RealdegError as error:
            advice = f"see '{key}' of the config"
            message = f"the data set of '{key}' cannot be used: {error}"
            findings.append(Finding("unreadable", "error", key, message.rstrip("."), advice))
            continue
        found = list(image_sets(dataset, role))
        if not found:
            logger.info("'%s' has no files of images: it is not examined.", key)
        sets += found
    if not sets and not findings:
        raise ConfigError(f"'{name}' names no data sets of images: there is nothing to examine.")
    return sets, findings


def _registered(
    name: str,
    scale: float | None,
    same_size: bool | None,
    data_root: str | os.PathLike[str] | None,
) -> tuple[list[ImageSet], list[Finding]]:
    """Build a registered data set, both splits, with its own geometry where none is given."""
    kind: Any = DATASETS.require(name)
    takes = arguments_of(kind).names
    given: dict[str, Any] = {}
    if scale is not None:
        given["scale"] = scale
    if same_size is not None:
        given["same_size"] = same_size
    if data_root is not None:
        given["data_root"] = os.fspath(data_root)
    if "split" not in takes or getattr(kind, "split_is_a_name", False):
        raise ConfigError(
            f"{name} needs arguments of its own: give its folders, or a config that names it."
        )
    sets: list[ImageSet] = []
    for role in ("train", "test"):
        sets += image_sets(DATASETS.build(dict(type=name, split=role, **given)), role)
    return sets, []


def _folder(
    folder: Path, role: Role, scale: float | None, same_size: bool | None
) -> Iterator[ImageSet]:
    """Find the layout of a folder: what the data sets know, pairs by name, or HR alone."""
    below = {entry.name: entry for entry in sorted(folder.iterdir()) if entry.is_dir()}
    low = {name.lower(): entry for name, entry in below.items()}
    roles = {name: role for name, role in _ROLES.items() if name in low}
    cameras = [name for name, entry in below.items() if _is_camera(entry)]
    if cameras:
        yield from _realsr(folder, cameras, scale)
        return
    if roles:
        for name, own in roles.items():
            yield from _folder(low[name], own, scale, same_size)
        return
    sides = [low.get("hr"), next((low[name] for name in sorted(low) if name[:2] == "lr"), None)]
    if sides[0] is not None and sides[1] is not None:
        stated = registered_geometry(folder)
        geometry = (scale or stated[0], stated[1] if same_size is None else same_size)
        yield from _two_folders(sides[0], sides[1], role, *geometry)
        return
    if sides[0] is not None:
        folder = sides[0]
    files = list_images(folder)
    if not files and not any(low):
        raise DataError(f"{folder} holds no images: name a folder of photos, or HR and LR folders.")
    if sum(bool(re.fullmatch(r"\d+[HL]", name, re.IGNORECASE)) for name in files) > 1:
        splits: tuple[Literal["train", "test"], ...] = ("train", "test")
        for own in splits:
            found = list(image_sets(City100Dataset(folder=folder.absolute(), split=own), own))
            yield from (replace(one, assumed="scale 4 is nominal") for one in found if one.records)
        return
    for hr_end, lr_end in _ENDS:
        for step in _SCALES if "{scale}" in lr_end else (_ASSUMED,):
            ends = (hr_end, lr_end.replace("{scale}", str(step)))
            if any(_strip(name, ends[0]) + ends[1] in files for name in files):
                patterns = [f"{{name}}{end}" for end in ends]
                yield from _pairs(folder, folder, role, scale, same_size, patterns)
                return
    dataset = HRFolderDataset(folder.absolute(), recursive=not files, split=role, scale=scale or 1)
    yield from (replace(one, label=_label(folder, role)) for one in image_sets(dataset, role))


def _strip(name: str, end: str) -> str:
    return name[: -len(end)] if name.endswith(end) else "\0"


def _is_camera(folder: Path) -> bool:
    """Return whether a folder is a camera's of RealSR: Train or Test, then a scale."""
    parts = [folder / name for name in ("Train", "Test", "train", "test")]
    return any(
        entry.is_dir() and entry.name in ("2", "3", "4")
        for part in parts
        if part.is_dir()
        for entry in part.iterdir()
    )


def _realsr(folder: Path, cameras: Sequence[str], scale: float | None) -> Iterator[ImageSet]:
    """Find which release of RealSR a folder has, and in which scales."""
    found = {
        int(entry.name)
        for camera in cameras
        for part in (folder / camera).iterdir()
        if part.is_dir()
        for entry in part.iterdir()
        if entry.is_dir() and entry.name in ("2", "3", "4")
    }
    for step in sorted(found if scale is None else {int(scale)} & found):
        for own in ("train", "test"):
            holding = [name for name in cameras if _part(folder / name, own, step)]
            if not holding:
                continue
            for version, grid in ((2, True), (3, False)):
                dataset = RealSRDataset(
                    version=version,  # type: ignore[arg-type]
                    split=own,
                    cameras=holding,
                    folder=folder.absolute(),
                    scale=step,
                    same_size=grid,
                )
                sets = list(image_sets(dataset, own))
                if not grid or _geometry(sets[0])[1]:
                    yield from sets
                    break


def _part(camera: Path, split: str, step: int) -> bool:
    return any((camera / name / str(step)).is_dir() for name in (split, split.capitalize()))


def _two_folders(
    hr: Path, lr: Path, role: Role, scale: float | None, same_size: bool | None
) -> Iterator[ImageSet]:
    """Pair two folders, by whole names, by names that state the scale, or by known ends."""
    steps = [entry.name for entry in sorted(hr.iterdir()) if re.fullmatch(r"[xX]\d", entry.name)]
    common = [name for name in steps if (lr / name).is_dir()]
    if common and not list_images(hr):
        for name in common:
            if scale is None or int(name[1:]) == scale:
                yield from _two_folders(hr / name, lr / name, role, int(name[1:]), same_size)
        return
    names = [list_images(hr), list_images(lr)]
    candidates = [("{name}", "{name}"), *(("{name}", f"{{name}}x{step}") for step in _SCALES)]
    for ends in _ENDS:
        for step in _SCALES if "{scale}" in ends[1] else (1,):
            candidates.append(
                (f"{{name}}{ends[0]}", f"{{name}}{ends[1]}".replace("{scale}", f"{step}"))
            )
    # Set5 and others of RCAN: NAME_HR_x4 and NAME_LRBI_x4.
    candidates += [(f"{{name}}_HR_x{step}", f"{{name}}_LRBI_x{step}") for step in _SCALES]
    best = max(candidates, key=lambda pair: _matching(names, pair))
    yield from _pairs(hr, lr, role, scale, same_size, list(best))


def _matching(names: Sequence[Mapping[str, Path]], patterns: tuple[str, str]) -> int:
    keys = []
    for side, pattern in zip(names, patterns, strict=True):
        end = pattern.removeprefix("{name}")
        keys.append({name[: len(name) - len(end)] for name in side if name.endswith(end)})
    return len(keys[0] & keys[1])


def _pairs(
    hr: Path,
    lr: Path,
    role: Role,
    scale: float | None,
    same_size: bool | None,
    patterns: Sequence[str],
) -> Iterator[ImageSet]:
    dataset = PairedFolderDataset(
        hr.absolute(), lr.absolute(), patterns[0], patterns[1], split=role, scale=scale or 1
    )
    for one in image_sets(dataset, role):
        found_scale, found_grid = _geometry(one)
        grid = found_grid if same_size is None else same_size
        noise = patterns[1].endswith(("_real", "_noise", "_noisy"))
        step = scale or (found_scale if not grid else 1 if noise else _ASSUMED)
        assumed = ""
        if grid and scale is None and not noise:
            assumed = f"scale {step:g} assumed, {as_given(scale=2)} states another"
        label = _label(hr.parent if hr.name.lower() == "hr" else hr, role)
        yield replace(one, label=label, scale=float(step), same_size=grid, assumed=assumed)


def _label(folder: Path, role: Role) -> str:
    """Return the last names of a folder, with the role unless they say it."""
    name = "/".join(folder.parts[-2:]).lstrip("/") or folder.absolute().name
    return name if folder.name.lower() in _ROLES else f"{name} ({role})"


def _geometry(one: ImageSet) -> tuple[float, bool]:
    """Find scale and grid from the sizes of some pairs: what most of them have."""
    found: Counter[tuple[float, bool]] = Counter()
    for record in one.records[:_LOOKED_AT]:
        if record.lr is None:
            continue
        try:
            hr, lr = image_size(record.hr), image_size(record.lr)
        except DataError:
            continue  # named by a check
        ratio = max(hr) / max(lr)
        # LR larger than HR is the finding of a check.
        found[(float(round(ratio)), False) if ratio > 1.2 else (1.0, hr == lr)] += 1
    return found.most_common(1)[0][0] if found else (1.0, False)
