"""Published weights by name: the catalogue, and networks that are filled from it."""

# ruff: noqa: F401, F811 (fixtures are imported by name)

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import replace
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch

from realdeg import create_backbone
from realdeg.backbones import VDSR
from realdeg.backbones.build import registered_name
from realdeg.backbones.pretrained import CATALOGUE, catalogue, find_pretrained
from realdeg.backbones.pretrained.cache import path_of
from realdeg.backbones.pretrained.table import lines, table
from realdeg.backbones.weights import read_weights
from realdeg.cli.main import main
from realdeg.config.check import validate
from realdeg.errors import CheckpointError, ConfigError, GeometryError
from realdeg.registry import BACKBONES
from realdeg.utils.arguments import check_arguments
from realdeg.utils.image import write_image
from tests.backbones.weights_server import entry, home, server


@pytest.fixture
def published(server, entry, monkeypatch, tmp_path):
    """A small VDSR, published as ``test``."""
    wanted = VDSR(scale=2, depth=3, width=4)
    torch.save({"net": {f"netG.{k}": v for k, v in wanted.state_dict().items()}}, tmp_path / "w")
    server.data = (tmp_path / "w").read_bytes()
    digest = hashlib.sha256(server.data).hexdigest()
    entry = replace(entry, sha256=digest, size=len(server.data))
    monkeypatch.setattr(catalogue, "CATALOGUE", (entry,))
    return wanted


