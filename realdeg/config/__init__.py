"""Configs: find, merge, check before any data is read, and fill in what is said once.

Importing this package costs no torch; checking a config's types and arguments does.
"""

from realdeg.config.inject import inject
from realdeg.config.load import load_config
from realdeg.config.merge import apply_options, replacing_types
from realdeg.config.paths import config_name, config_root, find_config, list_configs, sibling
from realdeg.config.validate import validate

__all__ = [
    "apply_options",
    "config_name",
    "config_root",
    "find_config",
    "inject",
    "list_configs",
    "load_config",
    "replacing_types",
    "sibling",
    "validate",
]
