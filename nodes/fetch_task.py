"""The Fetch Task node: a task's id goes in, its video is saved."""

from __future__ import annotations

from typing import Any

from ..wan.api.endpoint import Connection
from ..wan.tasks.fetch_task import FetchRequest, fetch_video
from . import host, inputs


class DashScopeWanFetchTask(inputs.VideoOutputs):
    """Brings the video of a task home by its id."""

    NODE_ID = "DashScopeWanFetchTask"
    DISPLAY_NAME = "Wan Fetch Task (DashScope)"
    DESCRIPTION = (
        "Brings the video of a task home, waiting while it still runs. The id is in every error, status text and "
        "receipt; the service keeps tasks and videos for 24 hours. Costs nothing."
    )
    FUNCTION = "fetch"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """Return the inputs as ComfyUI wants them described. Append only: saved workflows store them by position."""
        return {
            "required": {
                "task_id": (
                    "STRING",
                    {"default": "", "tooltip": "The id of the task, as an error, a status text or a receipt shows it."},
                ),
            },
            "optional": {
                "filename_prefix": inputs.filename_prefix("wan/task"),
                "connection": inputs.connection(),
            },
            "hidden": inputs.HIDDEN,
        }

    async def fetch(  # noqa: PLR0913 - one parameter an input, as ComfyUI passes them by name
        self,
        *,
        task_id: str,
        filename_prefix: str = "wan/task",
        connection: Connection | None = None,
        unique_id: Any = "",
        graph: Any = None,
        extra_pnginfo: Any = None,
    ) -> dict[str, Any]:
        """Wait for the task where need be and save its video.

        Args:
            task_id: as the service gave it.
            filename_prefix: where to save inside the output folder.
            connection: from the Connection node; the task's own region and account.
            unique_id: this node's id in the graph.
            graph: the graph in API format.
            extra_pnginfo: the graph as the browser saved it.

        Raises:
            InvalidRequest: the id cannot be one; nothing was sent.
            TaskUnknown, TaskCanceled, ServiceError, WaitExceeded, DownloadFailed: as their names say.
        """
        request = FetchRequest(
            inputs.strip(task_id),
            filename_prefix=filename_prefix,
            connection=Connection.of(connection),
            **host.batch_settings(graph, extra_pnginfo),
        )
        return self.to_result([await fetch_video(request, monitor=host.NodeMonitor(unique_id))])
