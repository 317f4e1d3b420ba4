"""MatConvNet weights (``.mat``): graphs, chains of layers, and cell arrays of chains."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from realdeg.backbones.formats.matlab import unpacked
from realdeg.errors import CheckpointError, first_line
from realdeg.utils.budget import LimitError

# A layer's arrays, in order; files of 2014 have "filters" and "biases" instead.
_KINDS = ("weight", "bias", "moments")
_PLAIN_NAME = re.compile(r"layer\d*")  # MatConvNet's name for an unnamed layer
_BIAS = re.compile(r"(?:_b|bias|biases|\.b)\d*$")


def read_matconvnet(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read the parameters of a MatConvNet network.

    Filters are stored as height x width x in x out (transposed convolutions height x width x out x
    in), without trailing axes of length 1; both become PyTorch's layout by the same reordering.

    - A graph (``net.params``) gives its parameters under their own names.
    - A chain (``net.layers``) gives ``<layer>.weight`` and ``<layer>.bias``; layers without names
      are counted as PyTorch counts them in a sequence, activations included: ``model.0``,
      ``model.2``.
    - A struct of cells (``model.weight{i}``, ``model.bias{i}``), as matcaffe's users save networks,
      gives ``weight.1``, ``bias.1`` and so on.
    - A cell array of chains gives ``0.model.0.weight`` and so on; its layers' names are ignored.

    Args:
        path: The ``.mat`` file, of MATLAB 5 to 7.2 (``save -v7``).

    Returns:
        The tensors, float32 on the CPU, in the file's order.

    Raises:
        CheckpointError: If the file is damaged, of MATLAB 7.3, or not a network.
    """
    file = Path(path)
    variables = _load(file)
    parameters: dict[str, Tensor] = {}
    for name, value in variables.items():
        if name.startswith("__"):
            continue
        try:
            parameters = _network(value)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise CheckpointError(
                f"the network '{name}' in {file} is not in MatConvNet's format ({error})."
            ) from error
        if parameters:
            break
    if not parameters:
        held = ", ".join(sorted(name for name in variables if name[:2] != "__")) or "nothing"
        raise CheckpointError(
            f"{file} holds no MatConvNet network (found {held}); expected a graph with 'params', a"
            " chain with 'layers', a struct with cells 'weight' and 'bias', or a cell array of"
            " chains."
        )
    return parameters


def read_matrix(path: str | os.PathLike[str], *names: str) -> Tensor:
    """Read one matrix of a ``.mat`` file.

    Args:
        path: The file, of MATLAB 5 to 7.2 (``save -v7``).
        *names: The variable; of several, the first that the file has.

    Returns:
        float32, its rows and columns as in MATLAB.

    Raises:
        CheckpointError: If the file is damaged, or has no such matrix of finite numbers.
    """
    file = Path(path)
    if not file.is_file():
        raise CheckpointError(f"no matrix at {file}: the file does not exist.")
    variables = _load(file)
    name = next((one for one in names if one in variables), " or ".join(names))
    value = variables.get(name)
    if not isinstance(value, np.ndarray) or value.ndim != 2 or value.dtype.kind not in "fiu":
        raise CheckpointError(f"{file} holds no matrix {name!r}.")
    matrix = torch.from_numpy(np.ascontiguousarray(value, np.float32))
    if not bool(matrix.isfinite().all()):
        raise CheckpointError(f"the matrix {name!r} in {file} has NaN or infinity.")
    return matrix


def _load(file: Path) -> Mapping[str, Any]:
    from scipy.io import loadmat

    try:
        stream: Any = io.BytesIO(unpacked(file))  # SciPy's stubs accept paths only
        # Returns plain data: functions and classes stay undecoded bytes.
        return loadmat(stream, appendmat=False)
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read ({error.strerror or error}).") from error
    except LimitError as error:
        raise CheckpointError(f"{file} is not read: {error}.") from error
    # SciPy raises various errors for undecodable names and strings.
    except Exception as error:
        reason = first_line(error)
        raise CheckpointError(
            f"{file} cannot be read as a MATLAB file ({reason}): damaged or of another format."
        ) from error


