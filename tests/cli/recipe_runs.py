"""Running a shipped recipe in seconds: tiny data in every layout, and tiny networks."""

import inspect
from pathlib import Path

import numpy as np
import torch

from realdeg import create_degradation
from realdeg.backbones import BlindBackbone
from realdeg.config import list_configs, load_config
from realdeg.config.check import degradations_in
from realdeg.config.fill import inject
from realdeg.registry import BACKBONES, TASKS
from realdeg.utils.image import write_image

# As large as the largest crop that a recipe cuts, and as the windows of metrics need.
TRAIN, TEST, SCALES = 528, 144, (2, 3, 4)
FOLDERS = (
    "DIV2K/DIV2K_train_HR",
    "Flickr2K/Flickr2K_HR",
    "Raw500",
    "T91",
    "BSDS200",
    "BSDS300",
    "BSD400",
    "WaterlooExploration",
    "ImageNet50K",
    "ImageNet/train",
    "OST",
    "FFHQ2000",
    "Manga109",
    "SCUT-CTW1500_100",
    "HIGH",
    "LOW/wider_lnew",
    "DIV2K/DIV2K_train_LR_wild",
    "NTIRE2020/track1/train_source",
    "NTIRE2020/track2/train_source",
)
# What the example of a network says of its size is taken, not what it says of its kind.
KIND = {"scale", "colour", "bias", "multi_scale", "sampling", "use_bn", "drop_path", "conv_scale"}
DEGRADATIONS = {
    "DML": dict(width=4, levels=1, num_kernels=2, kernel_size=5),
    "ScaleDML": dict(width=4, levels=1, num_kernels=2, kernel_size=5),
    "DirectNet": dict(width=4, levels=1),
    "DirectKPN": dict(width=4, levels=1, kernel_size=5),
    "GlobalKernel": dict(kernel_size=5),
    "DSGAN": dict(width=4, num_blocks=1),
    "HighToLow": dict(width=4),
    "FlowKernel": dict(hidden=4, blocks=1),
    "DegFlow": dict(
        width=4, flow_width=4, flow_multipliers=(1, 2), flow_blocks=1, solver="rk4", steps=1
    ),
    "PDM": dict(kernel_width=4, kernel_blocks=1, noise_width=4, noise_blocks=1),
    "KernelGenerator": dict(width=8),
    "LearnedNoise": dict(radius=1, knots=2),
    "CinCGANDegradation": dict(width=4, num_blocks=1),
}


