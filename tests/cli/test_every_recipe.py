"""Every shipped recipe trains, is tested, and is tested again from the folder of its run.

One iteration each on tiny data. What passed is remembered beside pytest's cache for as long as no
source changes, so a run that was stopped goes on where it ended.
"""

import hashlib
import json
from pathlib import Path

import pytest

from realdeg.cli.main import main
from realdeg.config import list_configs, load_config
from realdeg.registry import BACKBONES
from tests.cli.recipe_runs import make_data, make_weights, options_for

# One of each kind: pairs, closed form, without pairs, a mixture, noise, a start from another run,
# a degradation and a network together.
HANDFUL = (
    "dml/dml_n8_realsr_x4",
    "global_kernel/global_kernel_realsrv3_x2",
    "dsgan/dsgan_realsrv3crops_x4_cpu",
    "vdsr/vdsr_ntire19_real_syn_dml_x4_cpu",
    "ircnn/ircnn_noise15_x1_cpu",
    "edsr/edsr_div2k_x4_from_x2",
    "low_to_high/low_to_high_realsrv3crops_x4_cpu",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    make_data(root)
    return root


@pytest.fixture(scope="module")
def passed(pytestconfig, repository, tmp_path_factory):
    """A folder with one file for each recipe that passed with these sources."""
    digest = hashlib.sha256()
    files = [*repository.glob("realdeg/**/*.py"), *repository.glob("configs/**/*.py"), __file__]
    for file in sorted(map(Path, files)):
        digest.update(file.read_bytes())
    name = f"recipes-{digest.hexdigest()[:16]}"
    cache = getattr(pytestconfig, "cache", None)  # it can be switched off
    return cache.mkdir(name) if cache is not None else tmp_path_factory.mktemp(name)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def report(folder):
    found = json.loads((folder / "test" / "report.json").read_text(encoding="utf-8"))
    assert found["complete"] is True and found["mean"] and found["images"]
    return found


# Learned without pairs, from data that have none to test on either, or from kernels alone.
UNTESTED = (
    "dsgan/dsgan_df2k_x4",
    "high_to_low/high_to_low_faces_x4",
    *(name for name in list_configs() if name.startswith(("fkp/", "kmsr/kmsr_generator"))),
    *(
        name
        for name in list_configs()
        if name.startswith(("pdm/", "low_to_high/")) and "crops" not in name
    ),
)


def go_through(name, data, capsys):
    make_weights(name)
    told = ["--device", "cpu", "--cfg-options", *options_for(name, data)]
    backbone = load_config(name).get("backbone") or {}
    if getattr(BACKBONES.get(backbone.get("type")), "zero_shot", False):
        if backbone.get("kernel") == "kernelgan":
            told.append("backbone.kernel=None")  # it needs larger LR images than there are
        assert main(["test", name, "--no-pictures", "--work-dir", "once", *told]) == 0
        report(Path("once"))
        return
    assert main(["train", name, *told]) == 0
    run = Path("work_dirs") / name.partition("/")[2]
    written = sorted(run.glob("*.safetensors"))
    # Joint training writes the network and the degradation.
    assert [file.stem for file in written] in (
        ["backbone"],
        ["degradation"],
        ["backbone", "degradation"],
        ["estimator"],
    )
    weights = written[0]
    if name in UNTESTED:
        assert main(["test", str(run), "--device", "cpu"]) == 2
        assert "has no 'test_dataloader'" in capsys.readouterr().err
        return
    again = ["--no-pictures", "--work-dir", "again"]
    assert main(["test", name, str(weights), *again, *told]) == 0
    first = report(Path("again"))
    assert main(["test", str(run), "--device", "cpu"]) == 0
    second = report(run)
    assert second["mean"] == first["mean"] and second["images"] == first["images"]
    assert second["checkpoint_hash"] == first["checkpoint_hash"]


def test_the_handful_is_shipped():
    assert set(HANDFUL) <= set(list_configs())


@pytest.mark.parametrize("name", HANDFUL)
def test_a_recipe_of_each_kind(name, data, capsys):
    go_through(name, data, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(list_configs()) - set(HANDFUL)))
def test_every_recipe(name, data, passed, capsys):
    done = passed / name.replace("/", "__")
    if done.exists():
        pytest.skip("passed before with the same sources")
    go_through(name, data, capsys)
    done.touch()