def _network(value: Any) -> dict[str, Tensor]:
    """Return the parameters of a variable, empty if it is not a network."""
    fields = _fields(value)
    if "params" in fields:
        return dict(_graph(value))
    if "layers" in fields:
        return _chain(value["layers"].reshape(-1)[0])
    if {"weight", "bias"} <= set(fields):
        return dict(_cells(value))
    if not _is_cell(value):
        return {}
    items = value.reshape(-1)
    if all("weights" in _fields(item) or "type" in _fields(item) for item in items):
        return _chain(value)
    chains = [_member(item) for item in items]
    if not all(chains):
        return {}
    return {f"{i}.{name}": t for i, chain in enumerate(chains) for name, t in chain.items()}


def _cells(network: np.ndarray) -> Iterator[tuple[str, Tensor]]:
    """Yield the parameters of a struct with a cell of filters and one of biases."""
    for kind, read in (("weight", _filters), ("bias", _vector)):
        stored = network[kind].reshape(-1)[0]
        if not _is_cell(stored):
            raise ValueError(f"'{kind}' is not a cell array")
        for index, array in enumerate(stored.reshape(-1), 1):
            yield f"{kind}.{index}", read(array)


def _member(item: Any) -> dict[str, Tensor]:
    """Return the parameters of one of several chains."""
    if "layers" in _fields(item):
        item = item["layers"].reshape(-1)[0]
    return _chain(item, named=False) if _is_cell(item) else {}


def _graph(network: np.ndarray) -> Iterator[tuple[str, Tensor]]:
    """Yield the parameters of a graph."""
    places = _places(network)
    for entry in network["params"].reshape(-1)[0].reshape(-1):
        name = _text(entry["name"])
        is_bias = places[name] > 0 if name in places else bool(_BIAS.search(name))
        yield name, _vector(entry["value"]) if is_bias else _filters(entry["value"])


def _places(network: np.ndarray) -> dict[str, int]:
    """Return the index of each of a graph's parameters within its layer."""
    indices: dict[str, int] = {}
    if "layers" in _fields(network):
        for layer in network["layers"].reshape(-1)[0].reshape(-1):
            names = layer["params"]
            # A single name may be saved without a cell.
            cells = names.reshape(-1) if _is_cell(names) else [names]
            indices |= {_text(cell): place for place, cell in enumerate(cells)}
    return indices


def _chain(layers: np.ndarray, named: bool = True) -> dict[str, Tensor]:
    """Return the parameters of a chain of layers."""
    parameters: dict[str, Tensor] = {}
    items = layers.reshape(-1)
    for index, item in enumerate(items):
        layer = item if isinstance(item, np.void) else item.reshape(-1)[0]
        name = _text(layer["name"]) if named and "name" in _fields(layer) else ""
        if not name or _PLAIN_NAME.fullmatch(name):
            name = f"model.{index}"
        for kind, array in _arrays(layer):
            if f"{name}.{kind}" in parameters:
                raise ValueError(f"two layers are called {name}")
            parameters[f"{name}.{kind}"] = _filters(array) if kind == "weight" else _vector(array)
    return parameters


def _arrays(layer: np.void) -> Iterator[tuple[str, np.ndarray]]:
    fields = _fields(layer)
    if "weights" in fields:
        stored = layer["weights"]
        arrays = list(stored.reshape(-1)) if _is_cell(stored) else [stored]
    else:
        arrays = [layer[field] for field in ("filters", "biases") if field in fields]
    for kind, array in zip(_KINDS, arrays, strict=False):
        if array.size:
            yield kind, array


def _filters(array: np.ndarray) -> Tensor:
    values = _real(array)
    if values.ndim > 4:
        raise ValueError(f"filters of shape {values.shape}")
    values = values.reshape(values.shape + (1,) * (4 - values.ndim))
    return torch.from_numpy(np.ascontiguousarray(values.transpose(3, 2, 0, 1)))


def _vector(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(_real(array).reshape(-1)))


def _real(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind not in "fiu":
        raise ValueError(f"a parameter of type {array.dtype}")
    return array.astype(np.float32)


def _fields(value: Any) -> tuple[str, ...]:
    dtype = getattr(value, "dtype", None)
    if dtype is None or dtype.names is None or not getattr(value, "size", 1):
        return ()
    return tuple(dtype.names)


def _is_cell(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype == object and value.size > 0


def _text(value: Any) -> str:
    """Return a MATLAB string, which SciPy gives as an array of length 1 or 0."""
    array = np.asarray(value)
    if array.size and array.dtype.kind != "U":
        raise ValueError("a name that is not text")
    return str(array.reshape(-1)[0]) if array.size else ""
