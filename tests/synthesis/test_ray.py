"""Shards on a Ray cluster: the actor by itself, and a cluster of three nodes that loses one."""

import json
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

import realdeg
from realdeg.apis import dataset_engines
from realdeg.apis.dataset_shards import ShardOutcome
from realdeg.errors import ConfigError
from realdeg.synthesis.plan import PLAN_NAME
from tests.synthesis.conftest import make, tree


@pytest.fixture
def maker(hr, tmp_path, monkeypatch):
    """What a run hands to its engine, and the folder it would have filled."""
    kept = []

    def keep(maker, shards, *args, **settings):
        kept.append((maker, list(shards)))
        return []

    with monkeypatch.context() as patched:
        patched.setattr("realdeg.apis.dataset.run_shards", keep)
        make(hr, tmp_path / "out", to="tar")
    return kept[0]


@pytest.fixture
def actor(monkeypatch):
    """An actor without a cluster: references are what they refer to."""
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(get=lambda reference: reference))
    from realdeg.apis.dataset_ray import _Count, _ShardActor
    from realdeg.apis.dataset_shards import versions_of

    def start(maker, versions=None, attempts=0):
        count = _Count()
        remote = SimpleNamespace(
            add=SimpleNamespace(remote=lambda shard: count.add(shard) + attempts)
        )
        versions = versions_of(maker.sink) if versions is None else versions
        return _ShardActor([maker, remote], versions, "cpu", str(maker.root.parent))

    return start


def test_an_actor_writes_the_bytes_of_a_process(maker, actor, hr, tmp_path):
    made, shards = maker
    answers = actor(made)({"item": shards})
    assert answers["shard"] == shards
    outcomes = [ShardOutcome.from_plain(json.loads(text)) for text in answers["answer"]]
    assert sum(outcome.samples for outcome in outcomes) == 7
    assert not any(outcome.failed for outcome in outcomes)
    realdeg.merge_dataset(tmp_path / "out")
    make(hr, tmp_path / "one", to="tar")
    assert tree(tmp_path / "out") == tree(tmp_path / "one")


def test_outcomes_survive_the_way_to_the_driver(maker, actor, hr):
    made, shards = maker
    (hr / "a.png").write_bytes(b"no image")
    (text,) = actor(made)({"item": shards[:1]})["answer"]
    outcome = ShardOutcome.from_plain(json.loads(text))
    assert [failure.name for failure in outcome.failed] == ["a.png"]
    assert outcome.failed[0].reason
    assert outcome.made == ["b.v2.png"]


def test_a_machine_with_other_versions_is_refused(maker, actor):
    made, shards = maker
    (text, *_) = actor(made, versions={"torch": "0.1"})({"item": shards})["answer"]
    answer = json.loads(text)
    assert answer["error"] == "ConfigError"
    assert "and the run was started with 0.1: results would differ" in answer["message"]


def test_a_machine_without_the_folder_is_refused(maker, actor, tmp_path):
    made, shards = maker
    elsewhere = replace(made, root=tmp_path / "mounted nowhere")
    (text, *_) = actor(elsewhere)({"item": shards})["answer"]
    assert json.loads(text)["error"] == "OutputError"
    assert "does not see the folder" in text and "mounted nowhere" in text
    (tmp_path / "out" / PLAN_NAME).write_text("{}")
    (text, *_) = actor(made)({"item": shards})["answer"]
    assert "does not see the folder" in text


def test_a_shard_that_ends_its_process_again_and_again_is_given_up(maker, actor):
    made, shards = maker
    (text,) = actor(made, attempts=6)({"item": shards[:1]})["answer"]
    outcome = ShardOutcome.from_plain(json.loads(text))
    assert [failure.name for failure in outcome.failed] == ["shard 0"]
    assert "ended 6 times" in outcome.failed[0].reason


def test_ray_that_is_not_installed_is_named(hr, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"realdeg\[ray\]"):
        make(hr, tmp_path / "out", engine="ray")


