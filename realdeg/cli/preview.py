"""``realdeg preview``: what a degradation does to an image, sampled and in words."""

from __future__ import annotations

import argparse

from realdeg.cli.options import add_cfg_options, add_same_size
from realdeg.errors import ConfigError


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
    from realdeg.apis.previewing import preview

    made = preview(
        args.config,
        args.image,
        args.out or "preview.png",
        count=args.n,
        scale=args.scale,
        same_size=args.same_size,
        options=args.cfg_options,
        colour=args.colour,
        seed=args.seed,
        size=args.size,
        crop=args.crop,
        trace=args.trace,
        index=args.index,
        save_traces=args.save_traces or None,
        save_images=args.save_images or None,
    )
    for sample in made.samples:
        print("\n".join(sample.in_words()))
    for path in made.files:
        print(f"wrote {path}")
    if args.save_images:
        print(f"wrote {len(made.samples)} images to {args.save_images}")
    return 0


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
