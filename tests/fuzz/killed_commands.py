"""The commands that are killed: what they are given, and what must hold afterwards."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from safetensors import safe_open

from realdeg import create_backbone
from realdeg.engine.checkpoint import find_checkpoints, iteration_of, read_checkpoint
from realdeg.utils.component import read_component, save_component
from realdeg.utils.image import read_image, write_image

_INTERVAL = 8
_ITERATIONS = 320


@dataclass(frozen=True)
class Scenario:
    """One command that is killed and started again.

    Args:
        name: What it is.
        kills: How many of the 240 kills are its own.
        words: The words after ``realdeg``, the same each time.
        prepare: Writes the inputs into an empty folder.
        result: What the end holds: equal after kills and without.
        lost: Checks that all that is there is whole; returns how many iterations were lost.
        interval: Iterations between two checkpoints; 0 where nothing is trained.
    """

    name: str
    kills: int
    words: tuple[str, ...]
    prepare: Callable[[Path], None]
    result: Callable[[Path], Mapping[str, Any]]
    lost: Callable[[Path, str], int]
    interval: int = 0


def _pictures(folder: Path, count: int, side: int) -> None:
    drawn = np.random.default_rng(3)
    folder.mkdir(parents=True)
    for number in range(count):
        coarse = drawn.uniform(40, 215, (side // 16, side // 16, 3)).repeat(16, 0).repeat(16, 1)
        noisy = coarse + drawn.normal(0, 2, (side, side, 3))
        write_image(folder / f"{number}.png", noisy.round().astype(np.uint8))


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


_TRAIN = f"""
default_hooks = dict(
    checkpoint=dict(type="SaveCheckpointHook", interval={_INTERVAL}, keep=2),
    logger=dict(type="ProgressHook", interval=1),
)
train_cfg = dict(max_iters={_ITERATIONS}, val_interval=1000)
train_dataloader = dict(
    batch_size=2, num_workers=0, persistent_workers=False, dataset=dict(_delete_=True, {{train}})
)
val_dataloader = dict(num_workers=0, dataset=dict(_delete_=True, {{val}}))
test_dataloader = val_dataloader
"""
_CROP = "transforms=[dict(type='PairedCrop', patch_size=32), dict(type='PackSample')]"
_WHOLE = "transforms=[dict(type='PackSample')]"
_SUPERVISED = """
_base_ = ["realdeg::srvgg_compact/srvgg_compact_t91_x4_cpu.py"]
backbone = dict(num_features=4, num_convs=1)
""" + _TRAIN.format(
    train=f"type='HRFolderDataset', folder='hr', {_CROP}",
    val=f"type='HRFolderDataset', folder='hr', {_WHOLE}",
)
_PAIRS = "type='PairedFolderDataset', hr_dir='hr', lr_dir='lr'"
_UNPAIRED = """
_base_ = ["realdeg::dsgan/dsgan_realsrv3crops_x4_cpu.py"]
degradation = dict(width=4, num_blocks=1)
model = dict(discriminator=dict(width=2))
""" + _TRAIN.format(
    train=f"type='UnpairedDataset', real='lr', datasets=2 * [dict({_PAIRS}, {_CROP})]",
    val=f"{_PAIRS}, {_WHOLE}",
)
# Everything that has a state: averages, penalties that draw or come every third time, schedules.
_ADVERSARIAL = """
_base_ = ["realdeg::sr_resnet/srgan_t91_x4_cpu.py"]
backbone = dict(_delete_=True, type="SRVGGNetCompact", num_features=4, num_convs=1)
model = dict(
    discriminator=dict(_delete_=True, type="PatchGANDiscriminator", width=2, halvings=1),
    gan_loss=dict(_delete_=True, type="WGANLoss", weight=1e-3),
    penalties=[dict(type="GradientPenalty"), dict(type="R1Penalty", every=3)],
    adversarial_from=20,
    generator_every=2,
)
custom_hooks = [dict(type="ComponentEMAHook", momentum=0.01)]
""" + _TRAIN.format(
    train=f"type='HRFolderDataset', folder='hr', {_CROP}",
    val=f"type='HRFolderDataset', folder='hr', {_WHOLE}",
)


def _prepare_training(config: str) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        _pictures(folder / "hr", 6, 128)
        _pictures(folder / "lr", 6, 32)
        (folder / "run.py").write_text(config)

    return prepare


def _newest(folder: Path) -> int:
    """Read every checkpoint; return the newest one's iteration."""
    files = find_checkpoints(folder / "run") if (folder / "run").is_dir() else []
    for file in files:
        read_checkpoint(file)
    for file in (folder / "run").glob("*.safetensors"):
        read_component(file)
    return iteration_of(files[0]) if files else 0


