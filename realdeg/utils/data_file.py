"""YAML and JSON as plain data, limited in size and depth."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from realdeg.errors import ConfigError, first_line

RUN_CONFIG = "config.yaml"
"""The file in a run's folder that holds its config."""
MAX_BYTES = 1 << 20
MAX_VALUES = 100_000
"""How many values a file may hold, with YAML aliases expanded."""
MAX_DEPTH = 40
"""How deeply lists and dicts may be nested."""

SUFFIXES = (".yaml", ".yml", ".json")

# The core schema of YAML 1.2: "no" is a string and 1e-4 a number, unlike in YAML 1.1.
_INT = r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
_FLOAT = (
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.nan|\.NaN|\.NAN"
)
_SCHEMA = {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": _INT,
    "float": _FLOAT,
    "merge": r"<<",
}
_CORE = "tag:yaml.org,2002:"
_KNOWN = (*_SCHEMA, "str", "seq", "map")


def read_data(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a ``.yaml``, ``.yml`` or ``.json`` file; nothing in it is imported or called.

    Returns:
        A dict of plain data. Keys are strings; in nested dicts they may be whole numbers.

    Raises:
        ConfigError: If it cannot be read, is not a dict, is too large or too deep, has a key twice,
            or holds anything but plain data.
    """
    file = Path(path)
    text = read_text(file)
    found = _from_json(text, file) if file.suffix.lower() == ".json" else _from_yaml(text, file)
    if not isinstance(found, dict):
        raise ConfigError(f"{file} holds {_kind(found)}, wanted a dict of settings.")
    check_size(found, str(file))
    return found


def parse_data(text: str, what: str) -> Any:
    """Parse YAML or JSON that is not in a file, within the limits of :func:`read_data`.

    Args:
        text: At most ``MAX_BYTES`` characters; JSON is YAML, too.
        what: Its name, for messages.

    Returns:
        Plain data of any kind.

    Raises:
        ConfigError: As for :func:`read_data`.

    Example:
        >>> parse_data("sigma: [2, 10]", "the text")
        {'sigma': [2, 10]}
    """
    if len(text) > MAX_BYTES:
        raise ConfigError(f"{what} is longer than {MAX_BYTES} characters: no config is.")
    found = _from_yaml(text, what)
    check_size(found, what)
    return found


def read_assignments(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a Python file of ``name = literal`` lines without running it.

    Raises:
        ConfigError: If it cannot be read, or holds anything but literals and ``dict(a=1)``.
    """
    file = Path(path)
    text = read_text(file)
    _check_brackets(text, file)
    try:
        lines = ast.parse(text).body
        found = {}
        for line in lines:
            if not isinstance(line, ast.Assign) or not isinstance(line.targets[0], ast.Name):
                raise ValueError(f"line {line.lineno} is not `name = value`")
            found[line.targets[0].id] = _literal(line.value)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ConfigError(
            f"{file} is more than data ({first_line(error)}), and a folder's config is not run as a"
            " program. If you trust it, name the file itself."
        ) from error
    check_size(found, str(file))
    return found


def data_text(data: Mapping[str, Any]) -> str:
    """Return plain data as YAML for :func:`read_data`, keys in their order."""
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            return True

    # Quote strings that look like numbers in YAML 1.2, on top of those of YAML 1.1.
    Dumper.add_implicit_resolver(f"{_CORE}float", re.compile(f"^(?:{_FLOAT})$"), None)
    Dumper.add_implicit_resolver(f"{_CORE}int", re.compile(f"^(?:{_INT})$"), None)
    written: str = yaml.dump(
        dict(data),
        Dumper=Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=100,
    )
    return written


def check_size(value: Any, what: str) -> None:
    """Raise ConfigError if nested data exceed ``MAX_VALUES`` or ``MAX_DEPTH``.

    Args:
        value: Nested lists, tuples and dicts, which may occur more than once.
        what: Its name, for the message.
    """
    count, level = 0, [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            children = _children(item)
            count += len(children)
            if count > MAX_VALUES:
                raise ConfigError(f"{what} holds more than {MAX_VALUES} values: no config does.")
            below += [child for child in children if isinstance(child, Mapping | list | tuple)]
        if not below:
            return
        level = below
    raise ConfigError(
        f"{what} has lists or dicts nested more than {MAX_DEPTH} deep: no config does."
    )


def read_text(file: Path) -> str:
    """Read a text file of at most ``MAX_BYTES``.

    Raises:
        ConfigError: If it is not a regular file, too large, or not UTF-8.
    """
    if not file.is_file():  # reading a pipe or a device could block
        raise ConfigError(f"there is no file {file}.")
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ConfigError(f"{file} is larger than {MAX_BYTES} bytes: no config is.")
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{file} is not text: byte {error.start} is not UTF-8. A config is .py, .yaml or .json."
        ) from error
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror or error}.") from error


def _children(item: Any) -> list[Any]:
    if isinstance(item, Mapping):
        return list(item.values())
    return list(item) if isinstance(item, list | tuple) else []


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a string", type(None): "nothing", bool: "True or False"}
    return names.get(type(value), "a number")


