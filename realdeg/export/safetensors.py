"""Export a network's weights under their published keys, in a self-describing file."""

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
    """Write the weights under the keys of the published ones.

    realdeg rebuilds the network from the file's metadata (type and arguments). Other programs find
    the tensors that they know, without a prefix.

    Args:
        backbone: The network; it is not changed.
        path: The ``.safetensors`` file.
        half: Store float16, half the size; realdeg still computes in float32.
        meta: Notes to store in the file, as plain data.
        overwrite: Replace an existing file.

    Raises:
        OutputError: If the file exists or cannot be written.
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
