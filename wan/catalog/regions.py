"""The service's regions: their hosts and features.

Source: the service's pages on regions and base URLs (2026). The rows of `models.py` say which models a region offers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

API_PATH = "/api/v1"
DEFAULT_REGION = "beijing"
OFFLINE = "offline"


@dataclass(frozen=True)
class Region:
    """One region. `shared_host` is empty if the region has workspace hosts only.

    `workspace_host` has `{workspace}` for the workspace id. `temporary_storage` says whether files can be uploaded to
    `oss://` URLs, `effects` whether the effect templates are available. `docs_id` is the region's id in Alibaba Cloud.
    """

    id: str
    title: str
    docs_id: str
    shared_host: str
    workspace_host: str
    temporary_storage: bool
    effects: bool

    @property
    def needs_workspace(self) -> bool:
        """Whether this region can only be reached through a workspace host."""
        return not self.shared_host and self.id != OFFLINE


_ROWS = (
    Region(
        id="beijing",
        title="Beijing",
        docs_id="cn-beijing",
        shared_host="dashscope.aliyuncs.com",
        workspace_host="{workspace}.cn-beijing.maas.aliyuncs.com",
        temporary_storage=True,
        effects=True,
    ),
    Region(
        id="singapore",
        title="Singapore",
        docs_id="ap-southeast-1",
        shared_host="dashscope-intl.aliyuncs.com",
        workspace_host="{workspace}.ap-southeast-1.maas.aliyuncs.com",
        temporary_storage=True,
        effects=False,
    ),
    Region(
        id="virginia",
        title="Virginia",
        docs_id="us-east-1",
        shared_host="dashscope-us.aliyuncs.com",
        workspace_host="{workspace}.us-east-1.maas.aliyuncs.com",
        temporary_storage=False,
        effects=False,
    ),
    Region(
        id="frankfurt",
        title="Frankfurt",
        docs_id="eu-central-1",
        shared_host="",
        workspace_host="{workspace}.eu-central-1.maas.aliyuncs.com",
        temporary_storage=False,
        effects=False,
    ),
    Region(
        id="tokyo",
        title="Tokyo",
        docs_id="ap-northeast-1",
        shared_host="",
        workspace_host="{workspace}.ap-northeast-1.maas.aliyuncs.com",
        temporary_storage=False,
        effects=False,
    ),
    Region(
        id="hongkong",
        title="Hong Kong",
        docs_id="cn-hongkong",
        shared_host="cn-hongkong.dashscope.aliyuncs.com",
        workspace_host="{workspace}.cn-hongkong.maas.aliyuncs.com",
        temporary_storage=False,
        effects=False,
    ),
    Region(
        id=OFFLINE,
        title="Offline",
        docs_id="",
        shared_host="",
        workspace_host="",
        temporary_storage=True,
        effects=True,
    ),
)

REGIONS: Mapping[str, Region] = MappingProxyType({row.id: row for row in _ROWS})
"""Every region by the id that the Connection node offers."""
