"""A workflow file in API format, and what the command line replaces in it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from .errors import StandaloneError
from .messages import Message

Graph = dict[str, dict[str, Any]]
CONNECTION = "DashScopeWanConnection"


def read_workflow(path: Path, *, api_folder: Path) -> Graph:
    """The graph in a file: by itself, or as the "prompt" of a request to ComfyUI's /prompt.

    `api_folder` holds the pack's own graphs, to point at where the other format is given.

    Raises:
        StandaloneError: there is no such file, or it holds no graph in API format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise StandaloneError(Message("There is no workflow file {path}", path=path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise StandaloneError(Message("{path} cannot be read: {reason}", path=path, reason=error)) from error
    except json.JSONDecodeError as error:
        raise StandaloneError(Message("{path} is no JSON: {reason}", path=path, reason=error)) from error
    except RecursionError as error:
        raise StandaloneError(Message("{path} is no graph: it is nested too deeply", path=path)) from error
    if isinstance(content, dict) and isinstance(content.get("nodes"), list):
        twin = api_folder / path.name
        better = (
            Message("use {twin}", twin=twin)
            if twin.is_file()
            else Message("in ComfyUI, use File > Export (API) and give that file")
        )
        raise StandaloneError(
            Message(
                "{path} is a workflow for ComfyUI's page. This needs its API format: {better}", path=path, better=better
            )
        )
    if _is_request(content):
        content = content["prompt"]
    if not isinstance(content, dict) or not content or not all(isinstance(node, dict) for node in content.values()):
        raise StandaloneError(
            Message("{path} holds no workflow in API format, which is an object of nodes by their ids", path=path)
        )
    return content


def _is_request(content: Any) -> bool:
    """Whether this is what is sent to ComfyUI's /prompt, with the graph inside; a node may be called "prompt" too."""
    return (
        isinstance(content, dict) and isinstance(content.get("prompt"), dict) and "class_type" not in content["prompt"]
    )


def with_image(graph: Graph, image: Path) -> Graph:
    """The graph with another image in every LoadImage.

    Raises:
        StandaloneError: there is no such image, or nothing that loads one.
    """
    if not image.is_file():
        raise StandaloneError(Message("There is no picture {path}", path=image))
    loaders = [node_id for node_id, node in graph.items() if node.get("class_type") == "LoadImage"]
    if not loaders:
        raise StandaloneError(Message("--image has nothing to replace: the workflow has no LoadImage node"))
    return _replaced(graph, loaders, name="image", value=str(image.resolve()))


def with_constant(graph: Graph, name: str, *, value: str) -> Graph:
    """The graph with another value wherever this input is a constant.

    Raises:
        StandaloneError: no node has it.
    """
    holders = [node_id for node_id, node in graph.items() if isinstance(_inputs(node).get(name), str)]
    if not holders:
        raise StandaloneError(
            Message(
                "--{option} has nothing to replace: no node of the workflow has a constant {option!r} input",
                option=name,
            )
        )
    return _replaced(graph, holders, name=name, value=value)


def kept_offline(graph: Graph) -> Graph:
    """The graph with every connection pointing at the offline mock server."""
    connections = [node_id for node_id, node in graph.items() if node.get("class_type") == CONNECTION]
    return _replaced(graph, connections, name="region", value="offline")


def _inputs(node: dict[str, Any]) -> dict[str, Any]:
    inputs = node.get("inputs")
    return inputs if isinstance(inputs, dict) else {}


def _replaced(graph: Graph, node_ids: list[str], *, name: str, value: str) -> Graph:
    changed = copy.deepcopy(graph)
    for node_id in node_ids:
        changed[node_id]["inputs"] = {**_inputs(changed[node_id]), name: value}
    return changed