def _lost_iterations(folder: Path, said: str) -> int:
    seen = [int(found) for found in re.findall(r"iteration (\d+)/", said)]
    return max(0, max(seen, default=0) - _newest(folder))


def _trained(folder: Path) -> dict[str, Any]:
    state = read_checkpoint(folder / "run" / f"iter_{_ITERATIONS}.pth")
    digests = {
        key: hashlib.sha256(repr(_flat(state.get(key))).encode()).hexdigest()
        for key in ("state_dict", "ema_state_dict", "optimizer", "param_schedulers")
    }
    files = (folder / "run").glob("*.safetensors")
    return {**digests, **{file.name: read_component(file).hash for file in files}}


def _flat(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _flat(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_flat(item) for item in value]
    if hasattr(value, "detach"):
        return value.detach().cpu().numpy().tobytes()
    return value


def _prepare_images(folder: Path) -> None:
    _pictures(folder / "photos", 24, 128)
    (folder / "photos" / "sub").mkdir()
    (folder / "photos" / "0.png").rename(folder / "photos" / "sub" / "other.png")
    (folder / "network.safetensors").write_bytes(_network())


@cache
def _network() -> bytes:
    torch.manual_seed(5)
    backbone = create_backbone({"type": "SRCNN", "scale": 2})
    with TemporaryDirectory() as folder:
        file = Path(folder) / "network.safetensors"
        save_component(file, backbone, kind="backbone", type="SRCNN", arguments=backbone.arguments)
        return file.read_bytes()


def _whole_images(place: str) -> Callable[[Path, str], int]:
    def check(folder: Path, said: str) -> int:
        del said
        for file in (folder / place).rglob("[!.]*.png"):
            read_image(file)
        return 0

    return check


def _files(place: str) -> Callable[[Path], dict[str, Any]]:
    def result(folder: Path) -> dict[str, Any]:
        files = (file for file in (folder / place).rglob("[!.]*") if file.is_file())
        return {str(file.relative_to(folder)): _hash(file) for file in files}

    return result


def _tensors(name: str) -> Callable[[Path], dict[str, Any]]:
    """What a .safetensors file holds; the order of its notes is left to chance by the library."""

    def result(folder: Path) -> dict[str, Any]:
        with safe_open(str(folder / name), framework="pt") as opened:
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
            return {"notes": opened.metadata(), **{key: _flat(t) for key, t in tensors.items()}}

    return result


def _whole_component(name: str) -> Callable[[Path, str], int]:
    def check(folder: Path, said: str) -> int:
        del said
        if (folder / name).exists():
            _tensors(name)(folder)
        return 0

    return check


def _train(name: str, kills: int, config: str, workers: int = 0) -> Scenario:
    words = ("train", "run.py", "--work-dir", "run", "--device", "cpu", "--resume")
    options = ("--cfg-options", f"train_dataloader.num_workers={workers}")
    return Scenario(
        name,
        kills,
        (*words, *options),
        _prepare_training(config),
        _trained,
        _lost_iterations,
        _INTERVAL,
    )


_BSRGAN = ("degrade", "BSRGAN", "photos", "out", "--scale", "2", "--seed", "3", "--quiet")
_POOL = (
    "extract_pools",
    "noise",
    "photos",
    "pool.safetensors",
    "--patch",
    "16",
    "--stride",
    "16",
    "--criteria",
    "realsr",
    "--overwrite",
)
_CONVERT = ("convert_weights", "network.safetensors", "out.safetensors", "--backbone", "SRCNN")

SCENARIOS = (
    _train("train, supervised", 40, _SUPERVISED),
    _train("train, supervised, two workers", 20, _SUPERVISED, workers=2),
    _train("train, unpaired", 40, _UNPAIRED),
    _train("train, adversarial", 40, _ADVERSARIAL),
    Scenario("degrade", 30, _BSRGAN, _prepare_images, _files("out"), _whole_images("out")),
    Scenario(
        "infer",
        30,
        ("infer", "network.safetensors", "photos", "out", "--quiet"),
        _prepare_images,
        _files("out"),
        _whole_images("out"),
    ),
    Scenario(
        "extract_pools",
        20,
        _POOL,
        _prepare_images,
        _tensors("pool.safetensors"),
        _whole_component("pool.safetensors"),
    ),
    Scenario(
        "convert_weights",
        10,
        (*_CONVERT, "--scale", "2", "--overwrite"),
        _prepare_images,
        _tensors("out.safetensors"),
        _whole_component("out.safetensors"),
    ),
    Scenario(
        "export",
        10,
        ("export", "network.safetensors", "out.safetensors", "--to", "safetensors", "--overwrite"),
        _prepare_images,
        _tensors("out.safetensors"),
        _whole_component("out.safetensors"),
    ),
)
