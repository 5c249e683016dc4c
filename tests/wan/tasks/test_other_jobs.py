"""Videos of the other jobs from request to receipt: made once, found again, and billed as they were estimated."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import media
import numpy as np
import pytest
from mock_faults import ResetAfterActing
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.catalog.jobs import ROWS
from wanpack.wan.tasks.media import Reference

TEXT, REFERENCE, EDIT, EXTENSION = ROWS


def picture() -> Reference:
    return Reference("reference_image", "image1", image=np.full((480, 480, 3), 0.3, np.float32))


def film(path: Path, kind: str = "reference_video") -> Reference:
    if not path.exists():
        frames = (media.plain(40 + index, size=(400, 400)) for index in range(60))
        media.video(path, frames, fps=20, codec="mpeg4")
    return Reference(kind, "video1", open_clip=lambda: path)


def batch_of(bench, job, model, given, changes):
    """A batch of 5 s, or of the clip's 3 s, with one reference of each kind given."""
    row, path = ROWS[job][model], bench.folder / "given.mp4"
    ways = {"image": picture, "clip": lambda: film(path), "edited": lambda: film(path, "video")}
    asked = {"resolution": row.resolutions[0], "duration": 5, "prompt": "a cat"}
    asked["ratio"] = row.ratios[0] if row.ratios else "adaptive"
    request = VideoRequest(model=model, job=job, **{**asked, **changes})
    references = [ways[one]() for one in given.split()]
    return replace(bench.batch(), images=None, request=request, references=references)


# A video's seconds, and what is billed of it: other-jobs.md 5.
CASES = [
    (TEXT, "wan2.5-t2v-preview", "", {}, 5, 1.5),
    (TEXT, "wan3.0-video", "", {}, 5, 1.5),
    (REFERENCE, "wan2.6-r2v-flash", "image clip", {"generate_audio": False}, 5, 7.5 * 0.15),
    (REFERENCE, "wan2.6-r2v-flash", "image clip", {}, 5, 7.5 * 0.3),
    (REFERENCE, "wan2.7-r2v", "image clip", {}, 5, 8 * 0.6),
    (REFERENCE, "wan3.0-video", "image clip", {}, 5, 8 * 0.3),
    (REFERENCE, "happyhorse-1.1-r2v", "image", {}, 5, 5 * 0.45),
    (EDIT, "wan2.7-videoedit", "edited image", {"duration": 0}, 3, 6 * 0.6),
    (EDIT, "wan3.0-video", "clip", {"duration": 0, "prompt": "Edit Video 1: a cat"}, 3, 6 * 0.3),
    (EXTENSION, "wan3.0-video", "clip", {"prompt": "Extend Video 1 forward: a cat"}, 5, 8 * 0.3),
]


@pytest.mark.parametrize(("job", "model", "given", "changes", "seconds", "amount"), CASES)
@pytest.mark.parametrize("is_lost", [False, True])
def test_a_video_is_made_once_and_billed_as_it_was_estimated(
    bench, job, model, given, changes, seconds, amount, is_lost
):
    bench.make_used()
    before, batch = bench.created, batch_of(bench, job, model, given, changes)
    if is_lost:
        bench.server.faults.add(on="create", fault=ResetAfterActing())
    receipt = bench.run(batch).receipt
    assert (bench.created - before, receipt["resumed"], receipt["warnings"]) == (1, is_lost, [])
    assert receipt["video_seconds"] == pytest.approx(seconds, abs=0.1)
    for cost in ("estimated_cost", "billed_cost"):
        assert (receipt[cost]["amount"], receipt[cost]["currency"]) == (pytest.approx(amount, abs=0.001), "CNY")
    assert bench.run(batch).receipt["reused"] is True


def test_a_clip_at_a_url_is_billed_by_its_list(bench):
    """The mock server has 5 s of a clip in its place."""
    url = {"duration": 0, "video_url": "https://example.com/a.mp4"}
    receipt = bench.run(batch_of(bench, EDIT, "wan2.7-videoedit", "image", url)).receipt
    assert receipt["estimated_cost"] is None
    assert receipt["billed_cost"]["amount"] == pytest.approx(10 * 0.6)
    [told] = receipt["warnings"]
    assert told.startswith("video_url: the seconds of this clip are billed too")
