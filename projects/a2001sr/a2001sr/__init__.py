"""The network of the exercise: importing this package registers it."""

from a2001sr.network import A2001SR

__all__ = ["A2001SR"]