def same(network, wanted):
    pairs = zip(network.state_dict().values(), wanted.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


class TestNetworks:
    def test_by_name(self, published):
        for name in ("VDSR", "vdsr", "V_D-SR"):
            found = create_backbone(name, pretrained="test")
            assert found.scale == 2 and same(found, published)

    def test_at_the_command_line(self, published, tmp_path, monkeypatch, capsys):
        """The same with and without ``--model``; offline, what to put where."""
        write_image(tmp_path / "lr.png", np.full((6, 6, 3), 90, np.uint8))
        lr, folder, quiet = str(tmp_path / "lr.png"), str(tmp_path / "sr") + "/", ["--quiet"]
        monkeypatch.setenv("REALDEG_OFFLINE", "1")
        assert main(["infer", "--model", "VDSR:test", lr, folder, *quiet]) == 2
        told = capsys.readouterr().err
        place = path_of(catalogue.CATALOGUE[0])
        assert f"put it at {place}" in told and catalogue.CATALOGUE[0].sha256 in told
        assert not (tmp_path / "sr").exists()
        monkeypatch.delenv("REALDEG_OFFLINE")
        ways = {"a": ["--model", "VDSR:test", lr], "b": ["VDSR:test", lr], "c": ["test", lr]}
        ways["d"] = ["--model=vdsr:test", "--scale=2", lr]
        for name, words in ways.items():
            assert main(["infer", *words, str(tmp_path / f"{name}.png"), *quiet]) == 0
        assert place.is_file() and len({(tmp_path / f"{n}.png").read_bytes() for n in ways}) == 1

    def test_in_a_config(self, published):
        found = create_backbone({"type": "VDSR", "pretrained": "test"}, scale=2)
        assert same(found, published)
        assert create_backbone({"type": VDSR, "pretrained": "test"}).scale == 2

    def test_counts_as_weights(self, published):
        found = create_backbone({"type": "VDSR", "pretrained": "test"}, trained=True)
        assert same(found, published)
        found = create_backbone("VDSR", options={"backbone.pretrained": "test"}, trained=True)
        assert same(found, published)
        with pytest.raises(ConfigError, match="has no weights"):
            create_backbone({"type": "VDSR"}, trained=True)

    def test_as_a_start(self, published):
        cfg = {"type": "VDSR", "depth": 3, "width": 4, "start_from": {"pretrained": "test"}}
        assert same(create_backbone(cfg, scale=2), published)
        with pytest.raises(GeometryError, match="come in x2, and scale 4"):
            create_backbone(cfg, scale=4)
        cfg["start_from"] = {"pretrained": "test", "scale": 2, "ignore": ("output.",)}
        found = create_backbone(cfg, scale=4)
        assert torch.equal(found.input.weight, published.input.weight)
        assert not torch.equal(found.output.weight, published.output.weight)

    def test_a_start_brings_no_arguments(self, published):
        with pytest.raises(CheckpointError):
            create_backbone({"type": "VDSR", "start_from": {"pretrained": "test"}}, scale=2)

    def test_words_of_a_config(self):
        validate({"backbone": {"type": "VDSR", "pretrained": "test"}})
        validate({"backbone": {"type": "VDSR", "start_from": {"pretrained": "a", "scale": 2}}})
        with pytest.raises(ConfigError, match=r"unknown key 'backbone\.start_from\.pretraind'"):
            validate(
                {"backbone": {"type": "VDSR", "start_from": {"checkpoint": "a", "pretraind": 1}}}
            )
        with pytest.raises(ConfigError, match=r"wanted dict\(checkpoint='weights'"):
            validate({"backbone": {"type": "VDSR", "start_from": {"scale": 2}}})

    def test_refusals(self, published, tmp_path):
        with pytest.raises(ConfigError, match=r"no weights 'tset' of VDSR: it has test\. Did you"):
            create_backbone("VDSR", pretrained="tset")
        with pytest.raises(ConfigError, match="none in the catalogue"):
            create_backbone("RCAN", pretrained="test")
        with pytest.raises(GeometryError, match="come in x2, and scale 3 is asked for"):
            create_backbone("VDSR", 3, pretrained="test")
        with pytest.raises(ConfigError, match="only one of them can fill it"):
            create_backbone("VDSR", pretrained="test", weights=tmp_path / "w")
        with pytest.raises(ConfigError, match="only one of them can fill it"):
            create_backbone({"type": "VDSR", "pretrained": "test", "checkpoint": "w"})
        with pytest.raises(ConfigError, match="but no type"):
            create_backbone({"pretrained": "test"})
        with pytest.raises(
            CheckpointError, match=r"x2 is of VDSR\(scale=2, depth=3, width=4\): leave"
        ):
            create_backbone("VDSR", pretrained="test", width=5)
        both = {"checkpoint": "w", "pretrained": "test"}
        with pytest.raises(ConfigError, match="from only one of them"):
            create_backbone({"type": "VDSR", "start_from": both}, scale=2)

    def test_which_scale(self, monkeypatch, entry):
        three = replace(entry, name="three", scales=(2, 3, 4))
        two = (replace(entry, name="two"), replace(entry, name="two", scales=(3,)))
        monkeypatch.setattr(catalogue, "CATALOGUE", (three, *two))
        assert find_pretrained("VDSR", "three") == three and "scale" not in three.settings()
        assert find_pretrained("VDSR", "two", 3).settings()["scale"] == 3
        with pytest.raises(GeometryError, match="come in x2, x3: say which"):
            find_pretrained("VDSR", "two")

    @pytest.mark.parametrize("wrapper", ["params-ema", "model_state_dict", "net"])
    def test_wrappers_of_other_programs(self, tmp_path, wrapper):
        inner = {"module.netG.a.weight": torch.ones(2)}
        torch.save({wrapper: inner, "step": 3, "other": {"b": torch.ones(1)}}, tmp_path / "w.pth")
        assert list(read_weights(tmp_path / "w.pth")) == ["a.weight"]


class TestCatalogue:
    def test_names_are_told_apart(self):
        names = BACKBONES.names()
        assert all(registered_name(name) == name for name in names)
        assert [registered_name(name.lower()) for name in names] == names
        assert registered_name("rrdb_net") == "RRDBNet" and registered_name("nope") == "nope"

    def test_each_is_found_again(self):
        for each in CATALOGUE:
            for scale in each.scales:
                assert find_pretrained(each.type, each.name, scale) is each
        files = Counter((each.type, each.file) for each in CATALOGUE)
        assert max(files.values()) == 1

    @pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: f"{entry.type}-{entry.file}")
    def test_what_is_said(self, entry):
        assert re.fullmatch(r"[a-z0-9-]+", entry.name)
        assert re.fullmatch(r"[\w.-]+", entry.file) and entry.licence and entry.scales
        assert urlsplit(entry.page).scheme == "https"
        if entry.url is not None:
            parts = urlsplit(entry.url)
            assert parts.scheme == "https" and parts.path.endswith(f"/{entry.file}")
        assert entry.url is not None or entry.note or entry.sha256
        assert (entry.sha256 is None) == (entry.hash_from is None)
        if entry.sha256 is not None:
            assert re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{64}", entry.sha256)
            assert (len(entry.sha256) == 8) == (entry.hash_from == "publisher")
        assert entry.git_blob is None or re.fullmatch(r"[0-9a-f]{40}", entry.git_blob)
        assert not entry.set5 or len(entry.set5) == len(entry.scales)
        assert all(value is None or 24 < value < 40 for value in entry.set5)

    def test_arguments_are_the_networks_own(self):
        for each in CATALOGUE:
            cls = BACKBONES.require(each.type)
            check_arguments(cls, each.settings(), str(each))
            allowed = cls.scales or range(1, 9)
            assert set(each.scales) <= set(allowed), each

    @pytest.mark.slow
    def test_every_network_can_be_built(self):
        # One of each form: building HAT-L takes seconds even without its numbers.
        forms = {(each.type, str(each.arguments)): each for each in CATALOGUE}
        for each in forms.values():
            with torch.device("meta"):
                network = create_backbone({**each.settings(), "type": each.type}, each.scales[-1])
            assert network.scale == each.scales[-1]

    def test_listing(self, capsys):
        assert main(["list", "pretrained", "swinir"]) == 0
        listed = capsys.readouterr().out.splitlines()
        assert listed == lines("swinir")
        assert re.match(
            r"SwinIR +classical-df2k +x2, x3, x4, x8 +Apache-2.0 +fetched when used", listed[0]
        )
        assert main(["list", "pretrained", "--table"]) == 0
        assert capsys.readouterr().out == table()
        assert main(["list", "losses", "--table"]) == 2

    def test_listing_says_what_is_here(self):
        entry = find_pretrained("VDSR", "twtygqyy")
        path_of(entry).parent.mkdir(parents=True)
        path_of(entry).touch()
        assert lines("twtygqyy")[-1].endswith("  here")

    def test_the_page_is_up_to_date(self, repository):
        page = (repository / "docs" / "pretrained.md").read_text(encoding="utf-8")
        assert table() in page, "renew it: realdeg list pretrained --table"
