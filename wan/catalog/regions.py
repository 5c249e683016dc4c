"""The service's regions: their hosts and features.

Source: the service's pages on regions and base URLs (2026). The rows of `models.py` say which models a region offers.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..frozen import frozen
from ..messages import Message

API_PATH = "/api/v1"
DEFAULT_REGION = "beijing"
OFFLINE = "offline"
TASK_TTL = 24 * 3600.0
"""The seconds for which the service keeps a task and its video."""


@frozen
class Region:
    """One region. `title` and `title_zh` are its name in English and Chinese, `docs_id` is its id in Alibaba Cloud.

    `shared_host` is empty where only a workspace's own host exists; `workspace_host` takes the workspace id as
    `{workspace}`. `temporary_storage` tells whether files can be uploaded to `oss://` URLs, `effects` whether effect
    templates run there. Prices are in `currency`. A `simulated` region is the mock server on this machine: it has every
    model, at no cost, and wants no key. `task_ttl` is for how many seconds a region knows a task and keeps its video;
    `has_typical_waits` tells whether tasks take the time that the models' rows name.
    """

    id: str
    title: str
    title_zh: str
    docs_id: str
    shared_host: str
    workspace_host: str
    temporary_storage: bool
    effects: bool
    currency: str = "CNY"
    simulated: bool = False
    task_ttl: float = TASK_TTL
    has_typical_waits: bool = True

    @property
    def needs_workspace(self) -> bool:
        """Whether this region can only be reached through a workspace host."""
        return not self.shared_host and not self.simulated

    def if_paid(self, note: str) -> str:
        """Return a note on what is paid; "" where nothing ever is."""
        return "" if self.simulated else note


_ROWS = (
    Region(
        id="beijing",
        title=Message("Beijing"),
        title_zh="北京",
        docs_id="cn-beijing",
        shared_host="dashscope.aliyuncs.com",
        workspace_host="{workspace}.cn-beijing.maas.aliyuncs.com",
        temporary_storage=True,
        effects=True,
    ),
    Region(
        id="singapore",
        title=Message("Singapore"),
        title_zh="新加坡",
        docs_id="ap-southeast-1",
        shared_host="dashscope-intl.aliyuncs.com",
        workspace_host="{workspace}.ap-southeast-1.maas.aliyuncs.com",
        temporary_storage=True,
        effects=False,
        currency="USD",
    ),
    Region(
        id="virginia",
        title=Message("Virginia"),
        title_zh="弗吉尼亚",
        docs_id="us-east-1",
        shared_host="dashscope-us.aliyuncs.com",
        workspace_host="{workspace}.us-east-1.maas.aliyuncs.com",
        temporary_storage=False,
        effects=False,
    ),
    Region(
        id="frankfurt",
        title=Message("Frankfurt"),
        title_zh="法兰克福",
        docs_id="eu-central-1",
        shared_host="",
        workspace_host="{workspace}.eu-central-1.maas.aliyuncs.com",
        temporary_storage=False,
        effects=False,
    ),
    Region(
        id="tokyo",
        title=Message("Tokyo"),
        title_zh="东京",
        docs_id="ap-northeast-1",
        shared_host="",
        workspace_host="{workspace}.ap-northeast-1.maas.aliyuncs.com",
        temporary_storage=False,
        effects=False,
    ),
    Region(
        id="hongkong",
        title=Message("Hong Kong"),
        title_zh="中国香港",
        docs_id="cn-hongkong",
        shared_host="cn-hongkong.dashscope.aliyuncs.com",
        workspace_host="{workspace}.cn-hongkong.maas.aliyuncs.com",
        temporary_storage=False,
        effects=False,
    ),
    Region(
        id=OFFLINE,
        title=Message("Offline"),
        title_zh="离线模式",
        docs_id="",
        shared_host="",
        workspace_host="",
        temporary_storage=True,
        effects=True,
        simulated=True,
        # A task that the mock server does not know at once, it never will.
        task_ttl=0.0,
        has_typical_waits=False,
    ),
)

REGIONS: Mapping[str, Region] = MappingProxyType({row.id: row for row in _ROWS})
"""Every region by the id that the Connection node offers."""
