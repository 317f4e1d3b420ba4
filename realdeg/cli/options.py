"""What the commands share: options and how their values are parsed."""

from __future__ import annotations

import argparse
import ast
import math
from collections.abc import Sequence
from typing import Any

from realdeg.errors import ConfigError

_WORDS = {"true": True, "false": False, "none": None}
_OPENING, _CLOSING = "([{", ")]}"


class OptionsAction(argparse.Action):
    """Collects pairs in a dict; the option may be given several times.

    A class that takes other values overrides ``parse_pair``.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Add the given pairs to the namespace's dict."""
        options = dict(getattr(namespace, self.dest, None) or {})
        for pair in values or []:
            try:
                self.parse_pair(pair, options)
            except argparse.ArgumentTypeError as error:
                parser.error(f"{option_string} {error}")
            except ValueError as error:
                parser.error(f"{option_string} {pair}: {error}")
        setattr(namespace, self.dest, options)

    def parse_pair(self, pair: str, options: dict[str, Any]) -> None:
        """Add one pair to those before it.

        Raises:
            ArgumentTypeError: If it is no such pair.
            ValueError: If its value cannot be read.
        """
        key, equals, text = pair.partition("=")
        if not key or not equals:
            raise argparse.ArgumentTypeError(f"takes KEY=VALUE, got '{pair}'")
        options[key] = parse_value(text)


def parse_value(text: str) -> Any:
    """Parse a Python literal; anything else is a string.

    ``3``, ``1e-4``, ``true``, ``None``, ``'quoted'``, ``[a,b]``, ``(0.9,0.99)``,
    ``dict(type='AWGN',sigma=5)`` and ``[dict(...),dict(...)]``. Words need no quotes, and
    ``a,b`` is a list. Nothing is executed.

    Raises:
        ValueError: If a list or dict cannot be read.
    """
    text = text.strip()
    try:
        tree = ast.parse(text, mode="eval").body
        if isinstance(tree, ast.Tuple) and tree.elts[:1] and not text.startswith("("):
            return [_value(item) for item in tree.elts]
        return _value(tree)
    except (SyntaxError, ValueError, RecursionError):
        pass
    if text.startswith(("dict(", "{")):
        raise ValueError(
            "cannot be read as a dict; write for instance dict(type='AWGN',sigma=5), paths in"
            " quotes"
        )
    if text.startswith("[") and not text.endswith("]"):
        raise ValueError("the list does not end")
    if text.startswith("["):
        return [parse_value(item) for item in _split(text[1:-1])]
    items = _split(text)
    return [parse_value(item) for item in items] if len(items) > 1 else _word(text)


def parse_values(text: str) -> list[Any]:
    """Parse values between commas, each as :func:`parse_value` does.

    ``1,2`` are two numbers, ``[1,2],[3,4]`` two lists.

    Raises:
        ValueError: If a value cannot be read.
    """
    return [parse_value(part) for part in _split(text)]


def parse_scale(text: str) -> int | float:
    """Parse a scale of 1 or more; 4 and 4.0 give the integer 4."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 1 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"'{text}' is not a scale: give a number of 1 or more")
    return int(number) if number.is_integer() else number


def parse_jobs(text: str) -> int:
    """Parse a number of processes, 1 to 1024."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:5]) <= 1024:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of processes: 1 to 1024")
    return int(text)


def parse_pixels(text: str) -> int:
    """Parse a number of pixels, 1 to 10**18."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:19]) <= 10**18:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of pixels, such as 200000000")
    return int(text)


def add_cfg_options(parser: argparse.ArgumentParser, help_text: str) -> None:
    """Add ``--cfg-options``; the help text gives an example for the command."""
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=OptionsAction,
        default={},
        metavar="KEY=VALUE",
        help=help_text,
    )


def parse_protocol(text: str) -> Any:
    """Parse the name of an evaluation protocol, or ``dict(base='rgb',border=4)``."""
    if not text.startswith(("dict(", "{")):
        return text
    try:
        return parse_value(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"'{text}' {error}") from error


def add_protocol(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add ``--protocol``, which may be given several times if ``several``."""
    again = "; may be given several times" if several else ""
    parser.add_argument(
        "--protocol",
        type=parse_protocol,
        action="append" if several else "store",
        metavar="NAME",
        help="measure under this evaluation protocol, whatever the recipe says: a name such as"
        f" benchmark-y, or \"dict(base='rgb',border=4)\"{again}",
    )


