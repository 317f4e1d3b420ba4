"""``realdeg preview``: what a degradation does to an image, sampled and in words."""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from realdeg.cli.options import add_cfg_options, add_same_size, check_crop
from realdeg.errors import ConfigError

if TYPE_CHECKING:
    from realdeg.apis.preview import PreviewSample

# Characters of a line beside a picture.
_WRAP = 92


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "config",
        nargs="?",
        help="a config or its name, whose degradation is taken, a registered type (BSRGAN), or"
        " learned weights (.safetensors)",
    )
    parser.add_argument("image", nargs="?", help="an HR image, or sample/coffee for a built-in one")
    parser.add_argument("-n", type=int, default=4, metavar="N", help="how many samples (4)")
    parser.add_argument("--out", help="the picture to write (preview.png)")
    parser.add_argument("--scale", type=int, help="how much resolution is lost: 2, 3, 4, ...")
    add_same_size(parser)
    parser.add_argument(
        "--colour", choices=("rgb", "y"), default="rgb", help="degrade RGB, or luma alone (rgb)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (0)")
    parser.add_argument(
        "--size",
        type=int,
        default=256,
        metavar="PIXELS",
        help="of a larger image, the part of this side with most detail; 0: all of it (256)",
    )
    parser.add_argument("--crop", type=int, metavar="PIXELS", help="side of the enlarged detail")
    parser.add_argument(
        "--trace", metavar="FILE", help="replay the traces of a file instead of drawing new ones"
    )
    parser.add_argument(
        "--index", type=int, metavar="I", help="of these traces only the one of this number, from 0"
    )
    parser.add_argument("--save-traces", metavar="FILE", help="write the traces, to be replayed")
    parser.add_argument("--save-images", metavar="FOLDER", help="write the LR images as PNG files")
    add_cfg_options(parser, "override values of the config, e.g. degradation.sigma=5")
    parser.add_argument(
        "--gallery",
        action="store_true",
        help="write gallery.md and its pictures of every degradation into the folder --out (docs)",
    )
    parser.add_argument(
        "--also",
        nargs="+",
        default=[],
        metavar="NAME=WEIGHTS",
        help="learned degradations to be shown in the gallery",
    )


def run(args: argparse.Namespace) -> int:
    """Draw the sheet, or the gallery.

    Args:
        args: The parsed arguments.

    Returns:
        0.
    """
    if args.gallery:
        return _gallery(args)
    if args.config is None or args.image is None:
        raise ConfigError("preview needs a degradation and an image: preview CONFIG IMAGE.")
    if args.also:
        raise ConfigError("--also adds to the gallery: give --gallery, too.")
    from realdeg.apis.degrader import Degrader
    from realdeg.apis.preview import (
        as_8_bit,
        choose_crop,
        cut,
        open_image,
        read_traces,
        replay_previews,
        sample_previews,
        write_traces,
    )
    from realdeg.apis.resolve import load_degradation
    from realdeg.utils.files import ensure_writable_dir
    from realdeg.visualization.degradations import degradation_preview
    from realdeg.visualization.style import figure_path

    # Before the work, not after it.
    out = figure_path(args.out or "preview.png")
    ensure_writable_dir(out.parent)
    if args.save_traces:
        ensure_writable_dir(Path(args.save_traces).parent)
    if args.save_images:
        ensure_writable_dir(args.save_images)
    check_crop(args.crop)
    degradation = load_degradation(
        args.config, scale=args.scale, same_size=args.same_size, options=args.cfg_options
    )
    degrader = Degrader(degradation, device="cpu", colour=args.colour)
    name, image = open_image(args.image)
    if args.trace is not None:
        records = read_traces(args.trace)
        if args.index is not None:
            if not 0 <= args.index < len(records):
                raise ConfigError(
                    f"--index {args.index}: {args.trace} holds traces 0 to {len(records) - 1}."
                )
            records = records[args.index : args.index + 1]
        records = records[: max(args.n, 1)]
        samples = replay_previews(degrader, image, records)
        crop = records[0].crop
    else:
        if args.size < 0:
            raise ConfigError(f"--size is 0 or a number of pixels, got {args.size}.")
        crop = choose_crop(image, args.size, degradation.stride)
        samples = sample_previews(degrader, image, name, count=args.n, seed=args.seed, crop=crop)
    hr = as_8_bit(cut(image, crop))
    degradation_preview(
        hr,
        [(as_8_bit(sample.lr), _wrapped(sample)) for sample in samples],
        out,
        words=[f"HR {hr.shape[0]} x {hr.shape[1]} of {name}", degradation.describe()],
        title=type(degradation).__name__,
        crop_size=args.crop,
    )
    for sample in samples:
        print("\n".join(sample.in_words()))
    print(f"wrote {out}")
    if args.save_traces:
        path = write_traces(args.save_traces, [sample.record for sample in samples])
        print(f"wrote {path}")
    if args.save_images:
        _save(samples, Path(args.save_images))
    return 0


def _save(samples: list[PreviewSample], folder: Path) -> None:
    from realdeg.utils.files import ensure_writable_dir
    from realdeg.utils.image import write_image

    ensure_writable_dir(folder)
    for index, sample in enumerate(samples):
        write_image(folder / f"{index}.png", sample.lr)
    print(f"wrote {len(samples)} images to {folder}")


def _wrapped(sample: PreviewSample) -> list[str]:
    lines = []
    for line in sample.in_words():
        indent = " " * (len(line) - len(line.lstrip()))
        lines += textwrap.wrap(line, _WRAP, initial_indent="", subsequent_indent=indent + "    ")
    return lines


def _gallery(args: argparse.Namespace) -> int:
    from realdeg.apis.gallery import make_gallery

    learned = {}
    for word in args.also:
        name, equals, source = word.partition("=")
        if not equals or not name or not source or "/" in name:
            raise ConfigError(f"--also wants NAME=WEIGHTS, got '{word}'.")
        learned[name] = source
    page, absent = make_gallery(
        args.out or "docs", scale=args.scale or 4, seed=args.seed, learned=learned
    )
    for line in absent:
        print(f"not shown: {line}")
    print(f"wrote {page} and its pictures")
    return 0
