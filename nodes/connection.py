"""The Connection node: region, workspace and waiting limit. Never a key, never a URL."""

from __future__ import annotations

from typing import Any

from ..wan.api.endpoint import DEFAULT_CHOICE, MAX_WAIT_MINUTES, MAX_WAIT_MINUTES_LIMIT, Connection
from ..wan.catalog.models import models_where
from ..wan.catalog.regions import REGIONS
from .inputs import CATEGORY, CONNECTION, strip


class DashScopeWanConnection:
    """Chooses where the Wan nodes send their requests."""

    NODE_ID = "DashScopeWanConnection"
    DISPLAY_NAME = "DashScope Connection"
    CATEGORY = CATEGORY
    DESCRIPTION = (
        "Chooses the DashScope region, the workspace and how long to wait. The API key is never in the workflow: it "
        "comes from DASHSCOPE_API_KEY or from credentials.toml. Region offline makes test videos at no cost, without a "
        "key."
    )
    FUNCTION = "connect"
    RETURN_TYPES = (CONNECTION,)
    RETURN_NAMES = ("connection",)
    OUTPUT_TOOLTIPS = ("Connect it to the connection input of the Wan nodes.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """Return the inputs as ComfyUI wants them described."""
        own_hosts = models_where(lambda row: row.workspace_hosts_only)
        return {
            "required": {
                "region": (
                    [DEFAULT_CHOICE, *REGIONS],
                    {
                        "default": DEFAULT_CHOICE,
                        "tooltip": "default: DASHSCOPE_REGION of this machine, else beijing. A key belongs to one "
                        "region. offline: a stand-in on this machine that makes test videos at no cost, without a key.",
                    },
                ),
            },
            "optional": {
                "workspace_id": (
                    "STRING",
                    {
                        "default": "",
                        "tooltip": "Id of the Model Studio workspace, such as llm-abc123; empty for the region's "
                        "shared address. Needed in "
                        + ", ".join(row.title for row in REGIONS.values() if row.needs_workspace)
                        + f"; the service documents {' and '.join(own_hosts)} with one only.",
                    },
                ),
                "max_wait_minutes": (
                    "INT",
                    {
                        "default": MAX_WAIT_MINUTES,
                        "min": 1,
                        "max": MAX_WAIT_MINUTES_LIMIT,
                        "tooltip": "How many minutes a video may be rendered before the node gives up waiting; waiting "
                        "in the queue does not count. The task goes on, and running again goes on waiting.",
                    },
                ),
            },
        }

    def connect(
        self, region: str, workspace_id: str = "", max_wait_minutes: int = MAX_WAIT_MINUTES
    ) -> tuple[Connection]:
        """Return the choice; it is checked when a node uses it."""
        return (Connection(region, strip(workspace_id), max_wait_minutes),)
