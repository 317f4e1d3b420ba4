"""Publish cameras and networks on the Hugging Face Hub, as ``realdeg push`` does."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from realdeg.errors import CheckpointError, ConfigError, argument_name
from realdeg.utils.component import ComponentFile, read_component
from realdeg.utils.files import open_regular, sha256_file, weights_in
from realdeg.utils.hub import HubName, explained, hub_api, hub_name
from realdeg.version import __version__

_LICENCE = re.compile(r"[a-z0-9][a-z0-9.-]{0,49}")
_LARGEST_CARD, _LARGEST_PICTURE, _MOST_PICTURES = 1 << 20, 1 << 23, 16
_PICTURE = re.compile(r"!\[([^\]\n]*)\]\(([^)\s]+)\)")
_FRONT = re.compile(r"\A---\n.*?\n---\n+", re.DOTALL)
# Rows of a card about files that stay here: they name folders of this machine.
_LEFT_OUT = re.compile(r"^\| `(config\.yaml|report\.json)` \|.*\n", re.MULTILINE)
_NAMES = {"degradation": "camera.safetensors", "backbone": "network.safetensors"}
_TAGS = {
    "degradation": ("realdeg", "image-degradation", "super-resolution", "camera"),
    "backbone": ("realdeg", "super-resolution", "image-super-resolution"),
}


@dataclass(frozen=True)
class PushedWeights:
    """What was published.

    Attributes:
        repository: ``OWNER/NAME``; ``hf:OWNER/NAME`` stands for the weights.
        url: Its page.
        commit: The commit that was made, or the former one if nothing had changed.
        sha256: SHA-256 of the file of weights.
        files: The names of its files.
    """

    repository: str
    url: str
    commit: str
    sha256: str
    files: tuple[str, ...]

    def describe(self) -> str:
        """Return it in words."""
        listed = ", ".join(self.files)
        return f"hf:{self.repository} ({self.url}), commit {self.commit}: {listed}"


def push_to_hub(
    source: str | os.PathLike[str],
    repository: str,
    *,
    private: bool = False,
    licence: str | None = None,
    message: str | None = None,
) -> PushedWeights:
    """Publish a camera or network with its card and pictures on the Hugging Face Hub.

    The repository is created if necessary; another call adds a commit. Published are the
    self-describing file, the card as ``README.md`` with metadata (licence, tags, library), and the
    pictures that the card shows; reports and configs, which name folders of this machine, are not.
    The login is that of ``huggingface_hub`` (``hf auth login`` or ``HF_TOKEN``).

    Args:
        source: A folder of ``realdeg fit`` or ``realdeg finetune``, that of a run, or a
            self-describing file.
        repository: ``OWNER/NAME``.
        private: Make it visible to its owner only. A repository that is public is refused.
        licence: The Hub's short name of a licence, such as ``apache-2.0`` or ``cc-by-4.0``. None:
            the card states none, so others may not use it.
        message: The message of the commit.

    Raises:
        ConfigError: If the name or the licence is none, or ``huggingface_hub`` is not installed.
        CheckpointError: If there is no self-describing file, or the server refuses.

    Example:
        >>> import realdeg
        >>> realdeg.push_to_hub("my_camera", "me/my-camera")  # doctest: +SKIP
    """
    name = hub_name(repository)
    if name.revision != "main":
        raise ConfigError(f"{repository} names a revision: a push goes to the main branch.")
    if licence is not None and not _LICENCE.fullmatch(licence):
        raise ConfigError(
            f"{argument_name('licence')} is {licence!r:.60}: give the Hub's short name, such as"
            " apache-2.0, mit or cc-by-4.0."
        )
    if str(source).startswith("hf:"):
        raise ConfigError(f"{source} is on the Hub already: push a file or folder.")
    file = weights_in(source) or Path(source)
    if file.suffix != ".safetensors" or not file.is_file():
        raise CheckpointError(
            f"{source} is neither a folder of realdeg fit, finetune or train nor a .safetensors"
            " file: other formats are converted by realdeg convert_weights."
        )
    found = read_component(file)
    if found.kind not in _NAMES:
        raise CheckpointError(f"{file} holds a {found.kind}, wanted a camera or a network.")
    card, pictures = _card(file, found, name, licence)
    content: dict[str, Any] = {_NAMES[found.kind]: str(file), "README.md": card.encode()}
    content |= {place: str(path) for place, path in pictures.items()}
    commit, url = _upload(name, content, private, message)
    return PushedWeights(name.repository, url, commit, sha256_file(file), tuple(content))


def _upload(
    name: HubName, content: dict[str, Any], private: bool, message: str | None
) -> tuple[str, str]:
    api = hub_api()
    from huggingface_hub import CommitOperationAdd

    try:
        url = str(api.create_repo(name.repository, private=private, exist_ok=True))
        # One that existed keeps what it was.
        public = private and not api.model_info(name.repository).private
        if not public:
            made = api.create_commit(
                name.repository,
                [CommitOperationAdd(place, data) for place, data in content.items()],
                commit_message=message or f"realdeg {__version__}",
            )
            return str(made.oid), url
    except Exception as error:  # of several libraries, for no connection
        raise explained(error, name) from error
    raise CheckpointError(
        f"{name} is public, so nothing was sent: choose another name, make it private on its page,"
        f" or leave out {argument_name('private')}."
    )


def _card(
    file: Path, found: ComponentFile, name: HubName, licence: str | None
) -> tuple[str, dict[str, Path]]:
    """Return the card with metadata, and the pictures that it shows by their place."""
    folder = file.parent
    written = _read(file.with_suffix(".md")) or (
        _read(folder / "README.md") if file.stem in ("camera", "network") else ""
    )
    text = _LEFT_OUT.sub("", _FRONT.sub("", written)) or f"# {name.repository.split('/')[1]}\n"
    pictures: dict[str, Path] = {}

    def shown(match: re.Match[str]) -> str:
        path = (folder / match[2]).resolve()
        inside = folder.resolve() in path.parents and path.suffix == ".png" and path.is_file()
        small = inside and path.stat().st_size <= _LARGEST_PICTURE
        if not small or len(pictures) >= _MOST_PICTURES:
            return match[1]
        place = f"pictures/{path.name}"
        while pictures.get(place, path) != path:
            place = f"{place.removesuffix('.png')}_.png"
        pictures[place] = path
        return f"![{match[1]}]({place})"

    text = _PICTURE.sub(shown, text)
    data: dict[str, Any] = {"library_name": "realdeg", "tags": list(_TAGS[found.kind])}
    if licence:
        data = {"license": licence, **data}
    if found.kind == "backbone":
        data["pipeline_tag"] = "image-to-image"
    front = f"---\n{yaml.safe_dump(data, sort_keys=False)}---\n\n"
    return f"{front}{text.rstrip()}\n\n{_use(found, name)}", pictures


def _use(found: ComponentFile, name: HubName) -> str:
    if found.kind == "degradation":
        call, where = f"realdeg degrade {name} HR_PHOTOS LR_PHOTOS", "create_degradation"
    else:
        call, where = f"realdeg infer --model {name} PHOTOS RESULTS", "create_backbone"
    shown = {key: found.arguments[key] for key in ("scale", "same_size") if key in found.arguments}
    stated = ", ".join(f"{key} {value}" for key, value in shown.items())
    return f"""## From the Hub

{found.type} ({stated}), hash `{found.hash}`, written by realdeg {__version__}.

```
pip install 'realdeg[hub]'
{call}
```

In Python: `realdeg.{where}("{name}")`.
"""


def _read(path: Path) -> str:
    try:
        with open_regular(path) as stream:
            return stream.read(_LARGEST_CARD).decode("utf-8", "replace")
    except OSError:
        return ""
