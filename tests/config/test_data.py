"""YAML and JSON configs are data: nothing that they say is imported, called or run."""

import json
import sys

import pytest

from realdeg.config import inject, load_config
from realdeg.errors import ConfigError

NAME = "dml/dml_n8_realsr_x4"
TRAP = "open('ran', 'w').close()\n"


@pytest.fixture(autouse=True)
def traps(tmp_path, monkeypatch):
    """A module and a program that leave a trace when they are run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "trap_for_config").mkdir()
    for name in ("trap_for_config/__init__.py", "trap_for_config/registry.py", "trap.py"):
        (tmp_path / name).write_text(TRAP)
    yield tmp_path
    assert not [name for name in sys.modules if name.startswith("trap_for_config")]
    assert not (tmp_path / "ran").exists()


def write(folder, name, data):
    (folder / name).write_text(data if isinstance(data, str) else json.dumps(data))
    return folder / name


def test_a_recipe_as_base_and_data_over_it(traps):
    text = f"_base_: realdeg::{NAME}\ndegradation: {{num_kernels: 2}}\nseed: 3\n"
    found = load_config(write(traps, "mine.yaml", text))
    assert found.degradation.num_kernels == 2 and found.degradation.kernel_size == 15
    assert inject(found).model.degradation.scale == 4
    same = {"_base_": [f"realdeg::{NAME}.py"], "degradation": {"num_kernels": 2}, "seed": 3}
    assert load_config(write(traps, "mine.json", same)).to_dict() == found.to_dict()
    python = f"_base_ = 'realdeg::{NAME}.py'\ndegradation = dict(num_kernels=2)\nseed = 3\n"
    assert load_config(write(traps, "mine.py", python)).to_dict() == found.to_dict()


def test_data_as_base_of_data_and_of_a_program(traps):
    write(traps, "base.yaml", f"_base_: realdeg::{NAME}\nscale: 2\n")
    typed = {"_base_": "base.yaml", "degradation": {"type": "DirectNet"}}
    found = load_config(write(traps, "over.json", typed))
    assert found.scale == 2 and found.degradation == dict(type="DirectNet")
    found = load_config(write(traps, "over.py", "_base_ = 'base.yaml'\nseed = 5\n"))
    assert found.scale == 2 and found.seed == 5


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"custom_imports": {"imports": ["trap_for_config"]}}, "asks to import trap_for_config"),
        ({"custom_imports": "trap_for_config"}, "asks to import trap_for_config"),
        ({"degradation": {"type": "os.system", "command": "touch ran"}}, "not a registered name"),
        ({"degradation": {"type": "trap_for_config.Thing"}}, "not a registered name"),
        ({"model": {"loss": {"type": "subprocess.getoutput"}}}, "'model.loss.type'"),
        ({"env_cfg": {"x": [{"type": "os.getcwd"}]}}, "'env_cfg.x.0.type'"),
        ({"degradation": {"type": "../../etc"}}, "degradation.type"),
        ({"degradation": {"type": "DML", "_scope_": "trap_for_config"}}, "'degradation._scope_'"),
        ({"default_scope": "trap_for_config"}, "default_scope"),
        ({"_base_": "trap.py"}, "inherits from 'trap.py', which is a program"),
        ({"_base_": "realdeg::../../trap"}, "no recipe"),
        ({"_base_": "realdeg::{here}/trap"}, "no recipe"),
        ({"_base_": "mmdet::trap.py"}, "which is a program"),
        ({"_base_": "absent.yaml"}, "does not exist"),
        ({"_base_": "x" * 5000 + ".yaml"}, "does not exist"),
        ({"_base_": 3}, "wanted the name of a file"),
        ({"data_root": "{{ fileDirname }}/data"}, "only in .py configs"),
        ({"data_root": "{{$HOME:x}}"}, "only in .py configs"),
        ({"pretty_text": "x"}, "unknown top-level key 'pretty_text'"),
    ],
)
def test_data_that_asks_for_code(traps, suffix, data, said):
    whole = {"_base_": f"realdeg::{NAME}", **data}
    base = whole["_base_"]
    whole["_base_"] = base.replace("{here}", str(traps)) if isinstance(base, str) else base
    with pytest.raises(ConfigError, match=said):  # JSON is YAML, too
        load_config(write(traps, f"mine{suffix}", whole))
    program = f"_base_ = 'mine{suffix}'\n"  # mmengine would read a base of YAML with a full loader
    with pytest.raises(ConfigError):
        load_config(write(traps, "over.py", program))


def test_tags_of_python_in_a_base_of_a_program(traps):
    write(traps, "base.yaml", "a: !!python/object/apply:os.system ['touch ran']\n")
    with pytest.raises(ConfigError, match="tag !!python"):
        load_config(write(traps, "over.py", "_base_ = 'base.yaml'\n"))


def test_bases_in_a_circle_and_without_end(traps):
    write(traps, "a.yaml", "_base_: b.yaml\n")
    write(traps, "b.yaml", "_base_: a.yaml\n")
    with pytest.raises(ConfigError, match="its own base"):
        load_config(traps / "a.yaml")
    for level in range(12):
        write(traps, f"l{level}.yaml", f"_base_: [l{level + 1}.yaml, l{level + 1}.yaml]\n")
    write(traps, "l12.yaml", "{}\n")
    with pytest.raises(ConfigError, match="more than 32 files"):
        load_config(traps / "l0.yaml")


def test_the_user_may_say_what_data_may_not(traps):
    write(
        traps,
        "of_mine_for_data.py",
        "from realdeg.degradations import Degradation\n"
        "from realdeg.registry import DEGRADATIONS\n"
        "@DEGRADATIONS.register_module(force=True)\n"
        "class OfMineForData(Degradation):\n"
        "    pass\n",
    )
    data = {
        "_base_": f"realdeg::{NAME}",
        "custom_imports": {"imports": ["trap_for_config"]},
        "degradation": {"type": "OfMineForData"},
    }
    file = write(traps, "mine.json", data)
    found = load_config(file, {"custom_imports.imports": ["of_mine_for_data"]})
    assert found.custom_imports.imports == ["of_mine_for_data"]
    from realdeg.registry import DEGRADATIONS

    DEGRADATIONS.module_dict.pop("OfMineForData")
    sys.modules.pop("of_mine_for_data")


def test_other_suffixes(traps):
    with pytest.raises(ConfigError, match="a config is a .py, .yaml or .json file"):
        load_config(write(traps, "mine.toml", "a = 1"))
