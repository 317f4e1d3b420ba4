"""``realdeg preview``: show what a degradation does to an image."""

from __future__ import annotations

import argparse

from realdeg.cli.options import add_cfg_options, add_same_size, chosen
from realdeg.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "config",
        nargs="?",
        help="a config whose degradation is used, a registered type (BSRGAN), or learned weights"
        " (.safetensors)",
    )
    parser.add_argument("image", nargs="?", help="an HR image, or sample/coffee for a built-in one")
    parser.add_argument("-n", type=int, default=4, metavar="N", help="number of samples (4)")
    parser.add_argument("--out", help="figure to write (preview.png)")
    parser.add_argument("--scale", type=int, help="scale factor: 2, 3, 4, ...")
    add_same_size(parser)
    parser.add_argument(
        "--colour", choices=("rgb", "y"), default="rgb", help="degrade RGB, or only luma (rgb)"
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed (0)")
    parser.add_argument(
        "--size",
        type=int,
        default=256,
        metavar="PIXELS",
        help="crop a larger image to the most detailed part of this size; 0: no crop (256)",
    )
    parser.add_argument("--crop", type=int, metavar="PIXELS", help="size of the enlarged detail")
    parser.add_argument(
        "--trace", metavar="FILE", help="replay the traces of a file instead of drawing new ones"
    )
    parser.add_argument(
        "--index", type=int, metavar="I", help="replay only the trace with this index, from 0"
    )
    parser.add_argument("--save-traces", metavar="FILE", help="write the traces, for --trace")
    parser.add_argument("--save-images", metavar="FOLDER", help="write the LR images as PNG files")
    add_cfg_options(parser, "override values of the config, e.g. degradation.sigma=5")
    parser.add_argument(
        "--gallery",
        action="store_true",
        help="write gallery.md and an image of every degradation to the folder --out (docs)",
    )
    parser.add_argument(
        "--also",
        nargs="+",
        default=[],
        metavar="NAME=WEIGHTS",
        help="with --gallery: learned degradations to show as well",
    )


def run(args: argparse.Namespace) -> int:
    """Draw the figure or the gallery; return 0."""
    if args.gallery:
        return _gallery(args)
    if args.config is None or args.image is None:
        raise ConfigError("preview needs a degradation and an image: preview CONFIG IMAGE.")
    if args.also:
        raise ConfigError("--also adds to the gallery: give --gallery as well.")
    from realdeg.apis.previewing import preview

    made = preview(
        args.config,
        args.image,
        args.out or "preview.png",
        count=args.n,
        options=args.cfg_options,
        save_traces=args.save_traces or None,
        save_images=args.save_images or None,
        **chosen(args, "scale", "same_size", "colour", "seed", "size", "crop", "trace", "index"),
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
    for argument in args.also:
        name, equals, source = argument.partition("=")
        if not equals or not name or not source or "/" in name:
            raise ConfigError(f"--also takes NAME=WEIGHTS, got '{argument}'.")
        learned[name] = source
    page, absent = make_gallery(
        args.out or "docs", scale=args.scale or 4, seed=args.seed, learned=learned
    )
    for line in absent:
        print(f"not shown: {line}")
    print(f"wrote {page} and its images")
    return 0
