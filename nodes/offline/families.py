"""The families of models, where they differ in what only the service's own side has to know."""

from __future__ import annotations

from ..service.model import Model


def is_wan_3(model: Model) -> bool:
    """Whether it is one of wan3.0: references, a seed of -1, a message of its own about URLs."""
    return model.id.startswith("wan3.0")


def is_happyhorse(model: Model) -> bool:
    """Whether it is one of happyhorse: a mark of its own, which is there by default."""
    return model.id.startswith("happyhorse")
