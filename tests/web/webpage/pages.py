"""The pages that a test is run in, where it is not every one of them."""

import pytest

from .frontends import CANVAS, NODES2, ONE


def _only(pages):
    return pytest.mark.parametrize("shared_page", pages, indirect=True, ids="-".join)


# A renderer draws nodes; the graph, its widgets' values and how it is saved are the frontend's.
on_canvas = _only(CANVAS)
in_nodes2 = _only(NODES2)
in_one_page = _only(ONE)
