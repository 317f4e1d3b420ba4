"""A sweep runs what is missing, goes on after a failure, and says so."""

import json

import pytest

from realdeg import sweep
from realdeg.apis import sweeping
from realdeg.apis.sweep_plan import combinations
from realdeg.cli.main import main
from realdeg.errors import ConfigError, TrainingError
from realdeg.runs import read_run

NAME = "vdsr/vdsr_ntire19_real_x4_cpu"
TINY = {
    "backbone.width": 4,
    "patch_size": 32,
    "batch_size": 1,
    "train_cfg.max_iters": 2,
    "train_cfg.val_interval": 2,
    "default_hooks.checkpoint.interval": 1,
    "default_hooks.alignment": None,
}


def swept(out, **changes):
    arguments = dict(seeds=(0, 1), grid={"backbone.depth": [3]}, options=TINY, sample=True)
    return sweep(NAME, out=out, device="cpu", **{**arguments, **changes})


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Two runs and their table."""
    folder = tmp_path_factory.mktemp("sweep") / "out"
    return folder, swept(folder)


def test_each_combination_is_a_run_and_they_are_compared(done):
    folder, result = done
    assert [run.folder.name for run in result.runs] == ["depth=3_seed=0", "depth=3_seed=1"]
    assert all(run.state == "finished" for run in result.runs) and not result.failed
    records = [read_run(run.folder) for run in result.runs]
    assert [run.seed for run in records] == [0, 1] and all(run.finished for run in records)
    assert records[0].reports[0].mean != records[1].reports[0].mean
    (group,) = result.comparison.groups
    assert (group.label, group.seeds) == ("depth=3", "0, 1")
    assert "depth=3" in (folder / "comparison.md").read_text()
    assert [run["state"] for run in json.loads((folder / "sweep.json").read_text())["runs"]] == [
        "finished",
        "finished",
    ]


def test_the_same_call_does_only_what_is_missing(done, monkeypatch):
    folder, _ = done
    (folder / "depth=3_seed=1" / "last_checkpoint").write_text("iter_1.pth")
    log = next((folder / "depth=3_seed=1").glob("2*/*.log"))
    log.write_text(log.read_text().replace(" - wrote ", " - killed before "))
    started = []
    real = __import__("realdeg.apis.training", fromlist=["train"]).train

    def train(config, **settings):
        started.append((settings["work_dir"].name, settings["resume"]))
        return real(config, **settings)

    monkeypatch.setattr("realdeg.apis.training.train", train)
    monkeypatch.setattr("realdeg.apis.testing.test", lambda *a, **k: pytest.fail("was tested"))
    result = swept(folder)
    assert started == [("depth=3_seed=1", True)]
    assert not result.failed


def test_tests_under_other_protocols_stand_beside_each_other(done):
    folder, _ = done
    first = (folder / "depth=3_seed=0" / "test" / "report.json").read_bytes()
    swept(folder, protocol="rgb")
    swept(folder, protocol=dict(base="rgb", border=4, name="rgb/4"))
    run = read_run(folder / "depth=3_seed=0")
    assert (run.folder / "test" / "report.json").read_bytes() == first
    places = {report.file.relative_to(run.folder).parts[0] for report in run.reports}
    assert places == {"test", "test_rgb", "test_rgb-4"}


def test_another_config_is_not_taken_for_the_same_run(done):
    result = swept(done[0], options={**TINY, "backbone.width": 6})
    assert len(result.failed) == 2
    assert "another config: 'backbone' is" in result.failed[0].reason


@pytest.fixture
def pretended(monkeypatch):
    """Runs that end at once: settings by folder."""
    seen = {}

    def run(config, one, folder, given, tested):
        seen[folder.name] = one.options
        if one.options["backbone.depth"] == 4:
            raise TrainingError("the loss is not finite.")
        if one.seed == 9:
            raise ZeroDivisionError("a bug")

    monkeypatch.setattr(sweeping, "_run", run)
    return seen


def test_a_failure_ends_its_own_run_alone(pretended, tmp_path, capsys):
    words = ["sweep", NAME, "--sample", "--seeds", "0", "9", "--set", "backbone.depth=3,4"]
    assert main([*words, "-o", str(tmp_path)]) == 2
    shown = capsys.readouterr().out
    assert "3 of 4 runs failed:" in shown
    assert "depth=4_seed=0: the loss is not finite." in shown
    assert "depth=3_seed=9: ZeroDivisionError: a bug" in shown
    states = [run["state"] for run in json.loads((tmp_path / "sweep.json").read_text())["runs"]]
    assert states == ["finished", "failed", "failed", "failed"]


def test_an_interruption_ends_the_sweep(monkeypatch, tmp_path):
    def stop(*arguments):
        raise SystemExit(130)

    monkeypatch.setattr(sweeping, "_run", stop)
    with pytest.raises(SystemExit, match="130"):
        swept(tmp_path)
    states = [run["state"] for run in json.loads((tmp_path / "sweep.json").read_text())["runs"]]
    assert states == ["planned", "planned"]


def test_dry_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["--set", "backbone.depth=3,4", "backbone.width=4", "--seeds", "1", "2", "--dry-run"]
    assert main(["sweep", NAME, *words]) == 0
    shown = capsys.readouterr().out
    assert "4 runs in work_dirs/vdsr_ntire19_real_x4_cpu_sweep:" in shown
    assert "  depth=4_width=4_seed=2\n" in shown
    assert not list(tmp_path.iterdir())


def test_names_are_readable_and_differ():
    grid = {
        "backbone.depth": [3],
        "train_dataloader.batch_size": [1],
        "val_dataloader.batch_size": [1],
        "loss": [dict(type="L1Loss"), dict(type="MSELoss")],
        "file": ["a/b.pth", "a b.pth", "x" * 300],
        "model.parts.0": [[1, 2], True],
    }
    names = [one.name for one in combinations(grid, [0])]
    assert names[0].startswith("depth=3_train_dataloader.batch_size=1_val_dataloader.batch_size=1")
    assert "_loss=L1Loss_file=a-b.pth-" in names[0] and names[0].endswith("_seed=0")
    assert len(set(names)) == len(names) == 12
    assert all(len(name) < 255 and "/" not in name and " " not in name for name in names)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (dict(grid={"seed": [1]}), "give seeds"),
        (dict(grid={"backbone.depth": []}), "a list of different values"),
        (dict(grid={"backbone.depth": "34"}), "a list of different values"),
        (dict(seeds=(1, 1)), "'seed' of grid takes a list of different"),
        (dict(grid={"backbone.width": [3]}), "swept and set for all runs"),
        (dict(grid={"backbone.depht": [3]}), "Did you mean 'depth'"),
        (dict(seeds=range(10_001)), "at most 10000"),
        (dict(protocol="rbg"), "Did you mean 'rgb'"),
    ],
)
def test_bad_input(tmp_path, changes, says):
    with pytest.raises(ConfigError, match=says):
        swept(tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("pair", ["backbone.depth", "=3", "backbone.depth=", "a=dict(", "a=[1"])
def test_bad_set(pair, capsys):
    with pytest.raises(SystemExit):
        main(["sweep", NAME, "--set", pair])
    assert "--set" in capsys.readouterr().err