def _from_json(text: str, file: Path) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise ConfigError(f"{file} has the key '{key}' twice in one dict.")
            found[key] = value
        return found

    _check_brackets(text, file)
    try:
        return json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is not JSON: {error}.") from error


def _check_brackets(text: str, file: Path) -> None:
    """Refuse deep nesting before a recursive parser runs."""
    depth, quote, escaped = 0, "", False
    for character in text:
        if quote:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character in (quote, "\n"):
                quote = ""
        elif character in "\"'":
            quote = character
        elif character in "([{":
            depth += 1
            if depth > 2 * MAX_DEPTH:  # dict({...}) counts twice
                raise ConfigError(
                    f"{file} has brackets nested more than {2 * MAX_DEPTH} deep: no config does."
                )
        elif character in ")]}":
            depth -= 1


def _literal(tree: ast.expr) -> Any:
    """Evaluate a literal; ``dict(a=1)`` is one, because configs write it."""
    if isinstance(tree, ast.Constant) and not isinstance(tree.value, bytes | complex):
        return tree.value
    if isinstance(tree, ast.List):
        return [_literal(item) for item in tree.elts]
    if isinstance(tree, ast.Tuple):
        return tuple(_literal(item) for item in tree.elts)
    if isinstance(tree, ast.Dict) and None not in tree.keys:
        pairs = zip(tree.keys, tree.values, strict=True)
        return {_literal(key): _literal(item) for key, item in pairs if key is not None}
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "dict":
        if not tree.args and all(item.arg for item in tree.keywords):
            return {str(item.arg): _literal(item.value) for item in tree.keywords}
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub | ast.UAdd):
        number = _literal(tree.operand)
        if isinstance(number, int | float) and not isinstance(number, bool):
            return -number if isinstance(tree.op, ast.USub) else number
    if isinstance(tree, ast.Name) and tree.id in ("inf", "nan"):
        return float(tree.id)  # as Python prints them
    raise ValueError(f"line {tree.lineno} holds {ast.unparse(tree)[:60]}")


def _from_yaml(text: str, file: Path | str) -> Any:
    import yaml

    try:
        _check_events(yaml, text, file)
        loader = _loader(yaml)(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check_nodes(node, file)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, " if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"{file} is not YAML: {where}{problem}.") from error
    except (ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"{file} cannot be read as YAML: {error}.") from error


def _loader(yaml: Any) -> Any:
    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        yaml_implicit_resolvers: dict[Any, Any] = {}

        def construct_yaml_int(self, node: Any) -> int:
            text = self.construct_scalar(node).lower()
            base = {"0x": 16, "0o": 8}.get(text[:2], 10)
            return int(text[2:] if base != 10 else text, base)

    for tag, pattern in _SCHEMA.items():
        Loader.add_implicit_resolver(f"{_CORE}{tag}", re.compile(f"^(?:{pattern})$"), None)
    Loader.add_constructor(f"{_CORE}int", Loader.construct_yaml_int)
    return Loader


def _check_events(yaml: Any, text: str, file: Path | str) -> None:
    """Refuse deep nesting and endless documents before anything is built from them."""
    depth = count = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        count += 1
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise ConfigError(
                f"{file} has lists or dicts nested more than {MAX_DEPTH} deep: no config does."
            )
        if count > 3 * MAX_VALUES:
            raise ConfigError(f"{file} holds more than {MAX_VALUES} values: no config does.")


def _check_nodes(root: Any, file: Path | str) -> None:
    """Refuse tags that name Python objects, duplicate keys, and aliases that multiply."""
    sizes: dict[int, int] = {}

    def size(node: Any, depth: int) -> int:
        if depth > 2 * MAX_DEPTH:
            raise ConfigError(f"{file} has aliases that contain each other: write them out.")
        if id(node) in sizes:
            return sizes[id(node)]
        _check_tag(node, file)
        if node.id == "mapping":
            _check_keys(node, file)
        total = 1 + sum(size(child, depth + 1) for child in _below(node))
        if total > MAX_VALUES:
            raise ConfigError(
                f"{file} holds more than {MAX_VALUES} values with aliases expanded: no config does."
            )
        sizes[id(node)] = total
        return total

    size(root, 0)


def _below(node: Any) -> Iterator[Any]:
    if node.id == "mapping":
        for key, value in node.value:
            yield key
            yield value
    elif node.id == "sequence":
        yield from node.value


def _check_tag(node: Any, file: Path | str) -> None:
    if node.tag.removeprefix(_CORE) in _KNOWN and node.tag.startswith(_CORE):
        return
    raise ConfigError(
        f"{file}: line {node.start_mark.line + 1} has the tag"
        f" {node.tag.replace(_CORE, '!!')}. A YAML config is data: numbers, strings, lists and"
        " dicts. Write what needs code as a .py config."
    )


def _check_keys(node: Any, file: Path | str) -> None:
    seen = set()
    for key, _ in node.value:
        line = key.start_mark.line + 1
        kind = key.tag.removeprefix(_CORE)
        if kind not in ("str", "int", "merge"):
            raise ConfigError(f"{file}: line {line} has a key that is not a string.")
        if kind != "merge" and (kind, key.value) in seen:
            raise ConfigError(f"{file}: line {line} has the key '{key.value}' twice in one dict.")
        seen.add((kind, key.value))
