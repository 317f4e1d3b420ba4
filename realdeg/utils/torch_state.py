"""The tensors of a state dict in a file, read one by one without running code of the file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from realdeg.errors import CheckpointError, first_line
from realdeg.utils.budget import LimitError
from realdeg.utils.construction import refuse_other_files
from realdeg.utils.pickles import Inert
from realdeg.utils.tensor_file import open_tensors
from realdeg.utils.torch_file import FAULTS, open_torch_file
from realdeg.utils.torch_pickle import TensorRef

Shapes = dict[str, tuple[int, ...]]


def reference_in(item: Any) -> TensorRef | None:
    """Return the tensor that an unpickled object is or contains.

    A parameter of PyTorch before 0.4, or a subclass of Tensor, contains the tensor.

    Args:
        item: Any object of :attr:`TorchFile.tree`.
    """
    if isinstance(item, Inert) and item.name.startswith("torch."):
        state = item.state if isinstance(item.state, list | tuple) else ()
        parts = [*item.args[:8], *state[:8]]
        item = next((part for part in parts if isinstance(part, TensorRef)), None)
    return item if isinstance(item, TensorRef) else None


def tensor_of(reference: TensorRef, numbers: Tensor) -> Tensor:
    """Return the tensor that a reference describes.

    Args:
        reference: The reference.
        numbers: The values of its storage.

    Raises:
        ValueError: If it reaches beyond the storage.
    """
    storage, dtype = reference.storage, reference.dtype or reference.storage.dtype
    if reference.dtype is not None:
        numbers = numbers[: len(numbers) // dtype.itemsize * dtype.itemsize].view(dtype)
    reference.check(len(numbers))
    if 0 in reference.shape:
        return torch.zeros(reference.shape, dtype=dtype)
    return numbers.as_strided(reference.shape, reference.stride, storage.first + reference.offset)


def read_state(
    path: str | os.PathLike[str],
    choose: Callable[[Shapes], list[str]],
    *,
    shapes_only: bool = False,
) -> dict[str, Tensor]:
    """Read chosen tensors of a state dict; those that are not chosen are not read.

    Args:
        path: A ``.safetensors`` file, or a file of ``torch.save`` with a dict of tensors.
        choose: Returns the names that are wanted, given the shapes of all tensors.
        shapes_only: Stop after ``choose``, and return nothing.

    Returns:
        The chosen tensors, on the CPU.

    Raises:
        CheckpointError: If the file is missing, damaged, made to fill memory, or without a state
            dict.
    """
    refuse_other_files(path)
    file = Path(path)
    try:
        if file.suffix.lower() == ".safetensors":
            with open_tensors(file) as opened:
                shapes = {
                    name: tuple(opened.get_slice(name).get_shape())
                    for name in opened.keys()  # noqa: SIM118
                }
                wanted = choose(shapes)
                return {} if shapes_only else {name: opened.get_tensor(name) for name in wanted}
        with open_torch_file(file) as opened:
            tree = opened.tree
            if not isinstance(tree, Mapping):
                raise ValueError("no state dict")
            found = {str(name): reference_in(item) for name, item in tree.items()}
            references = {name: item for name, item in found.items() if item is not None}
            if not references:
                raise ValueError("no tensors by name")
            wanted = choose({name: item.shape for name, item in references.items()})
            if shapes_only:
                return {}
            storages: dict[str, Tensor] = {}
            for name in wanted:
                storage = references[name].storage
                if storage.key not in storages:
                    storages[storage.key] = opened.numbers(storage)
            return {
                name: tensor_of(item, storages[item.storage.key])
                for name, item in ((name, references[name]) for name in wanted)
            }
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read ({error.strerror or error}).") from error
    except LimitError as error:
        raise CheckpointError(f"{file} is not read: {error}.") from error
    except FAULTS as error:
        raise CheckpointError(
            f"{file} cannot be read as weights ({first_line(error)}): it is truncated, damaged, or"
            " of another format."
        ) from error
