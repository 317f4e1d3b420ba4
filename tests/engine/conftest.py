from __future__ import annotations

import logging

import pytest

from tests.engine.tiny import train


@pytest.fixture(scope="session", autouse=True)
def warm(tmp_path_factory):
    """Import what torch and mmengine import lazily, before processes are forked."""
    train(tmp_path_factory.mktemp("warm"), iterations=1)


@pytest.fixture
def work_dir(tmp_path):
    """A folder for one run."""
    yield tmp_path / "run"
    # Each runner keeps a log file open; a test session has many.
    from mmengine.logging import MMLogger

    for logger in MMLogger._instance_dict.values():
        for handler in logger.handlers:
            if isinstance(handler, logging.FileHandler):
                handler.close()
