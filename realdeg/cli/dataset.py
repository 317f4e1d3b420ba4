"""What ``realdeg degrade`` does beyond a folder of LR images: data sets in shards."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realdeg.cli.inputs import inputs_of
from realdeg.cli.options import chosen

if TYPE_CHECKING:
    from realdeg.apis.inputs import Inputs
    from realdeg.apis.saving import Saving
    from realdeg.degradations.base import Degradation
    from realdeg.utils.image import Reading

_FORMATS = ("folder", "tar", "parquet", "lmdb")
# What only a data set has; any of them makes one.
_OPTIONS = (
    *("to", "hr", "variants", "crop", "stride", "flat", "shard", "shard_size", "field", "key"),
    *("engine", "address"),
)


def add_dataset_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of data sets in shards."""
    group = parser.add_argument_group("data sets (docs/synthesis.md)")
    group.add_argument(
        "--to",
        choices=_FORMATS,
        help="what the data set is made of (what OUTPUT ends in, as in pairs.tar, or else a"
        " folder of images); OUTPUT is a folder in any case",
    )
    group.add_argument("--variants", type=_number, metavar="N", help="LR images per HR image (1)")
    group.add_argument(
        "--crop", type=_number, metavar="SIDE", help="cut square patches of this side from HR"
    )
    group.add_argument(
        "--stride", type=_number, metavar="PIXELS", help="distance of patches (their side)"
    )
    group.add_argument(
        "--flat",
        type=float,
        metavar="LEVELS",
        help="leave out patches whose luma has a mean gradient below this, in 8-bit levels per"
        " pixel; 0: none (1.0)",
    )
    group.add_argument(
        "--hr",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="store HR images as well (not in a folder of whole images with one variant)",
    )
    group.add_argument(
        "--shard",
        type=_share,
        metavar="I/N",
        help="be job I of N, counted from 0: every N-th shard is made here",
    )
    group.add_argument("--shard-size", type=_number, metavar="N", help="images per shard (100)")
    group.add_argument(
        "--field",
        metavar="NAME",
        help="the column of images in Parquet files, or the end of names in tar files (hr.png)",
    )
    group.add_argument("--key", metavar="NAME", help="the column of names in Parquet files")
    group.add_argument(
        "--engine",
        choices=("local", "ray"),
        help="who makes the shards: processes of this machine, or a Ray cluster (local)",
    )
    group.add_argument(
        "--address", metavar="HOST:PORT", help="the Ray cluster; auto: the one of this machine"
    )
    group.add_argument(
        "--merge", metavar="FOLDER", help="merge the records of a data set whose shards are done"
    )
    group.add_argument(
        "--verify",
        metavar="FOLDER",
        help="check the hashes of a data set and replay a sample of its traces; DEGRADATION and"
        " INPUT are needed only where the data set cannot do without",
    )
    group.add_argument(
        "--replay", type=_count, metavar="N", help="traces that --verify replays (20)"
    )


def dataset_inputs(args: argparse.Namespace, words: list[str]) -> str | Inputs | list[str]:
    """Return the inputs of a command, which may be packed or lie elsewhere."""
    from realdeg.apis.dataset_inputs import is_packed

    if any(is_packed(word) for word in words) and args.from_file is None:
        return words
    return inputs_of(args, words)


def is_dataset(args: argparse.Namespace, inputs: Any, output: str) -> bool:
    """Return whether a data set in shards is asked for, rather than a folder of LR images."""
    from realdeg.synthesis.plan import PLAN_NAME
    from realdeg.synthesis.stores import is_address

    if (
        is_address(output)
        or any(getattr(args, name) is not None for name in _OPTIONS)
        or isinstance(inputs, list)
    ):
        return True
    if Path(output).suffix.lower().lstrip(".") in _FORMATS or (Path(output) / PLAN_NAME).exists():
        return True
    # A folder of packed files alone.
    from realdeg.apis.dataset_inputs import holds_packed

    return isinstance(inputs, str) and holds_packed(inputs)


def make(
    args: argparse.Namespace,
    degradation: Degradation,
    inputs: Any,
    output: str,
    reading: Reading,
    saving: Saving,
) -> int:
    """Make a data set, or a job's part of it; return 0, or 2 if something failed."""
    from realdeg.apis.dataset import degrade_dataset

    given = {name: getattr(args, name) for name in _OPTIONS if getattr(args, name) is not None}
    summary = degrade_dataset(
        degradation,
        inputs,
        output,
        reading=reading,
        saving=saving,
        progress=not args.quiet,
        **given,
        **chosen(args, "colour", "seed", "remainder", "device", "jobs", "overwrite"),
    )
    _say(summary.describe(), summary.ok)
    if not summary.ok:
        print(
            f"error: {len(summary.failed)} failed (see above): fix or remove them and run the same"
            " command again, which makes only what is missing.",
            file=sys.stderr,
        )
    return 0 if summary.ok else 2


def merge(args: argparse.Namespace) -> int:
    """Merge the records of a data set; return 0."""
    from realdeg.apis.dataset import merge_dataset

    summary = merge_dataset(args.merge)
    print(f"{summary.manifest}: {summary.samples} samples in {summary.shards} shards")
    return 0


def verify(args: argparse.Namespace) -> int:
    """Verify a data set; return 0, or 2 if something differs."""
    from realdeg.apis.create import create_degradation
    from realdeg.apis.dataset_checking import REPLAYED, verify_dataset

    words = [args.degradation, *args.inputs, args.output]
    given, *inputs = [word for word in words if word is not None] or [None]
    built: Degradation | None = None
    if given is not None:
        built = create_degradation(
            given, args.scale, args.same_size, trained=True, options=args.cfg_options
        )
    found = verify_dataset(
        args.verify,
        built,
        (dataset_inputs(args, inputs) if inputs else None),
        replay=REPLAYED if args.replay is None else args.replay,
        progress=not args.quiet,
        **chosen(args, "field", "key"),
    )
    _say(found.describe(), found.ok)
    return 0 if found.ok else 2


def _say(text: str, good: bool) -> None:
    from realdeg.utils.text import printable

    # Names may hold undecodable bytes and terminal control characters.
    print(printable(text), file=sys.stdout if good else sys.stderr)


def _share(text: str) -> tuple[int, int]:
    """Parse ``I/N``; the range is checked by the function that takes it."""
    number, slash, count = text.partition("/")
    digits = [part.isascii() and part.isdigit() and len(part) < 10 for part in (number, count)]
    if not slash or not all(digits):
        raise argparse.ArgumentTypeError(f"'{text}' is not a job of several, such as 0/8")
    return int(number), int(count)


def _number(text: str) -> int:
    if _count(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1")
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0")
    return int(text)
