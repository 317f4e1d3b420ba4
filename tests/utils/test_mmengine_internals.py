"""What realdeg relies on inside mmengine: a release that changes any of it shows here first."""

from __future__ import annotations

import ast
import hashlib
import inspect
import re
import subprocess
import sys
import textwrap
from importlib import import_module, metadata
from pathlib import Path

import mmengine.registry
import pytest

from realdeg.errors import ConfigError
from realdeg.utils import mmengine_internals as internals

PACKAGE = Path(internals.__file__).parents[1]
FUNCTIONS = [
    (module, path, wanted)
    for module, functions in internals.FUNCTIONS.items()
    for path, wanted in functions.items()
]
# The code of what is replaced, and of what calls it, in the version that was read: the first twelve
# digits of its SHA-256. Where one differs, read what changed and what stands in for it.
CODE = {
    "mmengine.config:Config.fromfile": "b55ef9845891",
    "mmengine.config:Config._file2dict": "a4ae1130297a",
    "mmengine.config:Config._get_cfg_path": "6cae4181dcfe",
    "mmengine.config:Config._merge_a_into_b": "3dce6e2ebf04",
    "mmengine.config:Config.__deepcopy__": "811cf3a99e51",
    "mmengine.registry:Registry.build": "5d3223789ad0",
    "mmengine.registry:Registry.get": "1f7b7f5fb360",
    "mmengine.registry:Registry.switch_scope_and_registry": "855b08d5a313",
    "mmengine.registry:Registry._search_child": "9add30ba4977",
    "mmengine.registry:build_from_cfg": "eabc00c130c8",
    "mmengine.runner:Runner.__init__": "cad02923a964",
    "mmengine.runner:Runner.from_cfg": "4142fd2c67fe",
    "mmengine.runner:Runner.setup_env": "9e3f15ea06d4",
    "mmengine.runner:Runner.train": "98de231f177d",
    "mmengine.runner:Runner.val": "409e984c3223",
    "mmengine.runner:Runner.test": "f6417c4873cf",
    "mmengine.runner:Runner.load_or_resume": "9c653d074f92",
    "mmengine.runner:Runner.build_dataloader": "5ba55eedc45e",
    "mmengine.runner:Runner.build_optim_wrapper": "1c326faca290",
    "mmengine.runner:Runner.build_param_scheduler": "493dc49379c4",
    "mmengine.runner:Runner.build_visualizer": "c7059a4943f1",
    "mmengine.runner:Runner.wrap_model": "1b219f958f8a",
    "mmengine.runner:Runner.call_hook": "77625be1a1c1",
    "mmengine.runner:Runner.register_default_hooks": "e16ec1a6dc76",
    "mmengine.runner:Runner._log_env": "ab31efbd6a50",
    "mmengine.hooks:EMAHook._swap_ema_parameters": "80e5d7b61520",
    "mmengine.hooks:EMAHook.before_save_checkpoint": "b3210a404b53",
    "mmengine.hooks:EMAHook.after_load_checkpoint": "b9d1195e1648",
    "mmengine.hooks:RuntimeInfoHook.after_train_iter": "fc41c84b6a47",
    "mmengine.logging:HistoryBuffer": "0b351b685d55",
    "mmengine.logging:MessageHub.load_state_dict": "9d402233c71d",
    "mmengine.optim:OptimWrapper.load_state_dict": "f352db570feb",
    "mmengine.visualization:Visualizer._initialize_fig": "27cc30becac1",
}


def found(module, path):
    target = import_module(module)
    for part in path.split("."):
        target = inspect.getattr_static(target, part)
    return target.__func__ if isinstance(target, staticmethod | classmethod) else target


def original(module, path):
    """mmengine's own function where realdeg put one in its place."""
    own = {"get": internals._mmengine_get, "build": internals._mmengine_build}
    own["switch_scope_and_registry"] = internals._mmengine_switch
    name = path.rpartition(".")[2]
    return own[name] if path.startswith("Registry.") and name in own else found(module, path)


@pytest.mark.parametrize(("module", "path", "wanted"), FUNCTIONS, ids=lambda value: value[:40])
def test_parameters_are_those_that_were_read(module, path, wanted):
    assert ", ".join(inspect.signature(original(module, path)).parameters) == wanted


@pytest.mark.parametrize("place", CODE)
def test_code_is_that_which_was_read(place):
    module, _, path = place.partition(":")
    source = inspect.getsource(inspect.unwrap(original(module, path)))
    assert hashlib.sha256(source.encode()).hexdigest()[:12] == CODE[place]


def test_attributes_are_there():
    for module, classes in internals.ATTRIBUTES.items():
        for name, attributes in classes.items():
            source = inspect.getsource(getattr(import_module(module), name))
            for attribute in attributes:
                assert re.search(rf"self\.{attribute}\b|'{attribute}'", source), attribute


