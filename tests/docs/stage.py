"""A folder in which the commands of the documentation find what they speak of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from scipy.io import savemat

from realdeg import create_degradation
from realdeg.backbones import FSRCNN, IPT, RCAN, VDSR, LapSRN, SRVGGNetCompact
from realdeg.degradations.kernel_pool import gaussian_pool
from realdeg.degradations.noise_pool import gaussian_noise_pool
from realdeg.utils.component import save_component
from realdeg.utils.image import read_image, write_image
from tests.backbones.test_lapsrn import matconvnet
from tests.diagnosis import planted

ROOT = Path(__file__).resolve().parents[2]
PHOTOS = ROOT / "realdeg/datasets/sample_images/train"


def picture(path: Path, height: int, width: int, seed: int = 0) -> None:
    """Write a picture with something to see in it."""
    drawn = np.random.default_rng(seed)
    coarse = drawn.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, coarse.repeat(8, 0).repeat(8, 1)[:height, :width])


def pairs(hr: Path, lr: Path, count: int, side: int, scale: int = 1, end: str = "") -> None:
    """Write pairs under equal names; ``scale`` is how much smaller LR is."""
    for number in range(count):
        picture(hr / f"{number:03d}.png", side, side, number)
        picture(lr / f"{number:03d}{end}.png", side // scale, side // scale, number)


def camera(path: Path, scale: int = 4, same_size: bool = True) -> None:
    """Write the weights of a tiny learned degradation."""
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = {"type": "DML", "num_kernels": 2, "width": 4, "levels": 1}
    made = create_degradation(settings, scale, same_size)
    made.mark_trained()
    made.save(path, {})


def set_up(folder: Path) -> None:
    """Fill a page's folder with the pictures that the pages name.

    The photos have sizes that no scale divides, as photos of people have.
    """
    for name in ("photo.png", "small.png", "lr.png", "butterfly.png", "photo.jpg"):
        picture(folder / name, 61, 90)
    for name in ("photos", "folder_in", "hr"):
        for number in range(2):
            picture(folder / name / f"{'ab'[number]}.png", 131 + number, 147, number)
    for name in ("pairs", "pairs/train"):
        pairs(folder / name / "hr", folder / name / "lr", 3, 128)
    pairs(folder / "pairs_v3/hr", folder / "pairs_v3/lr", 3, 128, scale=4)
    pairs(folder / "pairs_v3/test_hr", folder / "pairs_v3/test_lr", 2, 128, scale=4)
    pairs(folder / "pairs/test_hr", folder / "pairs/test_lr", 2, 128)
    pairs(folder / "pairs/test/hr", folder / "pairs/test/lr", 2, 128)


def network(path: Path, made: Any) -> None:
    """Write the file of a trained network."""
    path.parent.mkdir(parents=True, exist_ok=True)
    said = {"kind": "backbone", "type": type(made).__name__, "arguments": made.arguments}
    save_component(path, made, **said)


def alignment(folder: Path) -> None:
    """Pairs that lie on each other, and the same turned, enlarged and moved."""
    for name, angle, size, shift in (("aligned", 0.0, 1.0, 0.0), ("off", 0.3, 1.01, 1.8)):
        for number in range(4):
            seed = np.random.default_rng(number)
            rough = seed.integers(0, 256, (96, 96, 3), dtype=np.uint8)
            hr = cv2.resize(rough, (384, 384), interpolation=cv2.INTER_CUBIC)
            turned = cv2.getRotationMatrix2D((191.5, 191.5), angle, size)
            turned[0, 2] += shift
            lr = cv2.warpAffine(hr, turned, (384, 384), flags=cv2.INTER_CUBIC)
            for side, image in (("hr", hr), ("lr", cv2.GaussianBlur(lr, (0, 0), 1.0))):
                (folder / name / side).mkdir(parents=True, exist_ok=True)
                write_image(folder / name / side / f"Nikon_{number:03d}.png", image[32:-32, 32:-32])
        (folder / f"{name}.py").write_text(
            '_base_ = "realdeg::dml/dml_n8_realsr_x4_cpu.py"\n'
            "train_dataloader = dict(dataset=dict(\n"
            f"    type='PairedFolderDataset', hr_dir='{name}/hr', lr_dir='{name}/lr',\n"
            "    transforms=[dict(type='PairedCrop', patch_size=48), dict(type='PackSample')]))\n"
            "val_dataloader = dict(dataset=dict(\n"
            f"    type='PairedFolderDataset', hr_dir='{name}/hr', lr_dir='{name}/lr'))\n"
        )


def api(folder: Path) -> None:
    network(folder / "work_dirs/vdsr_realsr_x4/backbone.safetensors", VDSR(depth=3, width=4))


def backbones(folder: Path) -> None:
    made = RCAN(scale=4, num_features=8, num_groups=1, num_blocks=1, reduction=4)
    network(folder / "work_dirs/x/backbone.safetensors", made)
    torch.save(RCAN(scale=4).state_dict(), folder / "RCAN_BIX4.pt")
    torch.save(RCAN(scale=2).state_dict(), folder / "RCAN_BIX2.pt")


def community(folder: Path) -> None:
    torch.save(VDSR(depth=4, width=4).state_dict(), folder / "vdsr.pth")


def configs(folder: Path) -> None:
    (folder / "my_package").mkdir()
    (folder / "my_package/__init__.py").write_text("")
    (folder / "my_package/my_degradation.py").write_text(
        "from realdeg.degradations import Bicubic\n"
        "from realdeg.registry import DEGRADATIONS\n\n\n"
        "@DEGRADATIONS.register_module()\n"
        "class MyDegradation(Bicubic):\n"
        "    pass\n"
    )


def doctor(folder: Path) -> None:
    """Pairs with five faults."""
    mine = planted.clean(folder / "mine")
    for plant in (
        planted.edit("LR", planted.moved(down=1.3), "chelsea.png"),
        planted.edit("LR", planted.scaled(1.08, 1, 0.92), "grass.png"),
        planted.edit("HR", planted.enlarged(2), "hubble.png"),
        planted.edit("HR", planted.compressed(60), "rocket.png"),
        planted.edit("HR", planted.filled(255), "leaves.png"),
    ):
        plant(mine)


def export(folder: Path) -> None:
    made = SRVGGNetCompact(scale=4, num_features=8, num_convs=2)
    network(folder / "backbone.safetensors", made)
    network(folder / "ipt.safetensors", IPT.example())


def large_photos(folder: Path) -> None:
    made = SRVGGNetCompact(scale=4, num_features=8, num_convs=2)
    network(folder / "work_dirs/my_network/backbone.safetensors", made)


def metrics(folder: Path) -> None:
    camera(folder / "work_dirs/dml/degradation.safetensors", same_size=False)


def test_time(folder: Path) -> None:
    made = SRVGGNetCompact(scale=4, num_features=8, num_convs=2)
    for place in (".", "work_dirs/my_network", "work_dirs/l1"):
        network(folder / place / "backbone.safetensors", made)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.001)
    network(folder / "work_dirs/gan/backbone.safetensors", made)
    camera(folder / "work_dirs/dml/degradation.safetensors", same_size=False)


def pools(folder: Path) -> None:
    kernels = gaussian_pool(4, True, 4)
    kernels.save(folder / "kernels.safetensors")
    for name in ("canon", "nikon"):
        kernels.save(folder / f"{name}.safetensors")
    gaussian_noise_pool(4, 32).save(folder / "noise.safetensors")
    reduction = create_degradation({"type": "BlurDown", "kind": "BD"}, 4, False)
    for number, photo in enumerate(sorted(PHOTOS.glob("*.png"))[:2]):
        hr = read_image(photo)[:256, :256, :3]
        tensor = torch.from_numpy(np.ascontiguousarray(hr)).permute(2, 0, 1)[None] / 255
        lr = reduction.replay(tensor, reduction.sample(tensor, seeds=[1]))[0].permute(1, 2, 0)
        place = folder / "RealSR-V3-crops"
        place.mkdir(exist_ok=True)
        write_image(place / f"Canon_{number}_HR.png", hr)
        write_image(place / f"Canon_{number}_LR4.png", (lr.clamp(0, 1) * 255).byte().numpy())
    for name in ("LR", "NTIRE19"):
        (folder / name).mkdir()
        for number in range(2):
            seed = np.random.default_rng(number)
            flat = seed.normal(120, 2, (192, 192, 3)).round().clip(0, 255).astype(np.uint8)
            write_image(folder / name / f"{number}.png", flat)


def protocols(folder: Path) -> None:
    mat(folder / "LapSRN_x2.mat", LapSRN(scale=2))


def sample(folder: Path) -> None:
    camera(folder / "work_dirs/dml_n8_realsr_x4_cpu/degradation.safetensors")


def weights(folder: Path) -> None:
    """Files like those of others, with untaught weights."""
    mat(folder / "LapSRN_x4.mat", LapSRN(scale=4))
    state = VDSR(bias=False).state_dict()
    torch.save({"epoch": 50, "model": state}, folder / "model_epoch_50.pth")
    torch.save({name: value for name, value in list(state.items())[:3]}, folder / "other.pth")
    torch.save(FSRCNN(scale=3).state_dict(), folder / "fsrcnn_x3.pth")


def mat(path: Path, made: LapSRN) -> None:
    """Write a network as MatConvNet's graph, with the authors' names."""
    tensors = {name: value.numpy() for name, value in matconvnet(made).items()}
    parameters = np.zeros((1, len(tensors)), dtype=[("name", object), ("value", object)])
    for index, pair in enumerate(tensors.items()):
        parameters[0, index] = pair
    savemat(path, {"net": {"params": parameters}})


def own_dataset(folder: Path) -> None:
    for part in ("train", "test"):
        place = folder / "data/mine" / part
        pairs(place / "hr", place / "lr", 2, 224, scale=4, end="x4")
    pairs(folder / "data/mine/hr", folder / "data/unused", 2, 224)
    for number in range(2):
        picture(folder / f"data/scenes/scene_{number}/sharp.png", 224, 224, number)
        picture(folder / f"data/scenes/scene_{number}/photo.png", 56, 56, number)


def unpaired(folder: Path) -> None:
    for name in ("clean", "photos"):
        pairs(folder / "mine" / name, folder / "mine/unused", 2, 64)


def projects(folder: Path) -> None:
    (folder / "projects").symlink_to(ROOT / "projects")


def exercise(folder: Path) -> None:
    projects(folder)
    made = RCAN(scale=2, num_features=24, num_groups=2, num_blocks=2)
    network(folder / "work_dirs/rcan_x2/backbone.safetensors", made)


PREPARE: dict[str, Callable[[Path], dict[str, Any] | None]] = {
    "docs/alignment.md": alignment,
    "docs/api.md": api,
    "docs/backbones.md": backbones,
    "docs/community.md": community,
    "docs/configs.md": configs,
    "docs/doctor.md": doctor,
    "docs/export.md": export,
    "docs/large_photos.md": large_photos,
    "docs/test_time.md": test_time,
    "docs/metrics.md": metrics,
    "docs/pools.md": pools,
    "docs/protocols.md": protocols,
    "docs/sample.md": sample,
    "docs/unpaired.md": unpaired,
    "docs/weights.md": weights,
    "docs/your_own_dataset.md": own_dataset,
    "projects/a2001sr/README.md": exercise,
    "projects/a2001sr/exercise_2.md": projects,
    "projects/motion_camera/README.md": projects,
    "projects/template/README.md": projects,
}


def prepare(page: str, folder: Path) -> dict[str, Any]:
    """Add what one page alone speaks of.

    Args:
        page: The page, from the repository's root.
        folder: The current folder.

    Returns:
        Names that its Python finds without importing them.
    """
    made = PREPARE[page](folder) if page in PREPARE else None
    return made or {}
