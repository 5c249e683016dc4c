"""`python dev.py run`: one workflow, its images in and its videos out, on the terminal."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import traceback
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from .errors import StandaloneError, described, text_of
from .folders import IMAGES, Folders
from .graph import NodeState, OnNode, Results, run_graph
from .loading import ROOT
from .messages import Message, language, say, shown
from .pack import Pack, load_pack
from .schema import NodeClass
from .terminal import Terminal, terminal_for
from .workflow import Graph, kept_offline, read_workflow, with_constant, with_image

_Returned = TypeVar("_Returned")
_INTERRUPTED = 130
_API_FOLDER = Path("workflows", "api")


@dataclass(frozen=True)
class Options:
    """What the command line asks for."""

    workflow: Path
    image: Path | None
    prompt: str | None
    model: str | None
    live: bool
    out: Path
    debug: bool


def main(arguments: Sequence[str], *, root: Path = ROOT) -> int:
    """Run a workflow and print the paths of its videos, the main one last. Returns the exit status."""
    options = _parse(arguments, root=root)
    try:
        _run(options, root=root)
    except (asyncio.CancelledError, KeyboardInterrupt):
        say(Message("Interrupted."))
        return _INTERRUPTED
    except Exception as error:  # noqa: BLE001 - a command line answers with a sentence; --debug shows the rest
        if options.debug:
            traceback.print_exc()
        text = text_of(error) if isinstance(error, StandaloneError) else described(error)
        say(Message("Error: {problem}", problem=text))
        return 1
    return 0


def _parse(arguments: Sequence[str], *, root: Path) -> Options:
    parser = argparse.ArgumentParser(
        prog="dev.py run", description=shown(Message("Runs a workflow (API format) without ComfyUI."))
    )
    first = root / _API_FOLDER / "01_first_frame.json"
    parser.add_argument("workflow", nargs="?", type=Path, default=first, help=shown(Message("default: %(default)s")))
    parser.add_argument("--image", type=Path, metavar="FILE", help=shown(Message("the picture for every LoadImage")))
    parser.add_argument("--prompt", metavar="TEXT", help=shown(Message("the prompt of every node that has one")))
    parser.add_argument("--model", metavar="ID", help=shown(Message("the model of every node that has one")))
    parser.add_argument(
        "--live", action="store_true", help=shown(Message("use the configured service, which costs money"))
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", default=root / "output", help=shown(Message("default: %(default)s"))
    )
    parser.add_argument("--debug", action="store_true", help=shown(Message("show log lines and tracebacks")))
    return Options(**vars(parser.parse_args(arguments)))


def _run(options: Options, *, root: Path) -> None:
    graph = _read_graph(options, root=root)
    terminal = terminal_for(sys.stderr, titles={node_id: _title(node_id, graph) for node_id in graph})
    _show_log(terminal, debug=options.debug)
    if not options.live:
        # Set before the pack reads them: an offline run neither spends money nor touches the ledger of runs that do.
        os.environ["DASHSCOPE_REGION"] = "offline"
        os.environ.pop("DASHSCOPE_WAN_HOME", None)
        terminal.say(
            shown(Message("Offline mode: the video is rendered locally, free of charge. Pass --live to use DashScope."))
        )
    pack = load_pack(root)
    classes = {**_prepared_core_nodes(pack, options, root=root, terminal=terminal), **pack.classes}
    results = until_stopped(run_graph(graph, classes=classes, on_node=_teller(terminal)))
    _show_texts(results, graph, terminal=terminal, output=options.out.resolve())
    for path in saved_videos(results, graph, classes=classes):
        print(path)


def _read_graph(options: Options, *, root: Path) -> Graph:
    graph = read_workflow(options.workflow, api_folder=root / _API_FOLDER)
    if options.image is not None:
        graph = with_image(graph, options.image)
    if options.prompt is not None:
        graph = with_constant(graph, "prompt", value=options.prompt)
    if options.model is not None:
        graph = with_constant(graph, "model", value=options.model)
    return graph if options.live else kept_offline(graph)


def _prepared_core_nodes(pack: Pack, options: Options, *, root: Path, terminal: Terminal) -> dict[str, NodeClass]:
    """ComfyUI's own nodes, with the pack's host set to the same folders."""
    out = options.out.resolve()
    folders = Folders(
        inputs=(root / "workflows", options.workflow.resolve().parent, IMAGES),
        output=out,
        temp=out / ".wan" / "temp",
        chosen=options.image.resolve() if options.image else None,
    )
    for folder in (folders.output, folders.temp):
        folder.mkdir(parents=True, exist_ok=True)
    host = pack.module("nodes.host")
    host.configure(
        output_folder=folders.output,
        input_folders=folders.inputs,
        temp_folder=folders.temp,
        home=_live_home() if options.live else out / ".wan",
        on_progress=terminal.progress,
        language=language(),
    )
    # Brings torch, which takes seconds that an error need not wait.
    from .core_nodes import core_nodes

    return core_nodes(folders, video_from_file=host.video_from_file)


def _live_home() -> Path:
    """Where the ledger and the credentials of paid runs are."""
    return Path(os.environ.get("DASHSCOPE_WAN_HOME") or "~/.config/dashscope-wan").expanduser()


def _title(node_id: str, graph: Graph) -> str:
    return f"[{node_id}] {graph[node_id].get('class_type')}"


def _teller(terminal: Terminal) -> OnNode:
    def tell(node_id: str, state: NodeState) -> None:
        if state != "started":
            terminal.settle(node_id)

    return tell


def until_stopped(work: Coroutine[Any, Any, _Returned]) -> _Returned:
    """Run to the end. Ctrl-C cancels the work and waits for its clean-up; a second Ctrl-C does not wait."""

    async def guarded() -> _Returned:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()

        def on_interrupt(_signal: int, _frame: FrameType | None) -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if task is not None:
                loop.call_soon_threadsafe(task.cancel)

        before = signal.signal(signal.SIGINT, on_interrupt)
        try:
            return await work
        finally:
            signal.signal(signal.SIGINT, before)

    return asyncio.run(guarded())


def saved_videos(results: Results, graph: Graph, *, classes: Mapping[str, NodeClass]) -> list[str]:
    """The paths on the nodes' `video_path` outputs, each once; a chain of clips ends with the last clip."""
    paths: dict[str, None] = {}
    for node_id, outputs in results.outputs.items():
        names = getattr(classes[graph[node_id]["class_type"]], "RETURN_NAMES", ())
        for name, values in zip(names, outputs, strict=False):
            if name == "video_path":
                for path in values:
                    paths.pop(path, None)
                    paths[path] = None
    return list(paths)


def _show_texts(results: Results, graph: Graph, *, terminal: Terminal, output: Path) -> None:
    """What preview and saving nodes would show on themselves."""
    for node_id, ui in results.ui.items():
        title = _title(node_id, graph)
        for text in ui.get("text", ()):
            terminal.say(f"{title}: {text}")
        for image in ui.get("images", ()):
            if str(image.get("filename", "")).endswith(".png"):
                folder = output if image.get("type") == "output" else output / ".wan" / "temp"
                terminal.say(f"{title}: {folder / image.get('subfolder', '') / image['filename']}")


class _LogLines(logging.Handler):
    """Log records as plain lines that do not disturb the progress."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__()
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        """Print one."""
        self._terminal.say(self.format(record))


def _show_log(terminal: Terminal, *, debug: bool) -> None:
    logger = logging.getLogger("dashscope_wan")
    logger.handlers = [_LogLines(terminal)]
    logger.setLevel(logging.DEBUG if debug else logging.WARNING)
    logger.propagate = False
