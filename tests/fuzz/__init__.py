"""Damaged and hostile inputs, made from seeds, and what every command makes of them.

``python -m tests.fuzz --help`` runs any number of them; ``make test`` runs a few of each kind.
"""
