"""``realdeg infer``: super-resolve an image or a folder."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from realdeg.cli.degrade import add_folder_options, reading_of, report
from realdeg.cli.options import parse_scale, printable

if TYPE_CHECKING:
    from realdeg.apis.enlarging import Progress
    from realdeg.apis.super_resolver import SuperResolver
    from realdeg.utils.image import Reading


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "model", help="weights (backbone.safetensors), or a config whose backbone names weights"
    )
    parser.add_argument("input", help="an image or a folder")
    parser.add_argument("output", help="an image or a folder; a folder that was begun is continued")
    parser.add_argument("--scale", type=parse_scale, help="the scale asked for: 2, 3, 4, ...")
    parser.add_argument(
        "--tile",
        type=_tile,
        default="auto",
        metavar="auto|none|N",
        help="side of the tiles in pixels; none: the whole image at once (auto)",
    )
    example = "backbone.checkpoint=work_dirs/vdsr/backbone.safetensors"
    add_folder_options(parser, example, "1, which uses all cores for one image")


def run(args: argparse.Namespace) -> int:
    """Super-resolve the image or the folder.

    Args:
        args: The parsed arguments.

    Returns:
        0; 2 where an image could not be done.
    """
    from realdeg.apis.resolve import find_device, load_backbone
    from realdeg.apis.super_resolver import SuperResolver

    reading = reading_of(args)
    backbone = load_backbone(
        args.model, scale=args.scale, same_size=args.same_size, options=args.cfg_options
    )
    resolver = SuperResolver(backbone, device=find_device(args.device), tile=args.tile)
    if Path(args.input).is_dir():
        summary = resolver.upscale_folder(
            args.input,
            args.output,
            overwrite=args.overwrite,
            progress=not args.quiet,
            jobs=args.jobs or 1,
            reading=reading,
        )
        return report(summary)
    _one(resolver, Path(args.input), Path(args.output), args, reading)
    return 0


def _one(
    resolver: SuperResolver,
    source: Path,
    target: Path,
    args: argparse.Namespace,
    reading: Reading,
) -> None:
    from realdeg.errors import DataError, OutputError
    from realdeg.utils.files import remove_left_overs
    from realdeg.utils.image import check_writable

    if target.is_dir():
        target = target / (source.stem + ".png")
    # Before the work, not after it.
    if target.resolve() == source.resolve():
        raise DataError(f"input and output are the same file {source}: choose another output.")
    if not source.exists():
        raise DataError(f"there is no image or folder {source}.")
    if not target.suffix:
        raise OutputError(
            f"the output {target} is neither a folder nor an image: end its name in .png."
        )
    check_writable(target, "uint8", 3)
    if os.path.lexists(target) and not args.overwrite:
        raise OutputError(f"{target} is already there: choose another output, or --overwrite it.")
    remove_left_overs(target.parent)
    image = reading.load(source)
    with _bar(not args.quiet) as bar:
        made = resolver.upscale_into(image.pixels, target, progress=bar, icc=image.icc)
    (height, width), (rows, columns) = image.pixels.shape[:2], made["output_size"]
    notes = list(image.notes)
    if image.icc and target.suffix.lower() == ".bmp":
        notes.append("BMP holds no colour profile: it was left out")
    said = f" ({'; '.join(notes)})" if notes else ""
    print(printable(f"{target}: {height} x {width} -> {rows} x {columns}{said}"))


@contextmanager
def _bar(progress: bool) -> Iterator[Progress | None]:
    """Show how many tiles are done."""
    if not progress:
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True)) as shown:
        task = shown.add_task("upscaling", total=None)
        yield lambda done, number: shown.update(task, completed=done, total=number)


def _tile(text: str) -> int | Literal["auto"] | None:
    if text == "auto":
        return "auto"
    if text == "none":
        return None
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is none of auto, none or a number of pixels")
    return int(text)
