"""The demo: learn a camera, synthesise pairs, train on them, compare; from public pieces only."""

from realdeg.demo.program import run_demo

__all__ = ["run_demo"]
