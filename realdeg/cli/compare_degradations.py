"""``realdeg compare_degradations``: several degradations against real pairs, one table."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realdeg.cli.common import add_config_options, options_of
from realdeg.cli.options import check_crop
from realdeg.errors import ConfigError

if TYPE_CHECKING:
    from realdeg.apis.comparison_result import Comparison


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "config",
        help="a config whose test data are real pairs, e.g. dml/dml_n8_realsrv3crops_x4_cpu",
    )
    parser.add_argument(
        "degradations",
        nargs="+",
        metavar="[NAME=]DEGRADATION",
        help="learned weights (.safetensors), a registered type, a config, or"
        " \"dict(type='AWGN',sigma=5)\"; NAME stands in the table",
    )
    parser.add_argument("--out", default="comparison", help="folder of what is written")
    parser.add_argument("--draws", type=int, default=1, help="times each image is degraded (1)")
    parser.add_argument("--colour", choices=("rgb", "y"), default="rgb", help="what is degraded")
    parser.add_argument("--shown", type=int, default=3, help="images in the picture (3)")
    parser.add_argument("--crop", type=int, help="side of the crops shown, in HR pixels")
    parser.add_argument("--device", default="cpu", help="where to degrade (cpu)")
    add_config_options(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, print the table, write it and the picture.

    Args:
        args: The parsed arguments.

    Returns:
        0.
    """
    from realdeg.apis.resolve import load_degradation
    from realdeg.utils.files import ensure_writable_dir

    folder = ensure_writable_dir(args.out)  # before the work, not after it
    if args.shown < 1:
        raise ConfigError(f"--shown is 1 or more, got {args.shown}.")
    check_crop(args.crop)
    cfg = _data_config(args)
    pairs = _pairs(cfg)
    degradations = {}
    for name, source in _named(args.degradations):
        # Each of its own geometry would be measured against pairs of another one.
        degradations[name] = load_degradation(source, scale=cfg.scale, same_size=cfg.same_size)
    written: list[str] = []

    def keep(comparison: Comparison) -> None:
        comparison.write(folder)
        written[:] = comparison.results

    try:
        comparison = _compare(args, degradations, pairs, int(cfg.seed), keep)
    except BaseException:
        if written:
            print(
                f"{len(written)} of {len(degradations)} degradations are measured"
                f" ({', '.join(written)}): kept in {folder / 'comparison.md'}, marked as"
                " incomplete.",
                file=sys.stderr,
            )
        raise
    print("\n".join(comparison.table()))
    for path in (*comparison.write(folder), *_draw(comparison, folder, args.crop)):
        print(f"wrote {path}")
    return 0


def _compare(
    args: argparse.Namespace,
    degradations: dict[str, Any],
    pairs: Any,
    seed: int,
    keep: Callable[[Comparison], None],
) -> Comparison:
    from realdeg.apis.comparison import compare_degradations
    from realdeg.apis.resolve import find_device

    return compare_degradations(
        degradations,
        pairs,
        seed=seed,
        draws=args.draws,
        colour=args.colour,
        shown=args.shown,
        device=find_device(args.device),
        on_result=keep,
    )


def _data_config(args: argparse.Namespace) -> Any:
    from realdeg.config import inject, load_config

    cfg = load_config(args.config, options_of(args), sample=args.sample)
    if cfg.get("test_dataloader") is None:
        raise ConfigError(f"the config '{args.config}' has no 'test_dataloader': no pairs to test.")
    # Only its test data are wanted: neither a network nor what trains it has to be there.
    for key in ("train_dataloader", "train_cfg", "optim_wrapper", "param_scheduler"):
        cfg[key] = None
    for key in ("val_dataloader", "val_cfg", "val_evaluator", "backbone"):
        cfg[key] = None
    cfg.model = dict(type="DegradationLearning")
    cfg.degradation = dict(type="Bicubic")
    return inject(cfg)


def _pairs(cfg: Any) -> Any:
    from realdeg.cli.common import check_data
    from realdeg.registry import DATASETS

    check_data(cfg, ("test_dataloader",))
    return DATASETS.build(cfg.test_dataloader["dataset"])


def _named(words: list[str]) -> list[tuple[str, Any]]:
    """Split ``NAME=DEGRADATION``; a degradation without a name is called after itself."""
    from realdeg.cli.options import parse_value

    found: dict[str, Any] = {}
    for word in words:
        match = re.fullmatch(r"([^=/\\(]+)=(.+)", word)
        name, text = match.groups() if match else (Path(word).stem, word)
        source: Any = text
        if text.startswith(("dict(", "{")):
            try:
                source = parse_value(text)
            except ValueError as error:
                raise ConfigError(f"the degradation '{word}': {error}.") from error
            if match is None:
                name = str(source.get("type", text))
        if name in found or name in ("HR", "camera"):
            raise ConfigError(
                f"the name '{name}' is taken: give each degradation its own, NAME=DEGRADATION."
            )
        found[name] = source
    return list(found.items())


def _draw(comparison: Comparison, folder: Path, crop: int | None) -> list[Path]:
    from realdeg.visualization.degradations import degradation_comparison

    kernels: dict[str, Any] = {}
    transfer: dict[str, Any] = {}
    noise: dict[str, Any] = {}
    power: dict[str, Any] = {}
    for name, result in comparison.results.items():
        found = result.curves.get("EffectiveKernel")
        if found:
            kernels |= {name: found["generated"], "camera": found["real"]}
        curves = result.curves.get("Bandwidth")
        if curves:
            place = curves["frequency"]
            transfer |= {
                name: (place, curves["generated"]),
                "camera": (place, curves["real"]),
            }
            ratio = 10 * (curves["power_generated"] / curves["power_real"]).clamp_min(1e-9).log10()
            power |= {name: (place, ratio), "camera": (place, 0 * ratio)}
        curves = result.curves.get("NoiseStatistics")
        if curves:
            sides = {name: "generated", "camera": "real"}
            noise |= {
                key: (curves["frequency"], curves[side].sqrt()) for key, side in sides.items()
            }
    axis = "cycles per LR pixel"
    plots = {
        f"contrast left of HR|{axis}|transfer function": transfer,
        f"noise in flat places|{axis}|levels": noise,
        f"power over the camera's|{axis}|dB": power,
    }
    plots = {heading: curves for heading, curves in plots.items() if curves}
    title = "Degradations against a real camera"
    names = list(comparison.results)
    caption = "below each crop: PSNR in dB against the camera's LR, protocol lr-fidelity"
    path = folder / "comparison.png"
    written = [
        degradation_comparison(
            names,
            comparison.shown,
            kernels,
            plots,
            path,
            crop_size=crop,
            title=title,
            caption=caption,
        )
    ]
    if kernels or plots:
        # Without photographs, whose terms may not allow that they are passed on.
        path = folder / "comparison_curves.png"
        caption = comparison.dataset
        written.append(
            degradation_comparison(names, [], kernels, plots, path, title=title, caption=caption)
        )
    return written
