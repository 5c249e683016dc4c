"""The types of a row's rules for references and clips: how many there may be, and how the prompt names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from ..frozen import frozen


@frozen
class Slot:
    """How many media of a kind a request has, at least and at most."""

    kind: str
    least: int
    most: int


@frozen
class ReferenceNames:
    """How a prompt names the references: one form for each kind, `{n}` being the number, in English and Chinese.

    Numbers count by kind, or `jointly` through all kinds.
    """

    english: Mapping[str, str]
    chinese: Mapping[str, str] = field(default_factory=dict)
    jointly: bool = False


@frozen
class LeadIn:
    """The words by which a prompt asks for a job: any of `words` in a prompt will do, else the text goes before it."""

    words: tuple[str, ...]
    english: str
    chinese: str
