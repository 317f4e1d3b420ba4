"""A network's weights under the community's keys, in a file that describes itself."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from typing import Any

from realdeg.backbones.base import Backbone
from realdeg.export.target import ExportedFile, check_target
from realdeg.utils.component import save_component
from realdeg.utils.files import sha256_file


def export_safetensors(
    backbone: Backbone,
    path: str | os.PathLike[str],
    *,
    half: bool = False,
    meta: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> ExportedFile:
    """Write the weights under the keys that the published ones have.

    realdeg opens the file by itself (type and arguments stand in its metadata); others find the
    bare tensors that they know, without a prefix.

    Args:
        backbone: The network; it is left as it is.
        path: The ``.safetensors`` file.
        half: Store float16 numbers, half the size; realdeg computes in float32 all the same.
        meta: Notes to keep in the file, plain data: those of the file that the network came from.
        overwrite: Replace a file that is there.

    Returns:
        What was written.

    Raises:
        OutputError: If the file is there or cannot be written.
    """
    target = check_target(path, "safetensors", overwrite)
    network = copy.deepcopy(backbone).cpu()
    save_component(
        target,
        network.half() if half else network,
        kind="backbone",
        type=type(backbone).__name__,
        arguments=backbone.arguments,
        meta=meta,
    )
    return ExportedFile(target, "safetensors", sha256_file(target), half=half)
