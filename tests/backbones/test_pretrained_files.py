"""Files of published weights: faulty servers, interruptions, and what lies in the cache."""

# ruff: noqa: F401, F811 (fixtures are imported by name)

from __future__ import annotations

import errno
import hashlib
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial

import pytest

from realdeg.backbones.pretrained import download as downloading
from realdeg.backbones.pretrained import fetch as fetching
from realdeg.backbones.pretrained import fetch_pretrained as fetch
from realdeg.backbones.pretrained.cache import cache_folder, path_of
from realdeg.errors import CheckpointError, ConfigError, OutputError
from tests.backbones.weights_server import BYTES, DIGEST, entry, home, part_of, server


class TestFetching:
    def test_whole_and_only_once(self, server, entry):
        file = fetch(entry)
        assert file.read_bytes() == BYTES
        assert sorted(each.name for each in file.parent.iterdir()) == ["net.pth"]
        assert fetch(entry) == file and server.sent == len(BYTES)

    def test_truncated_is_noticed_and_gone_on_with(self, server, entry):
        server.faults = ["cut"]
        assert fetch(entry).read_bytes() == BYTES
        assert server.sent == len(BYTES)
        assert server.requests[1]["range"] == f"bytes={len(BYTES) // 2}-"

    def test_a_later_process_goes_on(self, server, entry):
        server.faults = ["cut", 404]
        with pytest.raises(CheckpointError, match="404"):
            fetch(entry)
        assert part_of(entry).stat().st_size == len(BYTES) // 2 and not path_of(entry).exists()
        assert fetch(entry).read_bytes() == BYTES
        assert server.sent == len(BYTES) and not part_of(entry).exists()

    def test_always_truncated(self, server, entry):
        server.faults, server.ranges = ["cut"] * 9, False
        with pytest.raises(CheckpointError, match=r"in 4 tries: the server ended it after 512000"):
            fetch(entry)
        assert not path_of(entry).exists()

    def test_truncated_without_a_length_known_before(self, server, entry):
        server.faults = ["cut"]
        assert fetch(replace(entry, size=None)).read_bytes() == BYTES

    def test_a_server_without_ranges_begins_again(self, server, entry):
        server.faults, server.ranges = ["cut"], False
        assert fetch(entry).read_bytes() == BYTES
        assert server.sent == len(BYTES) // 2 + len(BYTES)

    def test_a_file_that_changed_meanwhile_is_not_mixed(self, server, entry):
        server.faults = ["cut", 404]
        old = replace(entry, size=None, sha256=None)
        with pytest.raises(CheckpointError):
            fetch(old)
        server.data, server.tag = BYTES[::-1], '"two"'
        assert fetch(old).read_bytes() == BYTES[::-1]

    def test_a_note_is_never_of_another_beginning(self, server, entry, monkeypatch):
        server.faults = ["cut", 404]
        old = replace(entry, size=None, sha256=None)
        with pytest.raises(CheckpointError):
            fetch(old)
        server.data, server.tag = BYTES[::-1], '"two"'

        def interrupted(*args, **settings):
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(downloading, "progress_bar", interrupted)
            fetch(old)
        assert fetch(old).read_bytes() == BYTES[::-1]

    @pytest.mark.parametrize("tag", ["", 'W/"one"'])
    def test_without_a_strong_tag_it_begins_again(self, server, entry, tag):
        server.tag, server.faults = tag, ["cut"]
        assert fetch(entry).read_bytes() == BYTES
        assert "range" not in server.requests[1]

    def test_a_part_longer_than_the_file_begins_again(self, server, entry):
        server.faults = ["cut", 404]
        with pytest.raises(CheckpointError):
            fetch(entry)
        part_of(entry).write_bytes(BYTES + b"more")
        assert fetch(entry).read_bytes() == BYTES

    def test_other_bytes_are_not_kept(self, server, entry):
        server.data = BYTES[::-1]
        found = hashlib.sha256(server.data).hexdigest()
        with pytest.raises(
            CheckpointError, match=rf"found SHA-256 {found} .*wanted SHA-256 {DIGEST}"
        ):
            fetch(entry)
        assert not path_of(entry).exists() and not part_of(entry).exists()

    def test_another_length_is_not_fetched(self, server, entry):
        with pytest.raises(CheckpointError, match="has 1024000 bytes, expected 7"):
            fetch(replace(entry, size=7))
        assert not path_of(entry).exists()

    @pytest.mark.parametrize("fault", ["endless", "more"])
    def test_it_stops_at_the_known_length(self, server, entry, fault):
        server.faults = [fault]
        with pytest.raises(CheckpointError, match="more than its 1024000 bytes.*not kept"):
            fetch(entry)
        assert list(path_of(entry).parent.iterdir()) == []
        assert server.sent < 20 * len(BYTES)

    def test_it_stops_where_no_length_is_known(self, server, entry, monkeypatch):
        monkeypatch.setenv("REALDEG_MAX_DOWNLOAD", "500000")
        for fault in ("endless", None):  # without and with a Content-Length
            server.faults, server.sent = [fault], 0
            with pytest.raises(CheckpointError, match="more than 500000 bytes.*MAX_DOWNLOAD"):
                fetch(replace(entry, size=None))
            assert list(path_of(entry).parent.iterdir()) == []
            assert server.sent < 20 * len(BYTES)

    def test_the_beginning_of_a_hash_does(self, entry):
        assert fetch(replace(entry, sha256=DIGEST[:8])).is_file()
        path_of(entry).unlink()
        with pytest.raises(CheckpointError, match=r"wanted SHA-256 00000000\.\.\."):
            fetch(replace(entry, sha256="0" * 8))

    def test_a_git_blob_does(self, entry):
        blob = hashlib.sha1(b"blob %d\0" % len(BYTES) + BYTES).hexdigest()
        assert fetch(replace(entry, sha256=None, git_blob=blob)).is_file()
        with pytest.raises(CheckpointError, match=f"found Git blob {blob}"):
            fetch(replace(entry, sha256=None, git_blob="0" * 40))

    def test_passing_faults_are_tried_again(self, server, entry):
        server.faults = [503, 429]
        assert fetch(entry).is_file()

    def test_missing(self, server, entry):
        server.faults = [404]
        with pytest.raises(CheckpointError) as caught:
            fetch(entry)
        for wanted in ("404", server.url, DIGEST, str(path_of(entry)), entry.page):
            assert wanted in str(caught.value)
        assert len(server.requests) == 1

    def test_a_server_that_falls_silent(self, server, entry, monkeypatch):
        short = partial(downloading.download, pause=0.0, timeout=0.2, attempts=2)
        monkeypatch.setattr(fetching, "download", short)
        server.faults = ["silence", "silence"]
        with pytest.raises(CheckpointError, match="in 2 tries"):
            fetch(entry)
        server.faults = ["silence"]
        assert fetch(entry).is_file()

    def test_a_page_instead_of_a_file(self, server, entry):
        server.faults = ["page"]
        with pytest.raises(CheckpointError, match="a web page, not with a file"):
            fetch(replace(entry, size=None, sha256=None))

    def test_a_redirection(self, server, entry):
        server.faults = [f"to {server.url}"]
        assert fetch(entry).is_file()

    def test_a_redirection_to_plain_http(self, server, entry):
        server.faults = ["to http://example.org/net.pth"]
        with pytest.raises(
            ConfigError, match=r"redirects to http://example\.org/net\.pth, which is not"
        ):
            fetch(entry)

    @pytest.mark.parametrize("url", ["http://example.org/a", "ftp://localhost/a", "file:///etc/a"])
    def test_other_addresses(self, entry, url):
        with pytest.raises(ConfigError, match="which is not https"):
            fetch(replace(entry, url=url))

    def test_nothing_elsewhere_may_lead_to_this_machine(self):
        downloading.check_address("https://b.org/x", "https://a.org/x")
        with pytest.raises(ConfigError, match="not https"):
            downloading.check_address("http://localhost/x", "https://a.org/x")

    def test_no_network(self, entry):
        with pytest.raises(CheckpointError, match=r"nowhere\.invalid was not found") as caught:
            fetch(replace(entry, url="https://nowhere.invalid/net.pth"))
        assert str(path_of(entry)) in str(caught.value)

    def test_a_full_disk(self, server, entry, monkeypatch):
        def full(stream, block, part):
            raise downloading._cannot_write(part, OSError(errno.ENOSPC, "No space left on device"))

        monkeypatch.setattr(downloading, "_write", full)
        with pytest.raises(OutputError, match="No space left on device"):
            fetch(entry)

    def test_no_room_is_seen_before(self, server, entry, monkeypatch):
        usage = type("Usage", (), {"free": 100})
        monkeypatch.setattr(downloading.shutil, "disk_usage", lambda folder: usage)
        with pytest.raises(OutputError, match="1024000 bytes are needed and 100 are free"):
            fetch(entry)
        assert not part_of(entry).exists()

    def test_a_folder_that_cannot_be_written(self, entry, home):
        home.write_text("no folder")
        with pytest.raises(OutputError, match="cannot write in the folder"):
            fetch(entry)

    def test_a_terminal_sees_how_far_it_is(self, entry, monkeypatch, capsys):
        fetch(entry)
        assert "%" not in capsys.readouterr().err and "VDSR" not in capsys.readouterr().err
        path_of(entry).unlink()
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        fetch(entry)
        assert "VDSR 'test' x2" in capsys.readouterr().err.replace("\x1b[0m", "")

    def test_two_at_once_fetch_it_once(self, server, entry):
        server.hold.clear()
        threads = [threading.Thread(target=fetch, args=(entry,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        while not server.requests:
            time.sleep(0.01)
        server.hold.set()
        for thread in threads:
            thread.join(10)
        assert len(server.requests) == 1 and path_of(entry).read_bytes() == BYTES

    @pytest.mark.slow
    def test_a_process_that_was_killed_leaves_what_it_got(self, server, entry):
        server.faults = ["stall"]
        code = f"from realdeg.backbones.pretrained import *; fetch_pretrained({entry!r})"
        process = subprocess.Popen([sys.executable, "-c", code])
        assert server.stalled.wait(60)
        while not (part_of(entry).exists() and part_of(entry).stat().st_size > 200_000):
            time.sleep(0.01)
        process.kill()
        process.wait()
        got = part_of(entry).stat().st_size
        assert fetch(entry).read_bytes() == BYTES  # and the lock went with the process
        assert server.requests[1]["range"] == f"bytes={got}-"


class TestLinks:
    """What a link in the cache points to is neither written to nor emptied."""

    @pytest.fixture(params=["symbolic", "hard"])
    def link(self, request, tmp_path, entry):
        own = tmp_path / "thesis.txt"
        own.write_text("mine")
        path_of(entry).parent.mkdir(parents=True)

        def make(name):
            path = path_of(entry).parent / name
            path.symlink_to(own) if request.param == "symbolic" else path.hardlink_to(own)

        yield make
        assert own.read_text() == "mine"

    @pytest.mark.parametrize("name", ["net.pth.part", "net.pth.part.json", ".net.pth.lock"])
    def test_of_a_new_file(self, entry, link, name):
        link(name)
        try:
            assert fetch(entry).read_bytes() == BYTES
        except OutputError as error:
            assert "lock" in name and "remove it" in str(error)

    def test_of_a_part(self, server, entry, link):
        server.faults = ["cut", 404]
        with pytest.raises(CheckpointError):
            fetch(entry)
        part_of(entry).unlink()
        link("net.pth.part")
        assert fetch(entry).read_bytes() == BYTES
        assert "range" not in server.requests[-1]


class TestCache:
    def test_folders(self, tmp_path, monkeypatch):
        assert cache_folder() == tmp_path / "home" / "weights"
        monkeypatch.delenv("REALDEG_HOME")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        assert cache_folder() == tmp_path / "cache" / "realdeg" / "weights"
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert cache_folder() == tmp_path / ".cache" / "realdeg" / "weights"

    def test_what_an_earlier_release_kept_is_found(self, tmp_path, monkeypatch):
        import platformdirs

        def on_another_system(name, appauthor):
            return tmp_path / "Library" / "Caches" / name

        monkeypatch.delenv("REALDEG_HOME")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setattr(platformdirs, "user_cache_path", on_another_system)
        assert cache_folder() == tmp_path / "Library" / "Caches" / "realdeg" / "weights"
        (tmp_path / ".cache" / "realdeg" / "weights").mkdir(parents=True)
        assert cache_folder() == tmp_path / ".cache" / "realdeg" / "weights"
        (tmp_path / "Library" / "Caches" / "realdeg" / "weights").mkdir(parents=True)
        assert cache_folder() == tmp_path / "Library" / "Caches" / "realdeg" / "weights"

    def test_offline(self, server, entry, monkeypatch):
        monkeypatch.setenv("REALDEG_OFFLINE", "1")
        with pytest.raises(CheckpointError) as caught:
            fetch(entry)
        for wanted in ("REALDEG_OFFLINE", server.url, DIGEST, str(path_of(entry))):
            assert wanted in str(caught.value)
        assert not server.requests
        path_of(entry).parent.mkdir(parents=True)
        path_of(entry).write_bytes(BYTES)
        assert fetch(entry) == path_of(entry)

    def test_by_hand(self, entry):
        hand = replace(entry, url=None, note="In all.zip.")
        with pytest.raises(CheckpointError) as caught:
            fetch(hand)
        for wanted in ("by hand", hand.page, "In all.zip", str(path_of(hand)), DIGEST):
            assert wanted in str(caught.value)

    def test_tampered_with(self, entry):
        file = fetch(entry)
        file.write_bytes(BYTES[:-1] + b"x")
        with pytest.raises(CheckpointError, match=rf"found SHA-256 .*wanted SHA-256 {DIGEST}"):
            fetch(entry)

    def test_without_a_published_hash_the_first_file_holds(self, entry, caplog):
        unknown = replace(entry, sha256=None)
        file = fetch(unknown)
        assert DIGEST in caplog.text
        caplog.clear()
        fetch(unknown)
        assert not caplog.text
        file.write_bytes(b"other")
        with pytest.raises(CheckpointError, match=f"has changed: it has SHA-256 .*had {DIGEST}"):
            fetch(unknown)

    def test_a_folder_that_others_keep(self, entry, monkeypatch, caplog):
        unknown = replace(entry, sha256=None, url=None)
        file = path_of(unknown)
        file.parent.mkdir(parents=True)
        file.write_bytes(BYTES)

        def refuse(**where):
            raise OSError(errno.EROFS, "Read-only file system")

        monkeypatch.setattr("realdeg.utils.files.tempfile.mkstemp", refuse)
        assert fetch(unknown) == file
        assert DIGEST in caplog.text and "Read-only file system" in caplog.text


class TestDisksWithoutLocks:
    @pytest.fixture(autouse=True)
    def without(self, monkeypatch):
        fcntl = pytest.importorskip("fcntl")

        def refuse(*args):
            raise OSError(errno.ENOSYS, "Function not implemented")

        monkeypatch.setattr(fcntl, "flock", refuse)

    def test_each_fetches_into_a_file_of_its_own(self, server, entry):
        server.hold.clear()
        threads = [threading.Thread(target=fetch, args=(entry,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 10
        while len(server.requests) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        server.hold.set()
        for thread in threads:
            thread.join(10)
        assert path_of(entry).read_bytes() == BYTES
        left = sorted(each.name for each in path_of(entry).parent.iterdir())
        assert left == [".net.pth.lock", "net.pth"]

    def test_nothing_is_kept_of_a_beginning(self, server, entry):
        server.faults = ["cut"] * 9
        server.ranges = False
        with pytest.raises(CheckpointError, match="in 4 tries") as caught:
            fetch(entry)
        assert "are kept" not in str(caught.value)
        assert [each.name for each in path_of(entry).parent.iterdir()] == [".net.pth.lock"]
