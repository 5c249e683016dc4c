"""The pack's messages on the terminal, in the language of its user. Standard library only."""

from __future__ import annotations

import locale
import os
import sys
from typing import TYPE_CHECKING

from .loading import ROOT, load_engine

if TYPE_CHECKING:
    from wan.messages import Message, Text, clauses, enumeration, language_of, lines, localize, sentences
else:
    _messages = load_engine(ROOT)("messages")
    Message, language_of, localize = _messages.Message, _messages.language_of, _messages.localize
    clauses, enumeration, lines, sentences = (
        getattr(_messages, name) for name in ("clauses", "enumeration", "lines", "sentences")
    )

__all__ = ["Message", "clauses", "enumeration", "language", "lines", "say", "sentences", "shown", "tell"]


def language() -> str:
    """Return the language by LC_ALL, LC_MESSAGES or LANG; on Windows, where none is set, that of its own texts."""
    chosen = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := os.environ.get(name))), "")
    if not chosen and sys.platform == "win32":
        import ctypes

        chosen = locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")
    return language_of(chosen)


def shown(text: Text) -> str:
    """Return a text of the pack in the user's language."""
    return localize(text, language())


def say(text: Text) -> None:
    """Print a text in the user's language on standard error."""
    print(shown(text), file=sys.stderr)


def tell(text: Text) -> None:
    """Print a text in the user's language on standard output: what was asked for."""
    print(shown(text))
