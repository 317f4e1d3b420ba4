"""``realdeg extract_pools``: collect kernels and noise patches from real photos."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import fields
from typing import Any

from realdeg.cli.options import chosen, parse_value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one sub-command per kind of pool, and ``show``."""
    kinds = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    text = "kernels by least squares against real pairs"
    pairs = kinds.add_parser("pairs", help=text, description=text)
    pairs.add_argument("hr_dir", help="folder of HR images")
    pairs.add_argument("lr_dir", help="folder of real LR images; may be the same folder")
    pairs.add_argument("pool", help="the pool to write (.safetensors)")
    pairs.add_argument(
        "--pattern", default="{name}", help="pattern of HR names, e.g. {name}_HR ({name})"
    )
    pairs.add_argument(
        "--lr-pattern",
        default="{name}",
        help="pattern of LR names, e.g. {name}_LR{scale} ({name})",
    )
    pairs.add_argument("--scale", type=int, required=True, help="scale factor")
    pairs.add_argument(
        "--same-size", action="store_true", help="LR lies on the HR grid (RealSR V1 and V2)"
    )
    pairs.add_argument("--kernel-size", type=int, help="kernel size in HR pixels (4 * scale + 5)")
    pairs.add_argument(
        "--patch", type=int, help="patch size in LR pixels (32; 96 with --same-size)"
    )
    pairs.add_argument("--keep-shifts", action="store_true", help="do not centre the kernels")
    _add_common(pairs)

    text = "kernels from photos alone, one per photo, by KernelGAN or deconvolution"
    photos = kinds.add_parser("photos", help=text, description=text)
    photos.add_argument("src", help="folder of real LR photos; sub-folders are followed")
    photos.add_argument("pool", help="the pool to write (.safetensors)")
    photos.add_argument("--scale", type=int, required=True, choices=(2, 3, 4))
    photos.add_argument(
        "--with",
        dest="estimator",
        choices=("KernelGAN", "DarkChannel"),
        default="KernelGAN",
        help="the estimator (KernelGAN)",
    )
    photos.add_argument(
        "--same-size",
        action="store_true",
        help="kernels of the enlarged photo, for KMSR; DarkChannel only",
    )
    photos.add_argument(
        "--iterations", type=int, help="steps per photo (3000; DarkChannel: 5 per level)"
    )
    photos.add_argument(
        "--crop",
        type=int,
        default=512,
        help="size of the centre crop in pixels (512)",
    )
    photos.add_argument("--device", help="cpu, cuda or cuda:1")
    _add_common(photos)

    text = "kernels from photos alone, several per photo, by a network that gives each pixel one"
    fields_ = kinds.add_parser("fields", help=text, description=text)
    fields_.add_argument("src", help="folder of real LR photos; sub-folders are followed")
    fields_.add_argument("pool", help="the pool to write (.safetensors)")
    fields_.add_argument("--scale", type=int, required=True, help="scale factor")
    fields_.add_argument(
        "--with",
        dest="estimator",
        type=parse_value,
        required=True,
        metavar="ESTIMATOR",
        help="the file of a trained estimator, such as AdaptiveKernelBasis",
    )
    fields_.add_argument("--same-size", action="store_true", help="LR lies on the HR grid")
    fields_.add_argument(
        "--patch", type=int, default=64, help="size of the regions in LR pixels (64)"
    )
    fields_.add_argument(
        "--crop", type=int, default=512, help="size of the centre crop in pixels (512)"
    )
    fields_.add_argument("--device", help="cpu, cuda or cuda:1")
    _add_common(fields_)

    text = "noise patches from flat regions of photos"
    noise = kinds.add_parser("noise", help=text, description=text)
    noise.add_argument("src", help="folder of real LR photos; sub-folders are followed")
    noise.add_argument("pool", help="the pool to write (.safetensors)")
    noise.add_argument(
        "--criteria",
        choices=("gcbd", "realsr"),
        default="gcbd",
        help="flat: all sub-patches alike (gcbd), or low variance (realsr)",
    )
    noise.add_argument("--patch", type=int, default=64, help="patch size in pixels (64)")
    noise.add_argument("--stride", type=int, help="pixels between patches (half a patch)")
    noise.add_argument(
        "--max-variance", type=float, default=20.0, help="for realsr, in levels² (20)"
    )
    noise.add_argument(
        "--detrend",
        choices=("mean", "plane"),
        default="plane",
        help="subtract a patch's mean, as in the papers, or also its shading (plane)",
    )
    _add_common(noise)

    text = "describe a pool and draw it"
    show = kinds.add_parser("show", help=text, description=text)
    show.add_argument("pool", help="the pool (.safetensors)")
    show.add_argument("--picture", help="a contact sheet to write (.png)")


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", help="name of the source in messages (the folder's name)")
    parser.add_argument("--limit", type=int, help="largest number of items, spread over the photos")
    parser.add_argument("--seed", type=int, default=0, help="random seed (0)")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing pool")
    parser.add_argument("--quiet", action="store_true", help="do not report progress")


def run(args: argparse.Namespace) -> int:
    """Extract or show a pool; return 0, or 2 if photos could not be read and are left out."""
    from realdeg.apis import pool_methods
    from realdeg.apis.pools import extract_pools
    from realdeg.degradations.pool import load_pool
    from realdeg.degradations.pool_summary import pool_summary

    if args.what == "show":
        pool = load_pool(args.pool)
        print("\n".join(pool_summary(pool)))
        if args.picture:
            from realdeg.visualization.pools import pool_picture

            pool_picture(pool, args.picture)
            print(f"drawn in {args.picture}")
        return 0
    if args.quiet:
        logging.getLogger("realdeg").setLevel(logging.WARNING)  # `main` puts it back
    kinds = {
        "pairs": pool_methods.PairKernels,
        "photos": pool_methods.PhotoKernels,
        "fields": pool_methods.FieldKernels,
        "noise": pool_methods.NoisePatches,
    }
    kind: Any = kinds[args.what]
    made = extract_pools(
        kind(**chosen(args, *(field.name for field in fields(kind)))),
        args.pool,
        **chosen(args, "name", "limit", "seed", "overwrite"),
    )
    print("\n".join(pool_summary(made.pool)))
    print(f"written to {made.path} (hash {made.hash})")
    if made.failed:
        print(
            f"error: {len(made.failed)} photos or pairs could not be read (see above) and are not"
            " in the pool: fix or remove them, and run the same command with --overwrite.",
            file=sys.stderr,
        )
    return 2 if made.failed else 0
