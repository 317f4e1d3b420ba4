"""Networks for other programs: safetensors, ONNX, torch.export, each with a model card."""

from realdeg.export.card import write_card
from realdeg.export.deepinv_physics import deepinv_physics
from realdeg.export.onnx import export_onnx
from realdeg.export.origin import Origin
from realdeg.export.program import export_program
from realdeg.export.safetensors import export_safetensors
from realdeg.export.target import ExportedFile
from realdeg.utils.deprecation import renamed_attributes

__all__ = [
    "ExportedFile",
    "Origin",
    "deepinv_physics",
    "export_onnx",
    "export_program",
    "export_safetensors",
    "write_card",
]

__getattr__ = renamed_attributes(__name__, {"Exported": "realdeg.export:ExportedFile"})
