"""Cameras and networks by the name of their repository on the Hugging Face Hub.

``hf:OWNER/NAME`` or ``hf:OWNER/NAME@REVISION`` stands for the self-describing file in it. Only
files of weights, cards, JSON and PNG pictures are downloaded, after their sizes have been checked
against the list of the revision, and afterwards compared with its hashes. Addresses, logins and the
transfer itself are those of ``huggingface_hub`` (extra ``realdeg[hub]``).
"""

from __future__ import annotations

import json
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from realdeg.errors import CheckpointError, ConfigError, RealdegError, first_line
from realdeg.utils.cache import cache_folder, offline
from realdeg.utils.files import HUB_PREFIX, atomic_path, sha256_file, weights_in
from realdeg.utils.plain_json import read_json
from realdeg.version import __version__

logger = logging.getLogger(__name__)

PULLED = (".safetensors", ".json", ".md", ".png")
"""The suffixes of what is downloaded; nothing else is."""

_MOST = 1 << 32  # bytes of weights; of all the rest together and of one file of it:
_MOST_BESIDE, _MOST_FILES = 1 << 26, 64
_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?"
_REPOSITORY = re.compile(rf"{_PART}/{_PART}")
_REVISION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,98}[A-Za-z0-9])?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
# What was fetched by this process, so that one run uses one revision.
_fetched: dict[tuple[str, str, str], Path] = {}


@dataclass(frozen=True)
class HubName:
    """A repository, and the revision that was asked for.

    Args:
        repository: ``OWNER/NAME``.
        revision: A branch, a tag or a commit.
    """

    repository: str
    revision: str = "main"

    def __str__(self) -> str:
        """Write it as users do."""
        at = "" if self.revision == "main" else f"@{self.revision}"
        return f"{HUB_PREFIX}{self.repository}{at}"


def hub_name(text: str) -> HubName:
    """Read ``hf:OWNER/NAME[@REVISION]``; the prefix may be left out.

    Raises:
        ConfigError: If it is no such name.

    Example:
        >>> hub_name("hf:anna/my-camera@v1")
        HubName(repository='anna/my-camera', revision='v1')
    """
    repository, at, revision = text.removeprefix(HUB_PREFIX).partition("@")
    wrong = ".." in text or "--" in repository or repository.endswith(".git")
    if wrong or not _REPOSITORY.fullmatch(repository) or (at and not _REVISION.fullmatch(revision)):
        raise ConfigError(
            f"'{text}' is not a repository on the Hugging Face Hub: write hf:OWNER/NAME, or"
            " hf:OWNER/NAME@REVISION for a branch, tag or commit."
        )
    return HubName(repository, revision or "main")


def hub_api() -> Any:
    """Return ``huggingface_hub``'s client for the address in ``HF_ENDPOINT``, or its own.

    Raises:
        ConfigError: If the package is not installed.
    """
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise ConfigError(
            "repositories on the Hugging Face Hub are read and written by huggingface_hub, which"
            f" cannot be imported ({first_line(error)}): pip install 'realdeg[hub]'."
        ) from error
    return HfApi(
        endpoint=os.environ.get("HF_ENDPOINT") or None,
        library_name="realdeg",
        library_version=__version__,
    )


def hub_weights(text: str, kind: str | None = None) -> Path:
    """Return the self-describing file in a repository, downloading the repository if necessary.

    Args:
        text: ``hf:OWNER/NAME[@REVISION]``.
        kind: ``"degradation"`` or ``"backbone"``; None: whichever is there.

    Raises:
        ConfigError: If the name is none, or ``huggingface_hub`` is not installed.
        CheckpointError: If there is no such repository or revision, it holds no such file, it is
            too large or damaged, or it cannot be reached and was not downloaded before.
        OutputError: If the cache cannot be written.
    """
    from realdeg.utils.construction import refuse_other_files  # torch

    refuse_other_files(text)
    name = hub_name(text)
    key = (str(name), str(cache_folder("hub")), os.environ.get("HF_ENDPOINT", ""))
    folder = _fetched.get(key)
    if folder is None or not folder.is_dir():
        folder = _fetched[key] = _fetch(name)
    found = weights_in(folder, kind)
    if found is None:
        other = weights_in(folder)
        holds = "no weights" if other is None else other.name
        wanted = {"degradation": "camera", "backbone": "network"}.get(kind or "", "component")
        raise CheckpointError(f"{name} holds {holds}, wanted a {wanted} of realdeg.")
    return found


def explained(error: BaseException, name: HubName) -> RealdegError:
    """Return a failure of ``huggingface_hub`` as a sentence.

    Args:
        error: What it raised.
        name: The repository.
    """
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        reason = "its owner gives access on request: ask on its page, then log in (hf auth login)"
    elif isinstance(error, errors.RepositoryNotFoundError):
        reason = "there is no such repository, or it is private: check the name, or log in"
        reason += " (hf auth login)"
    elif isinstance(error, errors.RevisionNotFoundError):
        reason = f"it has no branch, tag or commit '{name.revision}'"
    elif isinstance(error, errors.HfHubHTTPError):
        reason = f"the server refused: {first_line(error)}"
    else:
        reason = f"it cannot be reached ({first_line(error)})"
    return CheckpointError(f"{name}: {reason.rstrip('.')}.")