def picture(path: Path, side: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Blocks of 5 pixels: every phase of a grid of 2, 3 or 4 sees other ones.
    rough = rng.integers(0, 256, (side // 5 + 1, side // 5 + 1, 3), dtype=np.uint8)
    write_image(path, rough.repeat(5, 0).repeat(5, 1)[:side, :side])


def pair(hr: Path, lr: Path, side: int, scale: int, seed: int) -> None:
    picture(hr, side, seed)
    rng = np.random.default_rng(seed + 500)
    write_image(lr, rng.integers(0, 256, (side // scale, side // scale, 3), dtype=np.uint8))


def make_data(root: Path) -> None:
    """Write two pictures into every folder that a recipe looks into."""
    for number, folder in enumerate(FOLDERS):
        for index in range(2):
            picture(root / folder / f"{index:04d}.png", TRAIN, 10 * number + index)
    for part, side in (("train", TRAIN), ("valid", TEST)):
        for index in range(2):
            name = f"{index:04d}"
            lr = root / f"DIV2K/DIV2K_{part}_LR_mild/{name}x4m.png"
            pair(root / f"DIV2K/DIV2K_{part}_HR/{name}.png", lr, side, 4, index)
    for index in range(2):  # a later half of the photos than that of HR
        picture(root / f"DIV2K/DIV2K_train_LR_unknown/X4/{400 + index:04d}x4.png", TEST, index)
    for side in (32, 128):
        for part in ("train", "test"):
            for index in range(2):
                picture(root / f"CelebA{side}/{part}/{index}.png", side, index)
    for scale in (*SCALES, 8):
        hr, lr = (root / "Set5" / name / f"x{scale}" for name in ("HR", "LR_bicubic"))
        pair(hr / f"baby_HR_x{scale}.png", lr / f"baby_LRBI_x{scale}.png", 96, scale, scale)
    for name, small in (("RealSR(V2)", 1), ("RealSR(V3)", 0), ("RealSR-V3-crops", 0)):
        for camera in ("Canon", "Nikon"):
            for scale in SCALES:
                for part, side in (("Train", TRAIN), ("Test", TEST)):
                    folder = root / name / camera / part / str(scale)
                    hr, lr = folder / f"{camera}_001_HR.png", folder / f"{camera}_001_LR{scale}.png"
                    pair(hr, lr, side, small or scale, scale)
    for part, side in (("train", TRAIN), ("test", TEST)):
        for scale in SCALES:
            folder = root / "DRealSR" / f"x{scale}" / f"{part.capitalize()}_x{scale}"
            hr, lr = f"{part}_HR/sony_1_x{scale}.png", f"{part}_LR/sony_1_x1.png"
            pair(folder / hr, folder / lr, side, scale, scale)
    for part, side in (("Train", TRAIN), ("Test", TEST)):  # one HR for all scales
        for scale in SCALES:
            folder = root / "RealSR_v2_ordered/Canon" / part / str(scale)
            hr, lr = folder / "Canon_001_HR.png", folder / f"Canon_001_LR{scale}.png"
            pair(hr, lr, side, 1, 1)
    for number, side in ((1, TEST), (2, TRAIN)):  # the first is one of the test images
        folder = root / "City100-iPhoneX"
        pair(folder / f"{number:03d}H.PNG", folder / f"{number:03d}L.PNG", side, 1, number)
    for shot, side in (("5_125_6400_stair", TRAIN), ("5-6_160_6400_wall", TEST)):
        name = root / "PolyU-noise" / f"NikonD800_{shot}_1"
        pair(Path(f"{name}_mean.png"), Path(f"{name}_real.png"), side, 1, side)
    for part, side in (("train", TRAIN), ("test", TEST)):
        folder = root / "NTIRE19-RealSR" / part
        for index in range(2):
            pair(folder / f"HR/cam1_{index}.png", folder / f"LR/cam1_{index}.png", side, 1, index)


def shrinking(name: str) -> dict:
    """Return the options that make a recipe's network and degradation tiny."""
    cfg = load_config(name)
    options = {}
    backbone = cfg.get("backbone") or {}
    if "type" in backbone:
        kind = BACKBONES.get(backbone["type"])
        known = inspect.signature(kind.__init__).parameters
        # The size of the kernels that a network is told, or finds, is the degradation's.
        told = backbone["type"] in ("SFTMD", "SRMD", "USRNet") or issubclass(kind, BlindBackbone)
        kept = KIND | ({"kernel_size"} if told else set())
        for key, value in kind.example().arguments.items():
            if key in known and key not in kept and value != known[key].default:
                options[f"backbone.{key}"] = value
    degradation = cfg.get("degradation") or {}
    if degradation.get("type") in DEGRADATIONS and "checkpoint" not in degradation:
        if cfg.model.type != "SuperResolution":
            for key, value in DEGRADATIONS[degradation["type"]].items():
                options[f"degradation.{key}"] = value
    if cfg.model.get("estimator"):
        options |= {
            "model.estimator.width": 4,
            "model.estimator.basis": 2,
            "model.estimator.size": 17,
        }
    if cfg.model.get("generator_every", 1) > 1:
        options["model.generator_every"] = 1
    for part, judge in cfg.model.items():
        if part.endswith("discriminator") and judge:
            behind = "discriminator" in judge  # behind a filter
            options[f"model.{part}{'.discriminator' if behind else ''}.width"] = 4
    for first in ("degradation_first", "inner_first"):
        if cfg.model.get(first):
            options[f"model.{first}"] = 0  # it is longer than the run
    return options


def make_weights(name: str) -> None:
    """Put untaught weights wherever a recipe takes those of another run from."""
    cfg = load_config(name)
    for _, item in degradations_in(cfg.get("degradation"), "degradation"):
        if "checkpoint" in item and not Path(item["checkpoint"]).exists():
            kinds = {"dsgan": "DSGAN", "kmsr_generator": "KernelGenerator"}
            kind = next((kinds[name] for name in kinds if name in item["checkpoint"]), "DML")
            made = create_degradation(
                dict(type=kind, **DEGRADATIONS[kind]), cfg.scale, cfg.same_size
            )
            made.mark_trained()
            made.save(item["checkpoint"])
    begun = cfg.get("load_from")
    if begun and not Path(begun).exists():
        (other,) = (found for found in list_configs() if found.endswith(Path(begun).parent.name))
        theirs = load_config(other)
        kind = theirs.degradation.type
        made = create_degradation(
            dict(type=kind, **DEGRADATIONS[kind]), theirs.scale, theirs.same_size
        )
        made.mark_trained()
        made.save(begun)
    network = cfg.get("backbone") or {}
    for start in (network.get("start_from"), network.get("enlarger", {}).get("start_from")):
        if not (start and start.get("checkpoint")) or Path(start.checkpoint).exists():
            continue
        run = Path(start.checkpoint).parent.name
        (other,) = (found for found in list_configs() if found.endswith(f"/{run}"))
        theirs = load_config(other, shrinking(other))
        theirs.backbone.pop("start_from", None)
        torch.manual_seed(0)
        Path(start.checkpoint).parent.mkdir(parents=True)
        TASKS.build(inject(theirs).model.to_dict()).export(start.checkpoint, {})


def options_for(name: str, root: Path) -> list[str]:
    """Return the command line's values: one iteration of two patches, without workers."""
    cfg = load_config(name)
    options = {"data_root": str(root), **shrinking(name)}
    for loader in ("train_dataloader", "val_dataloader", "test_dataloader"):
        if cfg.get(loader) is not None:
            options[f"{loader}.num_workers"] = 0
    if "LPIPSLoss" in str(cfg.model.get("perceptual_loss")):
        options["model.perceptual_loss.weight"] = 0  # AlexNet's weights are not shipped
    for number, term in enumerate((cfg.model.get("loss") or {}).get("terms") or ()):
        if term.type in ("ContentLoss", "TextureLoss"):
            options[f"model.loss.terms.{number}.weight"] = 0  # neither are VGG19's
    # What trains on the image itself has no schedule.
    if cfg.get("train_cfg") and cfg.train_cfg.get("type") != "ClosedFormLoop":
        options["train_cfg.max_iters"] = 1
        options["train_dataloader.batch_size"] = 2
    return [f"{key}={value!r}" for key, value in options.items()]
