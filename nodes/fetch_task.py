"""The Fetch Task node: saves the video of a task."""

from __future__ import annotations

from typing import Any

from ..wan.api.endpoint import Connection
from . import host, inputs


class DashScopeWanFetchTask(inputs.VideoOutputs):
    """Saves the video of a task by its id."""

    NODE_ID = "DashScopeWanFetchTask"
    DISPLAY_NAME = "Wan Fetch Task (DashScope)"
    SEARCH_ALIASES = (
        *("download", "resume", "recover", "task id", "lost video"),
        *("取回", "下载", "任务", "找回"),
        *inputs.VENDOR_ALIASES,
    )
    DESCRIPTION = (
        "Downloads the video of an earlier task, waiting while the task still runs. Errors, status texts and receipts "
        "show the task id; DashScope keeps tasks and videos for 24 hours. Free of charge."
    )
    FUNCTION = "fetch"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        """Return the inputs in ComfyUI's format. Append only: saved workflows store them by position."""
        return {
            "required": {
                "task_id": (
                    "STRING",
                    {"default": "", "tooltip": "The id of the task, as shown in an error, a status text or a receipt."},
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
        """Wait for the task if it still runs, and save its video.

        Args:
            task_id: the id from the service.
            filename_prefix: where to save inside the output folder.
            connection: from the Connection node; the task's own region and account.
            unique_id: this node's id in the graph.
            graph: the graph in API format.
            extra_pnginfo: the graph as the browser saved it.

        Raises:
            InvalidRequest: the id is malformed; nothing was sent.
            TaskUnknown, TaskCanceled, ServiceError, WaitExceeded, DownloadFailed: as their names say.
        """
        from ..wan.tasks.fetch_task import FetchRequest, fetch_video

        with host.NodeMonitor(unique_id) as monitor:
            request = FetchRequest(
                inputs.strip(task_id),
                filename_prefix=filename_prefix,
                connection=Connection.of(connection),
                **host.batch_settings(graph, extra_pnginfo),
            )
            return self.to_result([await fetch_video(request, monitor=monitor)])