def add_same_size(parser: argparse.ArgumentParser) -> None:
    """Add ``--same-size`` and ``--no-same-size``; None if neither is given."""
    parser.add_argument(
        "--same-size",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="LR lies on the HR grid (RealSR V1 and V2, City100)",
    )


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that change a config; :func:`config_arguments` passes them on."""
    add_cfg_options(
        parser,
        "override config values, e.g. degradation.type=DirectNet train_cfg.max_iters=1000;"
        " a changed type replaces the whole dict",
    )
    parser.add_argument(
        "--scale", type=parse_scale, help="another scale of the recipe, as CONFIG@x2 names it"
    )
    parser.add_argument(
        "--sample",
        action="store_true",
        help="run the recipe on the built-in sample images with a short schedule",
    )
    parser.add_argument("--seed", type=int, help="seed of every random stream")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that runs a model: folder, device and launcher."""
    parser.add_argument("--work-dir", help="folder for all output")
    parser.add_argument("--device", help="cpu, cuda or cuda:1 (the accelerator if there is one)")
    parser.add_argument(
        "--launcher",
        choices=("none", "pytorch"),
        default="none",
        help="'pytorch' under torchrun",
    )


def add_refinement(parser: argparse.ArgumentParser) -> None:
    """Add what is done at test time beyond one pass; :func:`refinement_arguments` passes it on."""
    parser.add_argument(
        "--self-ensemble",
        action="store_true",
        help="mean of eight passes, over the rotations and reflections of the image",
    )
    parser.add_argument(
        "--back-projection",
        metavar="DEGRADATION",
        help="correct results until this degradation gives LR: learned weights (.safetensors), a"
        " registered type (Bicubic), or a config whose degradation is used",
    )
    group = parser.add_argument_group("back-projection")
    group.add_argument("--iterations", type=int, help="number of corrections (10)")
    group.add_argument("--step", type=float, help="length of a correction (1.0)")
    group.add_argument(
        "--correction-kernel",
        choices=("bicubic", "adjoint"),
        help="how a correction is enlarged (bicubic)",
    )


def refinement_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """Return what :func:`add_refinement` parsed, as arguments of the API.

    Raises:
        ConfigError: If there are settings of a back-projection, but no degradation.
    """
    options = {"iterations": "iterations", "step": "step", "correction_kernel": "kernel"}
    given = {n: getattr(args, n) for n in options if getattr(args, n) is not None}
    settings = {options[n]: value for n, value in given.items()}
    projection: dict[str, Any] | None = None
    if args.back_projection is not None:
        projection = {"degradation": args.back_projection, **settings}
    elif settings:
        raise ConfigError(
            f"--{next(iter(given)).replace('_', '-')} is a setting of the back-projection: add"
            " --back-projection DEGRADATION."
        )
    return {"self_ensemble": args.self_ensemble, "back_projection": projection}


def chosen(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Return some of the parsed options as keyword arguments of the same names."""
    return {name: getattr(args, name) for name in names}


def config_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """Return what :func:`add_config_options` parsed, as arguments of a function of the API."""
    # A scale of None would ask a config for the scale None.
    names = ("sample", "seed") if args.scale is None else ("sample", "seed", "scale")
    return {"options": args.cfg_options, **chosen(args, *names)}


def run_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """Return what both of the functions above parsed, as arguments of ``train`` and ``test``."""
    return {**config_arguments(args), **chosen(args, "work_dir", "device", "launcher")}


def _value(tree: ast.expr) -> Any:
    if isinstance(tree, ast.Constant):
        return tree.value
    if isinstance(tree, ast.Name):
        return _word(tree.id)
    if isinstance(tree, ast.List):
        return [_value(item) for item in tree.elts]
    if isinstance(tree, ast.Tuple):
        return tuple(_value(item) for item in tree.elts)
    if isinstance(tree, ast.Dict):
        pairs = zip(tree.keys, tree.values, strict=True)
        return {_value(key): _value(item) for key, item in pairs if key is not None}
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "dict":
        if not tree.args and all(item.arg for item in tree.keywords):
            return {str(item.arg): _value(item.value) for item in tree.keywords}
    return ast.literal_eval(tree)  # signs; refuses the rest


def _word(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _split(text: str) -> list[str]:
    """Split at the commas outside brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in _OPENING) - (character in _CLOSING)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()] or [""]
