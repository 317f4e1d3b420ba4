"""How other projects name a network's tensors, and which arguments tensors reveal, as data.

A class lists its ``dialects`` (what foreign names become) and its readings (which argument is read
from which tensor). :func:`adapt` applies them to load an existing network, and :func:`read_form`
to find out how to build one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor

from realdeg.backbones.readings import Reading, State, find
from realdeg.errors import CheckpointError, first_line

if TYPE_CHECKING:
    from realdeg.backbones.base import Backbone

Rule = tuple[str, str | Callable[[re.Match[str]], str]]
"""A regular expression, and what ``re.sub`` puts in its place."""


@dataclass(frozen=True)
class Dialect:
    """One way in which files name the tensors of a network.

    All dialects that recognise a file are applied, in the class's order; one without ``marks``
    recognises every file. Names are regular expressions that match a whole name, except in
    ``rename``.

    Attributes:
        origin: The project that writes such files.
        marks: Names that such a file holds.
        lacks: Names that it does not hold.
        refused: What such weights are, if the network cannot use them; ends the message
            "the weights in <file> are ...".
        drop: Names to leave out.
        rename: Substitutions applied to each name in turn. ``{name}`` stands for a number of
            ``counts``.
        counts: Numbers that depend on the file, read before anything is renamed.
        axes: How to permute four-dimensional tensors, if their axes have another order.
        matconvnet: Arrays have MatConvNet's layout, perhaps without axes of length 1.
        convert: For what renaming cannot express; called last. The text of a ``ValueError``
            continues the message "the weights in <file> ...".
        implies: Arguments of the network that such weights were trained with.
        bias_range: The value range of a network without offsets, whose biases are rescaled to the
            instance's range.
        keeps: Names of tensors that such files do not hold; the network keeps its own.
        spare: Names that are left out if the network has no such tensor.
        parts: Prefix of the names in a file of several networks or scales, of which the network
            loads those of ``parts_of``.
    """

    origin: str
    marks: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    refused: str = ""
    drop: str = ""
    rename: tuple[Rule, ...] = ()
    counts: Mapping[str, Reading] = field(default_factory=dict)
    axes: tuple[int, int, int, int] | None = None
    matconvnet: bool = False
    convert: Callable[[dict[str, Tensor]], dict[str, Tensor]] | None = None
    implies: Mapping[str, Any] = field(default_factory=dict)
    bias_range: float | None = None
    keeps: str = ""
    spare: str = ""
    parts: str = ""

    def recognises(self, state: State) -> bool:
        """Tell whether a file's tensors are named in this dialect."""
        return all(find(state, mark) for mark in self.marks) and not any(
            find(state, name) for name in self.lacks
        )

    def translate(self, state: State) -> dict[str, Tensor]:
        """Return the tensors under the network's names."""
        numbers = {name: str(read(state)) for name, read in self.counts.items()}
        rules = [(_filled(old, numbers), _filled(new, numbers)) for old, new in self.rename]
        found = {}
        for name, value in state.items():
            if self.drop and re.fullmatch(self.drop, name):
                continue
            new = name
            for pattern, text in rules:
                new = re.sub(pattern, text, new)
            if new != name:
                if self.axes and value.ndim == 4:
                    value = value.permute(self.axes).contiguous()
                elif new.endswith(".bias"):  # some have four dimensions
                    value = value.reshape(-1)
            found[new] = value
        return found if self.convert is None else self.convert(found)


MMAGIC = Dialect(
    "mmagic",
    marks=(r"generator\..*",),
    drop=r"(?!generator\.).*",
    rename=((r"^generator\.", ""),),
)
"""A network stored under a prefix, next to what it was trained with."""


def translate(
    cls: type[Backbone], state: State, where: str
) -> tuple[dict[str, Tensor], tuple[Dialect, ...]]:
    """Apply a class's dialects to the tensors of the file ``where``.

    Returns:
        The tensors under the class's names, and the dialects that were recognised.

    Raises:
        CheckpointError: If they belong to a different network.
    """
    found, applied = dict(state), []
    for dialect in cls.dialects:
        if not dialect.recognises(found):
            continue
        if dialect.refused:
            raise CheckpointError(f"the weights in {where} are {dialect.refused}")
        try:
            found = dialect.translate(found)
        except ValueError as error:
            raise CheckpointError(f"the weights in {where} {error}") from error
        except (LookupError, RuntimeError) as error:
            raise CheckpointError(
                f"the weights in {where} are named as {dialect.origin} names them, and cannot be"
                f" translated ({first_line(error)}): the file is damaged or holds another network."
            ) from error
        applied.append(dialect)
    return found, tuple(applied)


