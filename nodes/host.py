"""The host: the ComfyUI functions that the nodes need, and their standalone counterparts.

The only file that imports ComfyUI.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from ..wan.api.endpoint import use_offline
from ..wan.errors import WanError
from ..wan.frozen import frozen
from ..wan.messages import ENGLISH, Text, language_of, localize
from ..wan.tasks.receipt import finite
from ..wan.tasks.retry import Clock

logger = logging.getLogger("dashscope_wan")

DATA_DIR_NAME = "dashscope_wan"
_STEPS = 1000
STOP_POLL_INTERVAL = 0.2


@frozen
class StandaloneHost:
    """Where things are when there is no ComfyUI, the language, and the clock that runs wait by.

    `on_progress` gets a node's id, a fraction 0 to 1 and a text.
    """

    output_folder: Path = Path("output")
    input_folders: Sequence[Path] = ()
    temp_folder: Path = Path("temp")
    home: Path = Path(".wan")
    language: str = ENGLISH
    clock: Clock = field(default_factory=Clock)
    on_progress: Callable[[str, float, str], None] | None = None


_standalone = StandaloneHost()


def configure(**settings: Any) -> StandaloneHost:
    """Set up work without ComfyUI: change fields of `StandaloneHost`. Returns what they were."""
    global _standalone
    before, _standalone = _standalone, replace(_standalone, **settings)
    return before


def in_comfyui() -> bool:
    """Tell whether the nodes run in ComfyUI, which loads its own modules before any pack."""
    return "folder_paths" in sys.modules and "comfy" in sys.modules


def output_folder() -> Path:
    """Return the folder for saved videos."""
    if not in_comfyui():
        return _standalone.output_folder
    import folder_paths

    return Path(folder_paths.get_output_directory())


def readable_folders() -> list[Path]:
    """Return the folders whose files a graph may read: input, output and temp."""
    if not in_comfyui():
        return [*_standalone.input_folders, _standalone.output_folder, _standalone.temp_folder]
    import folder_paths

    return [
        Path(folder_paths.get_input_directory()),
        Path(folder_paths.get_output_directory()),
        Path(folder_paths.get_temp_directory()),
    ]


def data_dir() -> Path:
    """Return the pack's own folder for credentials and the ledger, which ComfyUI does not serve over HTTP."""
    if not in_comfyui():
        return _standalone.home
    import folder_paths

    if hasattr(folder_paths, "get_system_user_directory"):
        return Path(folder_paths.get_system_user_directory(DATA_DIR_NAME))
    return Path(folder_paths.get_user_directory()) / f"__{DATA_DIR_NAME}"


def language() -> str:
    """Return the language of ComfyUI's user: the one that is chosen in its settings, else that of the page."""
    if not in_comfyui():
        return _standalone.language
    try:
        import folder_paths

        path = Path(folder_paths.get_user_directory()) / "default" / "comfy.settings.json"
        changed = path.stat().st_mtime_ns
        if _chosen.get("changed") != changed:
            settings = json.loads(path.read_text(encoding="utf-8"))
            _chosen.update(changed=changed, locale=str(settings.get("Comfy.Locale") or ""))
    except (ImportError, OSError, ValueError, AttributeError):
        _chosen.update(changed=None, locale="")
    return language_of(_chosen.get("locale") or _chosen.get("page") or "")


def tell_language(locale: str) -> None:
    """Note the language of the page, which counts where none is chosen in the settings."""
    _chosen["page"] = locale


_chosen: dict[str, Any] = {}
"""The locales: "locale" of the settings as they were "changed", and that of the "page"."""


def in_language(text: Text) -> str:
    """Return a text in the user's language."""
    return localize(text, language())


class LocalizedErrors(contextlib.AbstractContextManager[Any]):
    """Gives the errors that leave a node the user's language. Where it is another one, the log has the English text."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, WanError):
            error.language = language()
            if error.language != ENGLISH:
                logger.error("%s", error.text)


def batch_settings(graph: Any, extra_pnginfo: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a run takes from the host: folders, clock, what the saved files carry, and who hears of changes."""
    return {
        "output_folder": output_folder(),
        "home": data_dir(),
        "metadata": workflow_metadata(graph, extra_pnginfo),
        "clock": _standalone.clock,
        "on_change": _on_change,
    }


