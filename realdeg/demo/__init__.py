"""The demo: learn a camera, synthesise pairs, train on them, compare; public API only."""

from realdeg.demo.program import run_demo

__all__ = ["run_demo"]
