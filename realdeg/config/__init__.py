"""Configs: find, merge, check before any data is read, and inject top-level fields.

Importing this package does not import torch; checking a config's types and arguments does.
"""

from realdeg.config.check import validate
from realdeg.config.fill import inject
from realdeg.config.find import config_name, config_root, find_config, list_configs, sibling
from realdeg.config.load import load_config
from realdeg.config.merge import apply_options
from realdeg.config.presets import list_presets, preset_named
from realdeg.config.read import replacing_types

__all__ = [
    "apply_options",
    "config_name",
    "config_root",
    "find_config",
    "inject",
    "list_configs",
    "list_presets",
    "load_config",
    "preset_named",
    "replacing_types",
    "sibling",
    "validate",
]
