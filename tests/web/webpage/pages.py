"""The pages that a test is run in, where it is not every one of them.

The versions between the oldest and the newest run what differs by frontend: how nodes are drawn, what the page does
with their texts and their subgraphs. What the pack computes runs in the oldest and the newest, or in one page.
"""

import pytest

from .frontends import BETWEEN, CANVAS, NEWEST, NODES2, ONE


def _only(pages):
    return pytest.mark.parametrize("shared_page", pages, indirect=True, ids="-".join)


# A renderer draws nodes; the graph, its widgets' values and how it is saved are the frontend's.
on_canvas = _only(CANVAS)
in_classic = _only([page for page in CANVAS + BETWEEN if page[1] == "canvas"])
in_nodes2 = _only([page for page in NODES2 + BETWEEN if page[1] == "nodes2"])
in_one_page = _only(ONE)
# In Chinese; on a machine whose owner has set a region that there is not; without the extension.
in_chinese = _only([(*page, "zh") for page in CANVAS])
in_chinese_nowhere = _only([(NEWEST, "canvas", "zh", "nowhere")])
without_extension = _only([(NEWEST, "canvas", "bare")])