def test_a_job_without_shards_needs_no_cluster(hr, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    made = make(hr, tmp_path / "out", engine="ray", shard=(5, 9))
    assert made.ok and made.missing == 4 and not made.made


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(engine="dask"), "'local' or 'ray', got 'dask'"),
        (dict(address="auto"), "engine='ray'"),
        (dict(engine="ray", device="cuda:1"), "'cpu' or 'cuda', got 'cuda:1'"),
        (dict(engine="ray", jobs=0), "from 1 to 1024"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(hr, tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message):
        make(hr, tmp_path / "out", **settings)
    assert not (tmp_path / "out").exists()


def test_the_command_line_hands_engine_and_address_over(hr, tmp_path, monkeypatch):
    from realdeg.cli.main import main

    seen = {}

    def keep(maker, shards, engine, **settings):
        seen.update(settings, engine=engine)
        return dataset_engines.run_shards(
            maker, shards, "local", jobs=1, device="cpu", progress=False
        )

    monkeypatch.setattr("realdeg.apis.dataset.run_shards", keep)
    words = ["degrade", "Bicubic", str(hr), str(tmp_path / "out"), "--scale", "2", "--quiet"]
    assert main([*words, "--to", "tar", "--engine", "ray", "--address", "auto"]) == 0
    assert (seen["engine"], seen["address"], seen["jobs"]) == ("ray", "auto", None)


@pytest.mark.slow
def test_a_cluster_that_loses_a_node_makes_the_same_bytes(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="needs ray")
    from ray.cluster_utils import Cluster

    from realdeg.utils.image import write_image
    from tests.synthesis.conftest import picture

    for number in range(24):
        write_image(tmp_path / "hr" / f"{number:02d}.png", picture(256, 320, seed=number))
    settings = dict(scale=2, to="tar", variants=4, shard_size=1, progress=False)
    realdeg.degrade_dataset("RealESRGAN", tmp_path / "hr", tmp_path / "one", jobs=1, **settings)
    memory = 80 << 20
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": memory}
    )
    try:
        nodes = [cluster.add_node(num_cpus=1, object_store_memory=memory) for _ in range(3)]
        records = tmp_path / "two" / "manifest"

        def lose_one():
            while len(list(records.glob("*.jsonl"))) < 4:
                time.sleep(0.05)
            cluster.remove_node(nodes[0], allow_graceful=False)
            lost.append(len(list(records.glob("*.jsonl"))))

        lost: list[int] = []
        killer = threading.Thread(target=lose_one, daemon=True)
        killer.start()
        made = realdeg.degrade_dataset(
            "RealESRGAN",
            tmp_path / "hr",
            tmp_path / "two",
            engine="ray",
            address=cluster.address,
            **settings,
        )
        killer.join(60)
        assert lost and lost[0] < 24, "the node was lost after the run"
        assert made.ok and not made.missing and made.samples == 96
        assert tree(tmp_path / "one") == tree(tmp_path / "two")
        with monkeypatch.context() as patched, pytest.raises(ConfigError) as caught:
            # Actors import it anew, so that they differ from what this process states.
            patched.setattr("realdeg.apis.dataset_ray.versions_of", lambda sink: {"torch": "0"})
            make(tmp_path / "hr", tmp_path / "other", engine="ray", address=cluster.address)
        assert "and the run was started with 0: results would differ" in str(caught.value)
        with pytest.raises(ConfigError, match="has no GPU"):
            make(
                tmp_path / "hr",
                tmp_path / "three",
                engine="ray",
                device="cuda",
                address=cluster.address,
            )
    finally:
        cluster.shutdown()


def test_a_cluster_that_is_not_there_is_named(hr, tmp_path):
    pytest.importorskip("ray", reason="needs ray")
    with pytest.raises(ConfigError, match="nothing answers at 127.0.0.1:1 "):
        make(hr, tmp_path / "out", engine="ray", address="127.0.0.1:1")
