"""Cards say what is known, and invent nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256

import pytest
import torch

from realdeg.backbones.pretrained import Pretrained, catalogue
from realdeg.errors import ConfigError, DataError, OutputError
from realdeg.evaluation import Report
from realdeg.evaluation.protocols import get_protocol
from realdeg.export import Origin, export_program, export_safetensors, write_card
from realdeg.export.card import network_hash


def measured(network, folder, digest=None, sample=False):
    report = Report("espcn", "Set5, x2", checkpoint_hash=digest or network_hash(network))
    report.sample = sample
    protocol = get_protocol("realsr-official")
    report.add_scores({f"psnr[{protocol.name}]": 36.615}, protocol=protocol)
    return report.write(folder)[0]


def card_of(network, folder, **settings):
    done = export_safetensors(network, folder / "espcn.safetensors", overwrite=True)
    json_path, markdown_path = write_card(done, network, **settings)
    assert (json_path.name, markdown_path.name) == ("espcn.json", "espcn.md")
    return json.loads(json_path.read_text()), markdown_path.read_text()


def test_nothing_is_invented(espcn, tmp_path):
    card, text = card_of(espcn, tmp_path)
    assert card["licence"] == "not stated" and "Licence of the weights: not stated" in text
    assert card["numbers"] == [] and "Not measured" in text
    assert card["training"]["data"] is None and "Data: not stated" in text
    assert "spandrel" not in text and "SAMPLE" not in text
    content = (tmp_path / "espcn.safetensors").read_bytes()
    assert card["files"][0]["sha256"] == sha256(content).hexdigest()
    assert card["files"][0]["sha256"] in text


def test_what_training_noted(espcn, weights, tmp_path):
    card, text = card_of(espcn, tmp_path, origin=Origin.of(weights))
    training = card["training"]
    assert (
        training["data"] == "dict(type='HRFolder', root='data/DIV2K')" and training["data"] in text
    )
    assert training["iterations"] == 1000 and training["seed"] == 3
    assert "Bicubic x2 (`Bicubic`, hash `0123456789abcdef`)" in text
    assert card["weights_from"]["file"] == "backbone.safetensors"
    assert card["network"]["hash"] == network_hash(espcn)
    parameters = sum(p.numel() for p in espcn.parameters())
    assert card["network"]["parameters"] == parameters and f"{parameters:,}" in text


@pytest.mark.parametrize(
    ("config", "data"),
    [
        ("train_dataloader = {'dataset': {'type': 'X'}}", "{'type': 'X'}"),
        ("train_dataloader = dict(batch_size=3)", None),
        ("train_dataloader = __import__('os')", None),
        ("seed = ", None),
        (7, None),
    ],
)
def test_training_data_is_read_and_not_run(config, data):
    assert Origin("x", notes={"config": config}).training_data() == data


@pytest.mark.parametrize("place", ["/home/me/mine.py", "C:\\Users\\me\\mine.py", "mine.py"])
def test_the_config_is_named_without_its_folder(espcn, tmp_path, place):
    origin = Origin("x", notes={"config_file": place})
    card, text = card_of(espcn, tmp_path, origin=origin)
    assert "- Config: mine.py\n" in text
    assert card["training"]["config"] == "mine.py"


def test_sample_runs_say_so(espcn, tmp_path):
    _, text = card_of(espcn, tmp_path, origin=Origin("x", notes={"sample": True}))
    assert "SAMPLE RUN" in text


def test_numbers_stand_with_their_protocol(espcn, tmp_path):
    report = measured(espcn, tmp_path / "test")
    card, text = card_of(espcn, tmp_path, reports=[report], licence="CC BY 4.0")
    (numbers,) = card["numbers"]
    assert numbers["mean"] == {"psnr[realsr-official]": 36.615}
    assert "realsr-official" in numbers["protocols"] and numbers["dataset"] == "Set5, x2"
    assert "| `psnr[realsr-official]` | 36.6" in text and "Protocol `realsr-official`" in text
    assert "Licence of the weights: CC BY 4.0" in text


def test_numbers_of_other_weights(espcn, tmp_path):
    report = measured(espcn, tmp_path / "test", digest="f" * 16)
    with pytest.raises(ConfigError, match=r"hash f{16}, but this network has"):
        card_of(espcn, tmp_path, reports=[report])
    assert not (tmp_path / "espcn.json").exists()


def test_sample_numbers_keep_their_notice(espcn, tmp_path):
    report = measured(espcn, tmp_path / "test", sample=True)
    _, text = card_of(espcn, tmp_path, reports=[report])
    assert "belong in no comparison" in text


@pytest.mark.parametrize("content", ["{", "[]", '{"format": "x"}', None])
def test_no_report(espcn, tmp_path, content):
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match="not a readable report"):
        card_of(espcn, tmp_path, reports=[path])


def test_forms_of_one_network_share_a_card(espcn, tmp_path):
    report = measured(espcn, tmp_path / "test")
    card_of(espcn, tmp_path, reports=[report], licence="MIT")
    done = export_program(espcn, tmp_path / "espcn.pt2")
    card = json.loads(write_card(done, espcn)[0].read_text())
    assert [item["name"] for item in card["files"]] == ["espcn.pt2", "espcn.safetensors"]
    assert card["licence"] == "MIT" and len(card["numbers"]) == 1
    text = (tmp_path / "espcn.md").read_text()
    assert "differs from the network by" in text and "torch.export.load" in text


def test_a_licence_that_is_known_later_is_said(espcn, tmp_path):
    card_of(espcn, tmp_path)
    done = export_program(espcn, tmp_path / "espcn.pt2")
    origin = Origin("x", notes={"licence": "MIT"})
    card = json.loads(write_card(done, espcn, origin=origin)[0].read_text())
    assert card["licence"] == "MIT"


@pytest.mark.parametrize("name", ["espcn.json", "espcn.md"])
def test_somebody_elses_file_stays(espcn, tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(OutputError, match="not a card of this network"):
        card_of(espcn, tmp_path)
    assert (tmp_path / name).read_text() == "mine"
    card_of(espcn, tmp_path, overwrite=True)


def test_another_network_does_not_continue_the_card(espcn, edsr, tmp_path):
    card_of(espcn, tmp_path, licence="MIT")
    with pytest.raises(OutputError, match="not a card of this network"):
        card_of(edsr, tmp_path)
    card, _ = card_of(edsr, tmp_path, overwrite=True)
    assert card["licence"] == "not stated" and len(card["files"]) == 1


def test_published_weights_bring_page_and_licence(espcn, tmp_path, monkeypatch):
    file = tmp_path / "ESPCN" / "espcn.pth"
    file.parent.mkdir()
    torch.save(espcn.state_dict(), file)
    entry = Pretrained(
        type="ESPCN",
        name="test",
        scales=(espcn.scale,),
        page="https://example.org/espcn",
        licence="MIT",
        trained_on="T91; bicubic",
        file="espcn.pth",
        sha256=sha256(file.read_bytes()).hexdigest(),
        hash_from="file",
    )
    monkeypatch.setattr(catalogue, "CATALOGUE", (entry,))
    monkeypatch.setattr("realdeg.export.origin.fetch_pretrained", lambda found: file)
    origin = Origin.of("ESPCN", {"backbone.pretrained": "test"}, espcn.scale)
    card, text = card_of(espcn, tmp_path, origin=origin)
    assert card["licence"] == "MIT (https://example.org/espcn)"
    assert card["weights_from"]["source"] == entry.page and "T91; bicubic" in text
    silent = replace(entry, licence="not stated")
    monkeypatch.setattr(catalogue, "CATALOGUE", (silent,))
    origin = Origin.of("ESPCN", {"backbone.pretrained": "test"}, espcn.scale)
    assert origin.notes["licence"] is None


@pytest.mark.parametrize("settings", [{"type": "SRCNN"}, {"type": "realdeg.SRCNN"}])
def test_the_files_own_scale_is_looked_up(settings, monkeypatch, tmp_path):
    fetched = []

    def fetch(entry):
        fetched.append(entry)
        return tmp_path / "config.py"

    monkeypatch.setattr("realdeg.export.origin.fetch_pretrained", fetch)
    backbone = {**settings, "pretrained": "yjn870", "scale": 2}
    (tmp_path / "config.py").write_text("")
    monkeypatch.setattr("realdeg.export.origin.load_config", lambda *_: {"backbone": backbone})
    Origin.of("any")
    assert [entry.scales for entry in fetched] == [(2,)]


HOSTILE = {
    "source": "<script>alert(1)</script>\x1b[2J\n# a heading\n[x](javascript:alert(1))",
    "licence": "MIT | `x`\r\n\r\n| a | b |",
    "config_file": "../../../etc/passwd",
    "iter": float("nan"),
    "seed": "\ud800",
    "realdeg_version": ["a"] * 5,
    "degradation": {"described": "<img src=x onerror=y>", "type": "`", "hash": None},
    "trained_on": "x" * 10**6,
}


@pytest.mark.parametrize("degradation", [HOSTILE["degradation"], "text", [1], 5])
def test_what_a_file_says_of_itself_is_text_and_nothing_else(espcn, tmp_path, degradation):
    origin = Origin("x", notes={**HOSTILE, "degradation": degradation})
    exported = export_safetensors(espcn, tmp_path / "out" / "x.safetensors")
    written = write_card(exported, espcn, origin=origin)
    assert sorted(each.name for each in tmp_path.rglob("*")) == [
        *("out", "x.json", "x.md", "x.safetensors")
    ]
    card = json.loads(written[0].read_text(encoding="utf-8"))
    assert card["training"]["config"] == "passwd" and card["training"]["iterations"] is None
    text = written[1].read_text(encoding="utf-8")
    assert "\x1b" not in text and "<" not in text.replace("&lt;", "")
    assert text.count("\n# ") == 0 and "\n[x](" not in text and " [x](" not in text
    assert len(text) < 10_000
    written = write_card(exported, espcn, origin=origin)  # the card is continued


def test_a_card_of_somebody_elses_making_is_not_continued(espcn, tmp_path):
    exported = export_safetensors(espcn, tmp_path / "x.safetensors")
    path, _ = write_card(exported, espcn)
    for change in ({"files": [5]}, {"numbers": 3}, {"training": []}, {"network": {"hash": "a"}}):
        card = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps({**card, **change}), encoding="utf-8")
        with pytest.raises(OutputError, match="not a card of this network"):
            write_card(exported, espcn)
        path.write_text(json.dumps(card), encoding="utf-8")