def workflow_metadata(prompt: Any, extra_pnginfo: Mapping[str, Any] | None) -> dict[str, str]:
    """Return the metadata for a saved file, as ComfyUI's own save nodes write it. Empty if metadata is disabled.

    Values of other nodes that are not JSON are skipped with a warning. NaN becomes null.
    """
    if not in_comfyui():
        return {}
    from comfy.cli_args import args

    if args.disable_metadata:
        return {}
    carried = {"prompt": prompt, **(extra_pnginfo if isinstance(extra_pnginfo, Mapping) else {})}
    texts = {}
    for name, value in carried.items():
        try:
            if value is not None:
                texts[str(name)] = json.dumps(finite(value), allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            logger.warning("%s is not saved with the video: it is not JSON (%s)", name, type(error).__name__)
    return texts


_on_change: Callable[[Any], None] | None = None


def tell_changes(call: Callable[[Any], None] | None) -> None:
    """Register the call that is told of each record that a run changes, in any thread. None: nobody is told."""
    global _on_change  # noqa: PLW0603 - one server for the process
    _on_change = call


def prompt_server() -> Any:
    """Return ComfyUI's server, None without ComfyUI."""
    return getattr(getattr(sys.modules.get("server"), "PromptServer", None), "instance", None)


def send_event(name: str, data: Mapping[str, Any]) -> None:
    """Send a message to all of ComfyUI's pages. From any thread."""
    server = prompt_server()
    if server is not None:
        server.send_sync(name, dict(data))


def allowed_origin() -> str:
    """Return the other origin whose pages may use ComfyUI's server: `--enable-cors-header`. "" if there is none."""
    if not in_comfyui():
        return ""
    from comfy.cli_args import args

    return str(getattr(args, "enable_cors_header", None) or "")


def video_from_file(path: Path | str) -> Any:
    """Return a file as a VIDEO, without decoding it."""
    if not in_comfyui():
        return LocalVideo(str(path))
    try:
        from comfy_api.latest import InputImpl
    except ImportError:
        from comfy_api.input_impl import VideoFromFile

        return VideoFromFile(str(path))
    return InputImpl.VideoFromFile(str(path))


def preview(paths: Sequence[Path]) -> dict[str, Any]:
    """Return the UI output with which ComfyUI plays saved videos on their node."""
    output = output_folder().resolve()
    shown = []
    for path in paths:
        source = path.resolve()
        if source.is_relative_to(output):
            inside = source.relative_to(output)
            subfolder = inside.parent.as_posix() if inside.parent.name else ""
            shown.append({"filename": inside.name, "subfolder": subfolder, "type": "output"})
    return {"images": shown, "animated": (True,)}


@frozen
class LocalVideo:
    """A VIDEO without ComfyUI: a file's path."""

    path: str

    def get_stream_source(self) -> str:
        """Return the path, as ComfyUI's own file videos do."""
        return self.path


class NodeMonitor(LocalizedErrors):
    """A running node: its progress, its status text, its errors, and Stop."""

    def __init__(self, node_id: object) -> None:
        self._node_id = str(node_id)
        self._shown = ""
        self._interruption: BaseException | None = None
        self._bar = self._progress_bar()

    def report(self, fraction: float, text: Text) -> None:
        """Report the node's progress, 0 to 1, and its current step."""
        if self._bar is None:
            if _standalone.on_progress and not in_comfyui():
                _standalone.on_progress(self._node_id, fraction, in_language(text))
            return
        try:
            self._bar.update_absolute(int(fraction * _STEPS), _STEPS)
        except BaseException as error:  # noqa: BLE001 - ComfyUI's interruption, kept for raise_if_interrupted
            self._interruption = error
        shown = in_language(text)
        if shown != self._shown:
            self._shown = shown
            self._send(shown)

    def raise_if_interrupted(self) -> None:
        """Raise ComfyUI's own interruption if the user pressed Stop."""
        if self._interruption is not None:
            raise self._interruption
        if self._bar is None:
            return
        from comfy import model_management

        if model_management.processing_interrupted():
            model_management.throw_exception_if_processing_interrupted()

    async def wait_for_interrupt(self) -> None:
        """Wait until the user presses Stop, then raise ComfyUI's own interruption."""
        while True:
            await asyncio.sleep(STOP_POLL_INTERVAL)
            self.raise_if_interrupted()

    def _progress_bar(self) -> Any:
        if not in_comfyui():
            return None
        from comfy.utils import ProgressBar

        return ProgressBar(_STEPS, node_id=self._node_id)

    def _send(self, text: str) -> None:
        server = prompt_server()
        if server is not None:
            from html import escape

            # The page renders it as HTML, some versions without sanitising it.
            server.send_progress_text(escape(text, quote=False), self._node_id)


def _offline_server(home: Path) -> tuple[str, str]:
    """Start the process's mock server if necessary, and return its base URL and key."""
    from ..offline.server import shared_server

    server = shared_server(home / "offline")
    return server.base_url, server.key


use_offline(_offline_server)
