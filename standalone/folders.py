"""Where workflows find their files and leave them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path

from .errors import StandaloneError

PICTURES = Path(__file__).resolve().parent / "pictures"
"""The photographs that are shipped."""

_SHIPPED = {"example.png": PICTURES / "chelsea.png"}
"""Names that a ComfyUI always has in its input folder."""


@dataclass(frozen=True)
class Folders:
    """The folders that ComfyUI would have. Input folders are searched in order."""

    inputs: tuple[Path, ...]
    output: Path
    temp: Path

    def find_input(self, name: str) -> Path:
        """The file that a loading node names: an absolute path, or a name inside the input folders.

        Raises:
            StandaloneError: there is none.
        """
        for folder in self.inputs:
            # Joining an absolute path gives that path.
            if (folder / name).is_file():
                return folder / name
        if name in _SHIPPED:
            return _SHIPPED[name]
        searched = ", ".join(str(folder) for folder in self.inputs)
        raise StandaloneError(f"there is no file {name!r} (looked in: {searched}; an absolute path works too)")

    @staticmethod
    def new_file(folder: Path, prefix: str, *, suffix: str) -> Path:
        """An empty file `<folder>/<prefix>_00001_<suffix>` with the first free number. `prefix` may name folders in it.

        Raises:
            StandaloneError: the prefix leads out of the folder.
        """
        start = (folder / prefix).resolve()
        if not start.is_relative_to(folder.resolve()):
            raise StandaloneError(f"filename_prefix {prefix!r} leads out of the folder {folder}")
        start.parent.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            path = start.with_name(f"{start.name}_{number:05}_{suffix}")
            try:
                path.touch(exist_ok=False)
            except FileExistsError:
                continue
            return path
        raise AssertionError("counting does not end")
