"""The Connection node: region, workspace and wait limit. Never a key, never a URL."""

from __future__ import annotations

from typing import Any

from ..wan.api.endpoint import DEFAULT_CHOICE, MAX_WAIT_MINUTES, MAX_WAIT_MINUTES_LIMIT, Connection
from ..wan.catalog.regions import REGIONS
from .inputs import CATEGORY, CONNECTION, VENDOR_ALIASES, strip


class DashScopeWanConnection:
    """Chooses the region and workspace of the Wan nodes."""

    NODE_ID = "DashScopeWanConnection"
    DISPLAY_NAME = "DashScope Connection"
    SEARCH_ALIASES = (
        *("api key", "region", "workspace", "singapore", "beijing", "offline"),
        *("地域", "业务空间", "连接", "离线", "密钥"),
        *VENDOR_ALIASES,
    )
    CATEGORY = CATEGORY
    DESCRIPTION = (
        "Chooses the DashScope region, the workspace and the wait limit. The API key is never in the workflow: it is "
        "read from DASHSCOPE_API_KEY or credentials.toml. Region offline renders test videos locally, free of charge "
        "and without a key."
    )
    FUNCTION = "connect"
    RETURN_TYPES = (CONNECTION,)
    RETURN_NAMES = ("connection",)
    OUTPUT_TOOLTIPS = ("Connect it to the connection input of the Wan nodes.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """Return the inputs in ComfyUI's format."""
        return {
            "required": {
                "region": (
                    [DEFAULT_CHOICE, *REGIONS],
                    {
                        "default": DEFAULT_CHOICE,
                        "tooltip": "default: DASHSCOPE_REGION or beijing. offline: test videos, free and without a "
                        "key. Keys are for one region.",
                    },
                ),
            },
            "optional": {
                "workspace_id": (
                    "STRING",
                    {
                        "default": "",
                        "tooltip": "Id of the Model Studio workspace, such as llm-abc123. Required in "
                        + " and ".join(row.title for row in REGIONS.values() if row.needs_workspace)
                        + " and by some models.",
                    },
                ),
                "max_wait_minutes": (
                    "INT",
                    {
                        "default": MAX_WAIT_MINUTES,
                        "min": 1,
                        "max": MAX_WAIT_MINUTES_LIMIT,
                        "tooltip": "Minutes of rendering, without the queue, after which the node stops waiting; "
                        "the task continues.",
                    },
                ),
            },
        }

    def connect(
        self, region: str, workspace_id: str = "", max_wait_minutes: int = MAX_WAIT_MINUTES
    ) -> tuple[Connection]:
        """Return the connection; it is validated when a node uses it."""
        return (Connection(region, strip(workspace_id), max_wait_minutes),)