EXTENDED = {
    "mmengine.config": ("Config",),
    "mmengine.registry": ("Registry",),
    "mmengine.runner": ("Runner",),
    "mmengine.hooks": ("EMAHook", "RuntimeInfoHook"),
    "mmengine.visualization": ("Visualizer",),
    "mmengine.logging": ("MessageHub", "HistoryBuffer"),
    "mmengine.optim": ("OptimWrapper", "OptimWrapperDict"),
}
# Attributes of loops and of our own objects that have a namesake there.
OURS = {"_iter", "_epoch"}


def private_names():
    """Everything private of the classes that realdeg extends or looks into."""
    names = set()
    for module, classes in EXTENDED.items():
        for name in classes:
            cls = getattr(import_module(module), name)
            names |= {key for key in vars(cls) if key.startswith("_") and not key.startswith("__")}
            names |= set(re.findall(r"self\.(_[a-z]\w*)", inspect.getsource(cls)))
    return names - OURS


def test_no_other_file_uses_a_private_name_of_mmengine():
    listed = {path.rpartition(".")[2] for _, path, _ in FUNCTIONS}
    listed |= {a for c in internals.ATTRIBUTES.values() for names in c.values() for a in names}
    everywhere = {name for name in listed if name.startswith("_")}
    extended, wrong = private_names(), []
    for file in set(PACKAGE.rglob("*.py")) - {Path(internals.__file__)}:
        # Elsewhere, short names such as ``_name`` are too common to mean mmengine's.
        private = everywhere | (extended if file.is_relative_to(PACKAGE / "engine") else set())
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = set()
            if isinstance(node, ast.Attribute):
                names = {node.attr} & private
            elif isinstance(node, ast.FunctionDef):
                names = {node.name} & private
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mmengine"):
                names = {alias.name for alias in node.names if alias.name.startswith("_")}
            wrong += [f"{file.relative_to(PACKAGE)}:{node.lineno} {name}" for name in names]
    assert not wrong, sorted(wrong)


@pytest.mark.parametrize(
    ("versions", "loaded", "said"),
    [
        ({"mmengine": "0.11.0"}, "0.11.0", "mmengine 0.11.0 is installed"),
        ({"mmengine": "0.10.6"}, "0.10.6", "mmengine 0.10.6 is installed"),
        ({"mmengine": "0.10.8rc1"}, "0.10.8rc1", "0.10.8rc1"),
        ({"mmengine": "0.10.7"}, "0.12.1", "its files are of 0.12.1"),
        (
            {"mmengine": "0.10.7", "onedl-mmengine": "0.11.2"},
            "0.11.2",
            "fork onedl-mmengine 0.11.2",
        ),
        ({"onedl-mmengine": "0.10.7"}, "0.10.7", "fork onedl-mmengine 0.10.7"),
        ({}, "0.9.1", "mmengine 0.9.1"),
    ],
)
def test_another_mmengine_is_refused_in_a_sentence(monkeypatch, versions, loaded, said):
    monkeypatch.setattr(internals, "_distribution", versions.get)
    monkeypatch.setattr(mmengine, "__version__", loaded)
    with pytest.raises(ConfigError, match=re.escape(said)) as refused:
        internals.check_version()
    assert "pip install 'mmengine>=0.10.7,<0.11'" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("version", ["0.10.7", "0.10.12"])
def test_what_was_tested_is_taken(monkeypatch, version):
    for versions in ({"mmengine": version}, {}):
        monkeypatch.setattr(internals, "_distribution", versions.get)
        monkeypatch.setattr(mmengine, "__version__", version)
        internals.check_version()


def test_a_missing_name_is_refused(monkeypatch):
    monkeypatch.delattr(mmengine.registry.Registry, "_search_child")
    with pytest.raises(ConfigError, match=r"has no mmengine\.registry\.Registry\._search_child"):
        internals.check_names("mmengine.registry")


def test_the_command_line_says_it_without_a_traceback(tmp_path):
    meta = tmp_path / "onedl_mmengine-0.11.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: onedl-mmengine\nVersion: 0.11.0\n")
    code = textwrap.dedent(
        f"""
        import sys
        sys.path.append({str(tmp_path)!r})
        from realdeg.cli.main import main
        sys.exit(main(["list", "configs"]))
        """
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith("error: the fork onedl-mmengine 0.11.0")
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1


def test_an_absent_mmengine_is_a_sentence():
    code = (
        "import sys\n"
        "sys.modules['mmengine'] = None\n"
        "from realdeg.cli.main import main\n"
        "sys.exit(main(['train', 'x']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "the package mmengine is not installed" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_wanted_version_is_the_declared_one():
    declared = [r for r in metadata.requires("realdeg") or [] if re.match(r"mmengine\b", r)]
    if declared:  # the metadata of an installed realdeg; a checkout has setup.cfg
        assert set(internals.WANTED.split(",")) == set(declared[0][len("mmengine") :].split(","))
    text = (PACKAGE.parent / "setup.cfg").read_text(encoding="utf-8")
    assert f"mmengine{internals.WANTED}" in text.replace(" ", "")
