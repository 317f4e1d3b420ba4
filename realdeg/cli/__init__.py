"""The command line: ``realdeg <command>`` and ``tools/<command>.py``."""
