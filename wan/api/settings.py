"""Keys and settings of the machine's owner: environment variables, then `credentials.toml`. Read on each use.

The same names serve both: `DASHSCOPE_API_KEY_SINGAPORE` in the environment is `api_key_singapore` in the file.
"""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from ..catalog.regions import REGIONS
from ..errors import InvalidRequest
from ..frozen import frozen
from ..messages import Message, alternatives, conjunction
from ..redaction import Secret, register_secret

logger = logging.getLogger("dashscope_wan")

FILE_NAME = "credentials.toml"
# Straight, typographic, and those of Chinese keyboards.
_QUOTES = "\"'`\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\xab\xbb\u2039\u203a\u300c\u300d\u300e\u300f\uff02\uff07"
LIMIT_NAMES = ("limit_per_run", "limit_per_day", "limit_per_month")
_LIMIT = "limit"
_OF_THE_PACK = ("home", "ledger_url", "repay_missing", *LIMIT_NAMES)
"""Settings that are no other program's: their environment variables begin with DASHSCOPE_WAN_."""

_warned_of: set[Path] = set()


@frozen
class Settings:
    """The settings of the machine's owner. `home` is the folder of `credentials.toml` and of the ledger.

    `ledger_url` is the database that several machines share as their ledger, None for a file. `repay_missing` is
    whether a paid video that cannot be had any more is paid for once more. `limit_texts` are the spending limits that
    are set, by name, as they are written; names that are none of LIMIT_NAMES are mistakes.
    """

    home: Path
    _file: Mapping[str, Secret] = field(default_factory=dict, repr=False)
    ledger_url: Secret | None = field(init=False)
    repay_missing: bool = field(init=False)
    limit_texts: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        # From here on every configured key is redacted from every text, whichever of them is used. Quotes around a key
        # are not part of it.
        for name in ("api_key", *(f"api_key_{region}" for region in REGIONS)):
            for source in (_from_environment, self._from_file):
                register_secret(source(name).reveal())
        url = self._find("ledger_url")
        object.__setattr__(self, "ledger_url", url if url.reveal() else None)
        object.__setattr__(self, "repay_missing", self.get("repay_missing").lower() in ("1", "true", "yes", "on"))

        names = dict.fromkeys((*LIMIT_NAMES, *(name for name in self._file if name.startswith(_LIMIT))))
        limits = {name: text for name in names if (text := self.get(name))}
        object.__setattr__(self, "limit_texts", limits)

    def get(self, name: str) -> str:
        """Return a setting that is not secret, such as "region"; "" if it is not set."""
        return self._find(name).reveal()

    def key(self, region: str) -> Secret | None:
        """Return a region's API key. The environment overrides the file; in each, a region's key the shared one."""
        for source in (_from_environment, self._from_file):
            for name in (f"api_key_{region}", "api_key"):
                found = source(name)
                if found.reveal():
                    return found
        return None

    def keyed_regions(self) -> list[str]:
        """Return the regions that have a key of their own."""
        return [region for region in REGIONS if self.own_key(region)]

    def keys_elsewhere(self, region: str) -> str:
        """Return a hint naming the other regions with keys of their own; "" if there are none. Sends nothing."""
        others = [REGIONS[name] for name in self.keyed_regions() if name != region]
        if not others:
            return ""
        titles, ids = conjunction(one.title for one in others), alternatives(one.id for one in others)
        return Message(
            "Keys are also set for {titles}: to use another region, choose {ids} in DashScope Connection.",
            titles=titles,
            ids=ids,
        )

    def own_key(self, region: str) -> Secret | None:
        """Return the region's own key, or None. `key` returns the key that calls use."""
        found = self._find(f"api_key_{region}")
        return found if found.reveal() else None

    def missing_key(self, region: str) -> str:
        """Return the problem of a missing key, with the lines to write."""
        title = REGIONS[region].title
        return Message(
            "No API key is configured for {region}. Run python dev.py key in the pack's folder, or set "
            "DASHSCOPE_API_KEY (or DASHSCOPE_API_KEY_{variable}) in the environment that starts ComfyUI, or write "
            "this line into {path}:\n"
            '      api_key = "sk-..."\n'
            'To try the graph without a key, free of charge, set region to "offline" in a DashScope Connection.',
            region=title,
            variable=region.upper(),
            path=self.home / FILE_NAME,
        )

    def _find(self, name: str) -> Secret:
        found = _from_environment(name)
        return found if found.reveal() else self._from_file(name)

    def _from_file(self, name: str) -> Secret:
        return self._file.get(name, Secret(""))


def read_settings(home: Path) -> Settings:
    """Read the settings from the environment and from `home`, or from `DASHSCOPE_WAN_HOME` if it is set.

    Raises:
        InvalidRequest: `credentials.toml` exists but cannot be read, or `DASHSCOPE_WAN_HOME` names an unknown user.
    """
    moved = _from_environment("home").reveal()
    try:
        # Absolute as the system understands it: "C:wan" is relative to the current folder of that drive.
        folder = Path(os.path.abspath(Path(moved).expanduser())) if moved else home  # noqa: PTH100
    except RuntimeError as error:
        raise InvalidRequest(
            [Message("DASHSCOPE_WAN_HOME: the path names an unknown user: {path}", path=moved[:200])]
        ) from error
    return Settings(folder, _read_file(folder / FILE_NAME))


def unquoted(text: str) -> str:
    """Return a setting without the quotes and blanks around it, which `set`, Docker and copying leave there."""
    return text.strip(f"{_QUOTES} \t\r\n\v\f\xa0\u3000\ufeff")


def _from_environment(name: str) -> Secret:
    prefix = "DASHSCOPE_WAN_" if name in _OF_THE_PACK else "DASHSCOPE_"
    return Secret(unquoted(os.environ.get(f"{prefix}{name.upper()}", "")))


def _read_file(path: Path) -> dict[str, Secret]:
    # Raised outside the except block: the caught exception holds the file's text with the key.
    settings, problem = _parsed_file(path)
    if problem:
        raise InvalidRequest([problem])
    return settings


def _parsed_file(path: Path) -> tuple[dict[str, Secret], str]:
    """Return the settings of a file, and its problem."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}, ""
    except (OSError, ValueError) as error:
        return {}, _unreadable(path, error)
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        _warn_of_file_mode(path)
        table: Mapping[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}, Message('{path} is not valid TOML: write lines such as api_key = "sk-..."', path=path)
    except (OSError, ValueError, RecursionError) as error:
        return {}, _unreadable(path, error)
    texts = {name.lower(): str(value).lower() if isinstance(value, bool) else value for name, value in table.items()}
    # A limit that is written as a number is no text, and must not be without effect; nor one whose name is misspelt.
    texts |= {name: str(value) for name, value in texts.items() if name.startswith(_LIMIT)}
    return {name: Secret(unquoted(value)) for name, value in texts.items() if isinstance(value, str)}, ""


def _unreadable(path: Path, error: Exception) -> str:
    return Message("{path} cannot be read ({type}): fix or remove it", path=path, type=type(error).__name__)


def _warn_of_file_mode(path: Path) -> None:
    if os.name != "posix" or path in _warned_of:
        return
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        _warned_of.add(path)
        logger.warning("%s is readable by other users of this machine; run: chmod 600 %s", path, path)