def adapt(backbone: Backbone, state: State, where: str) -> dict[str, Tensor]:
    """Translate the tensors of the file ``where`` so that a network can load them.

    Raises:
        CheckpointError: If they belong to a different network, or were trained with another value
            range, mean shift or activation.
    """
    found, applied = translate(type(backbone), state, where)
    own = backbone.state_dict()
    for dialect in applied:
        if dialect.parts:
            found = _own_parts(backbone, found, dialect.parts, where)
        if dialect.matconvnet:
            found = {
                k: from_matconvnet(v, own[k].shape) if k in own else v for k, v in found.items()
            }
        if dialect.bias_range is not None:
            factor = backbone.value_range / dialect.bias_range
            found = {k: v * factor if k.endswith(".bias") else v for k, v in found.items()}
        if dialect.spare:
            found = {
                k: v for k, v in found.items() if k in own or not re.fullmatch(dialect.spare, k)
            }
        if dialect.keeps:
            found |= {k: v for k, v in own.items() if re.fullmatch(dialect.keeps, k)}
    stored = _read(type(backbone).meaning_readings, found) | _implied(applied)
    mine = {name: _own_value(backbone, own, name) for name in stored}
    _refuse_difference(backbone, stored, mine, where)
    return found


def read_form(cls: type[Backbone], state: State) -> dict[str, Any]:
    """Read a network's arguments from a file's tensors; none if they are of another network."""
    try:
        found, applied = translate(cls, state, "")
    except CheckpointError:  # reported when they are loaded
        return {}
    return _read(cls.form_readings, found) | _read(cls.meaning_readings, found) | _implied(applied)


def refuse_other_form(backbone: Backbone, state: State, where: str) -> None:
    """Explain by arguments why weights under a network's own names do not fit it.

    Raises:
        CheckpointError: If they belong to a network with other arguments.
    """
    stored, mine = (
        _read(type(backbone).form_readings, each) for each in (state, backbone.state_dict())
    )
    _refuse_difference(backbone, stored, mine, where)


def differs(one: Any, other: Any) -> bool:
    """Tell whether two values of an argument differ; floats are read from tensors within 1 %."""
    if isinstance(one, float) or isinstance(other, float):
        return bool(abs(one - other) > 0.01 * abs(other))
    return bool(one != other)


def written(arguments: Mapping[str, Any]) -> str:
    """Format arguments as in a call."""
    return ", ".join(
        f"{name}={value:g}" if isinstance(value, float) else f"{name}={value!r}"
        for name, value in arguments.items()
    )


def _refuse_difference(
    backbone: Backbone, stored: Mapping[str, Any], mine: Mapping[str, Any], where: str
) -> None:
    other = {
        name: value
        for name, value in stored.items()
        if mine.get(name) is not None and differs(value, mine[name])
    }
    if not other:
        return
    name = type(backbone).__name__
    here = written({key: mine[key] for key in other})
    own = {key: value for key, value in other.items() if key in backbone.arguments}
    todo = f"build it with {name}({written(own)})" if own else f"no {name} is like that"
    raise CheckpointError(
        f"the {name} weights in {where} have {written(other)} and this network {here}: {todo}."
    )


def _own_value(backbone: Backbone, own: State, name: str) -> Any:
    value = backbone.arguments.get(name)
    if value is None and name in type(backbone).meaning_readings:
        value = type(backbone).meaning_readings[name](own)
    return getattr(backbone, name, None) if value is None else value


def _read(readings: Mapping[str, Reading], state: State) -> dict[str, Any]:
    found = {name: read(state) for name, read in readings.items()}
    return {name: value for name, value in found.items() if value is not None}


def _implied(applied: Sequence[Dialect]) -> dict[str, Any]:
    return {name: value for dialect in applied for name, value in dialect.implies.items()}


def _own_parts(backbone: Backbone, state: State, parts: str, where: str) -> dict[str, Tensor]:
    """Keep only those parts of a file that belong to the network."""
    wanted = backbone.parts_of()
    if not wanted or not any(re.match(parts, name) for name in state):
        return dict(state)
    found = {name: value for name, value in state.items() if not re.match(parts, name)}
    for there, here in wanted.items():
        taken = {here + k.removeprefix(there): v for k, v in state.items() if k.startswith(there)}
        if not taken:
            raise CheckpointError(
                f"{where} holds no tensors '{there}*', which this {type(backbone).__name__} loads"
                " from a file of several networks."
            )
        found |= taken
    return found


def _filled(text: Any, numbers: Mapping[str, str]) -> Any:
    if isinstance(text, str):
        for name, number in numbers.items():
            text = text.replace(f"{{{name}}}", number)
    return text


def from_matconvnet(value: Tensor, shape: Sequence[int]) -> Tensor:
    """Convert an array of a MatConvNet file to torch's layout.

    MatConvNet stores filters as height x width x in x out (transposed convolutions: height x width
    x out x in), and Matlab or the reader drops axes of length 1; biases are rows or columns.

    Args:
        value: The stored array; one that cannot have the shape is returned as it is.
        shape: The shape of the network's tensor.
    """
    wanted = tuple(shape)
    if tuple(value.shape) == wanted:
        return value
    stored = (*wanted[2:], *wanted[1::-1]) if len(wanted) == 4 else wanted
    if [size for size in value.shape if size > 1] != [size for size in stored if size > 1]:
        return value
    full = value.reshape(stored)
    return full.permute(3, 2, 0, 1).contiguous() if len(wanted) == 4 else full


def shifted(template: str, plus: int = 0, times: int = 1) -> Callable[[re.Match[str]], str]:
    """Return a replacement that renumbers: ``{}`` in the template becomes ``times * n + plus``.

    ``n`` is the number that the pattern's first group matches.
    """
    return lambda match: template.format(times * int(match[1]) + plus)