def _fetch(name: HubName) -> Path:
    if offline():
        return _earlier(name, CheckpointError(f"{name}: REALDEG_OFFLINE forbids downloading it."))
    api = hub_api()
    try:
        info = api.model_info(
            name.repository, revision=name.revision, files_metadata=True, timeout=30
        )
    except Exception as error:  # of several libraries, for no connection
        failure = explained(error, name)
        if "cannot be reached" in str(failure):
            return _earlier(name, failure)
        raise failure from error
    listed = _checked_list(info, name)
    place = cache_folder("hub")
    files = []
    for file, (size, sha256) in listed.items():
        try:
            path = Path(
                api.hf_hub_download(
                    name.repository, file, revision=str(info.sha), cache_dir=str(place)
                )
            )
        except Exception as error:
            raise explained(error, name) from error
        _verify(name, path, file, size, sha256)
        files.append({"name": file, "size": size, "sha256": sha256_file(path)})
    record = {"repository": name.repository, "revision": name.revision, "commit": info.sha}
    with atomic_path(_record_of(name)) as temporary:
        text = json.dumps({**record, "files": files}, indent=1)
        temporary.write_text(text + "\n", encoding="utf-8")
    logger.info("%s is commit %s, recorded in %s", name, info.sha, _record_of(name))
    return _record_of(name).parents[1] / "snapshots" / str(info.sha)


def _checked_list(info: Any, name: HubName) -> dict[str, tuple[int, str | None]]:
    """Return size and SHA-256 by the name of each file that is wanted, or refuse."""
    listed: dict[str, tuple[int, str | None]] = {}
    if not _COMMIT.fullmatch(str(info.sha)):
        raise CheckpointError(f"{name}: the server names no commit: {info.sha!r:.60}.")
    for one in info.siblings or ():
        path = PurePosixPath(one.rfilename)
        if path.suffix.lower() not in PULLED or len(path.parts) > 2:
            continue
        if path.is_absolute() or ".." in path.parts or "\\" in one.rfilename:
            raise CheckpointError(f"{name} lists a file outside of itself: {one.rfilename!r:.80}.")
        if not isinstance(one.size, int) or one.size < 0:
            raise CheckpointError(f"{name}: the server states no size of {one.rfilename!r:.80}.")
        sha256 = getattr(one.lfs, "sha256", None) if one.lfs is not None else None
        listed[one.rfilename] = (one.size, sha256)
    weights = sum(n for file, (n, _) in listed.items() if file.endswith(".safetensors"))
    rest = sum(size for size, _ in listed.values()) - weights
    most = int(os.environ.get("REALDEG_MAX_DOWNLOAD") or _MOST)
    if weights > most or rest > min(_MOST_BESIDE, most) or len(listed) > _MOST_FILES:
        raise CheckpointError(
            f"{name} is too large: {weights} bytes of weights and {rest} of other files,"
            f" {len(listed)} in all; at most {most} and {min(_MOST_BESIDE, most)} bytes of"
            f" {_MOST_FILES} files are downloaded (REALDEG_MAX_DOWNLOAD, in bytes)."
        )
    if not any(file.endswith(".safetensors") for file in listed):
        raise CheckpointError(f"{name} holds no .safetensors file, so nothing is downloaded.")
    return listed


def _verify(name: HubName, path: Path, file: str, size: int, sha256: str | None) -> None:
    wrong = path.stat().st_size != size or (sha256 is not None and sha256_file(path) != sha256)
    if wrong:
        # The blob behind the link too, or it would be taken for complete again.
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise CheckpointError(
            f"{name}: {file} is not the file of the list: {size} bytes"
            f"{f' with SHA-256 {sha256}' if sha256 else ''} were stated. It is not kept."
        )


def _record_of(name: HubName) -> Path:
    folder = f"models--{name.repository.replace('/', '--')}"
    return cache_folder("hub") / folder / "realdeg" / f"{name.revision.replace('/', '--')}.json"


def _earlier(name: HubName, failure: RealdegError) -> Path:
    """Return what an earlier call downloaded, or raise why it cannot be downloaded now."""
    record = _record_of(name)
    try:
        text = record.read_text(encoding="utf-8")
    except OSError:
        raise CheckpointError(
            f"{failure} It was not downloaded before: fetch its .safetensors file by other means"
            " and name the file instead."
        ) from failure
    data = read_json(text, str(record), CheckpointError)
    commit = str(data.get("commit")) if isinstance(data, dict) else ""
    folder = record.parents[1] / "snapshots" / commit
    if not _COMMIT.fullmatch(commit) or not folder.is_dir():
        raise CheckpointError(f"{failure} What {record} states is gone: remove that file.")
    for one in data["files"]:
        _verify(name, folder / one["name"], one["name"], one["size"], one["sha256"])
    logger.warning("%s cannot be asked for; commit %s of an earlier call is used", name, commit)
    return folder
