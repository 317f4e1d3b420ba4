"""``realdeg extract_pools``: kernels and noise patches from real photos."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments: one sub-command per kind of pool, and a look at one."""
    kinds = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    text = "kernels by least squares against real pairs"
    pairs = kinds.add_parser("pairs", help=text, description=text)
    pairs.add_argument("hr_dir", help="folder of HR images")
    pairs.add_argument("lr_dir", help="folder of real LR images, which may be the same")
    pairs.add_argument("pool", help="the pool to write (.safetensors)")
    pairs.add_argument(
        "--pattern", default="{name}", help="how HR files are called, e.g. {name}_HR ({name})"
    )
    pairs.add_argument(
        "--lr-pattern", default="{name}", help="the same for LR, e.g. {name}_LR{scale} ({name})"
    )
    pairs.add_argument("--scale", type=int, required=True, help="how much resolution is lost")
    pairs.add_argument(
        "--same-size", action="store_true", help="LR lies on the HR grid (RealSR V1 and V2)"
    )
    pairs.add_argument(
        "--kernel-size", type=int, help="side of the kernels in HR pixels (4 * scale + 5)"
    )
    pairs.add_argument(
        "--patch", type=int, help="side of the patches in LR pixels (32; 96 with --same-size)"
    )
    pairs.add_argument(
        "--keep-shifts", action="store_true", help="leave kernels off-centre as they are found"
    )
    _add_common(pairs)

    text = "kernels from photos alone, one per photo, after KernelGAN"
    photos = kinds.add_parser("photos", help=text, description=text)
    photos.add_argument("src", help="folder of real LR photos; sub-folders are followed")
    photos.add_argument("pool", help="the pool to write (.safetensors)")
    photos.add_argument("--scale", type=int, required=True, choices=(2, 3, 4))
    photos.add_argument("--iterations", type=int, default=3000, help="steps per photo (3000)")
    photos.add_argument(
        "--crop", type=int, default=512, help="look at the middle of a photo, so many pixels (512)"
    )
    photos.add_argument("--device", help="cpu, cuda or cuda:1")
    _add_common(photos)

    text = "noise patches from flat places of photos"
    noise = kinds.add_parser("noise", help=text, description=text)
    noise.add_argument("src", help="folder of real LR photos; sub-folders are followed")
    noise.add_argument("pool", help="the pool to write (.safetensors)")
    noise.add_argument(
        "--criteria",
        choices=("gcbd", "realsr"),
        default="gcbd",
        help="flat where all parts look alike (gcbd), or where little varies (realsr)",
    )
    noise.add_argument("--patch", type=int, default=64, help="side of the patches (64)")
    noise.add_argument("--stride", type=int, help="pixels between patches (half a patch)")
    noise.add_argument("--max-variance", type=float, default=20.0, help="of realsr, levels² (20)")
    noise.add_argument(
        "--detrend",
        choices=("mean", "plane"),
        default="plane",
        help="what is taken off a patch: its mean, as the papers do, or also its shading (plane)",
    )
    _add_common(noise)

    text = "say what a pool holds, and draw it"
    show = kinds.add_parser("show", help=text, description=text)
    show.add_argument("pool", help="the pool (.safetensors)")
    show.add_argument("--picture", help="a contact sheet to write (.png)")


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", help="what messages call the source (the folder's name)")
    parser.add_argument("--limit", type=int, help="keep so many items, spread over the photos")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (0)")
    parser.add_argument("--overwrite", action="store_true", help="replace a pool that is there")


def run(args: argparse.Namespace) -> int:
    """Extract a pool, or show one.

    Args:
        args: The parsed arguments.

    Returns:
        0; 2 where a photo could not be read: the pool is that of the others.
    """
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
    kinds = {
        "pairs": pool_methods.PairKernels,
        "photos": pool_methods.PhotoKernels,
        "noise": pool_methods.NoisePatches,
    }
    kind: Any = kinds[args.what]
    made = extract_pools(
        kind(**{field.name: getattr(args, field.name) for field in fields(kind)}),
        args.pool,
        name=args.name,
        limit=args.limit,
        seed=args.seed,
        overwrite=args.overwrite,
    )
    print("\n".join(pool_summary(made.pool)))
    print(f"written to {made.path} (hash {made.hash})")
    if made.failed:
        print(
            f"error: {len(made.failed)} photos or pairs could not be read (see above) and are not"
            " in the pool: mend or remove them, and run the same command with --overwrite.",
            file=sys.stderr,
        )
    return 2 if made.failed else 0
