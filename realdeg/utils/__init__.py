"""Helpers that know nothing of degradations, networks or configs."""
