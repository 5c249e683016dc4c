"""Where workflows find their files and leave them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path

from .errors import StandaloneError
from .messages import Message, enumeration

IMAGES = Path(__file__).resolve().parent / "pictures"
"""The photographs that are shipped."""

_SHIPPED = {"example.png": IMAGES / "astronaut.png"}
"""Names that a ComfyUI always has in its input folder."""


@dataclass(frozen=True)
class Folders:
    """The folders that ComfyUI would have. Input folders are searched in order.

    `chosen` is a file from elsewhere that the command line names.
    """

    inputs: tuple[Path, ...]
    output: Path
    temp: Path
    chosen: Path | None = None

    def find_input(self, name: str) -> Path:
        """The file that a loading node names: inside the input folders, or the chosen one.

        As in ComfyUI " [input]", " [output]" or " [temp]" behind a name says in which folder it is.

        Raises:
            StandaloneError: there is none.
        """
        if self.chosen is not None and name == str(self.chosen):
            return self.chosen
        plain, kind = _without_folder(name)
        folders = {"output": (self.output,), "temp": (self.temp,)}.get(kind, self.inputs)
        for folder in folders:
            if _is_inside(folder / plain, folder):
                return folder / plain
        if plain in _SHIPPED and folders is self.inputs:
            return _SHIPPED[plain]
        searched = enumeration(folders)
        raise StandaloneError(
            Message(
                "there is no file {file!r} (looked in: {folders}); put it there, or give a picture with --image",
                file=name,
                folders=searched,
            )
        )

    @staticmethod
    def new_file(folder: Path, prefix: str, *, suffix: str) -> Path:
        """An empty file `<folder>/<prefix>_00001_<suffix>` with the first free number. `prefix` may name folders in it.

        Raises:
            StandaloneError: the prefix leads out of the folder.
        """
        start = (folder / prefix).resolve()
        if not start.is_relative_to(folder.resolve()):
            raise StandaloneError(
                Message("filename_prefix {prefix!r} leads out of the folder {folder}", prefix=prefix, folder=folder)
            )
        start.parent.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            path = start.with_name(f"{start.name}_{number:05}_{suffix}")
            try:
                path.touch(exist_ok=False)
            except FileExistsError:
                continue
            return path
        raise AssertionError("counting does not end")


def _without_folder(name: str) -> tuple[str, str]:
    """A name and the folder that is written behind it; "" where there is none."""
    for kind in ("input", "output", "temp"):
        if name.endswith(f"[{kind}]"):
            # One more character, whatever it is: so does ComfyUI.
            return name[: -len(kind) - 3], kind
    return name, ""


def _is_inside(file: Path, folder: Path) -> bool:
    """Whether a file is there, and in a folder: an untrusted workflow is not to read any other."""
    try:
        return file.resolve().is_relative_to(folder.resolve()) and file.is_file()
    except (OSError, ValueError, RuntimeError):  # A name that is none, or links in a circle.
        return False
