"""Join Videos: the files of its inputs in their order, saved under a free name; and the colours of Last Frame."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import av
import media
import numpy as np
import pytest
import torch
from wanpack.nodes import host
from wanpack.nodes.join_videos import DashScopeWanJoinVideos
from wanpack.nodes.last_frame import DashScopeWanLastFrame
from wanpack.wan.errors import MediaError, UnusableVideo

SIZE = (160, 96)


@pytest.fixture
def clip(standalone_host):
    """Make a clip in the output folder, whose frames show where their bar is, and return it as a VIDEO."""

    def make(name, *, first, frames=10):
        images = [media.bar(first + number, size=SIZE) for number in range(frames)]
        return host.video_from_file(media.video(host.output_folder() / name, images, options={"crf": "12"}))

    return make


def join(**given):
    return asyncio.run(DashScopeWanJoinVideos().join(**given))


def bars(path):
    """Where the bar is in each frame."""
    with av.open(str(path)) as container:
        frames = sorted(container.decode(video=0), key=lambda frame: frame.pts)
        shown = [frame.to_ndarray(format="rgb24").astype(int) for frame in frames]
    known = [media.bar(number, size=SIZE).astype(int) for number in range(60)]
    return [int(np.argmin([np.abs(one - bar).mean() for bar in known])) for one in shown]


def test_the_inputs_are_joined_in_their_order(clip):
    first, second, third, fourth = (clip(f"{number}.mp4", first=10 * number) for number in range(4))
    given = {"video_1": [first, second], "video_3": [third], "video_paths": ["\n3.mp4\n"]}
    result = join(**given, filename_prefix=["long/film"], drop_repeated_frame=[False])
    path, video = result["result"]
    assert path.endswith("film_00001_.mp4")
    assert bars(path) == list(range(40))
    assert video.get_stream_source() == path
    assert result["ui"]["images"] == [{"filename": "film_00001_.mp4", "subfolder": "long", "type": "output"}]
    assert fourth.path.endswith("3.mp4")


def test_the_frame_with_which_the_next_one_begins_is_left_out(clip):
    videos = [clip("a.mp4", first=0), clip("b.mp4", first=9), clip("c.mp4", first=18)]
    assert bars(join(video_1=videos, drop_repeated_frame=[True])["result"][0]) == list(range(28))


def test_every_problem_is_said_at_once_and_nothing_is_left(clip, tmp_path):
    clip("a.mp4", first=0)
    with pytest.raises(UnusableVideo) as caught:
        join(video_1=["no video"], video_paths=["/etc/passwd\nnone.mp4"])
    assert [one.partition(":")[0] for one in caught.value.problems] == ["video", "video_paths", "video_paths"]
    with pytest.raises(UnusableVideo, match="connect at least one video"):
        join()
    with pytest.raises(UnusableVideo, match="filename_prefix"):
        join(video_paths=["a.mp4"], filename_prefix=["../x"])
    (host.output_folder() / "bad.mp4").write_bytes(b"no video")
    with pytest.raises(MediaError, match=r"bad\.mp4"):
        join(video_paths=["a.mp4\nbad.mp4"])
    assert sorted(path.name for path in host.output_folder().rglob("*.*")) == ["a.mp4", "bad.mp4"]


@pytest.mark.usefixtures("patient_stop")
def test_stop_ends_the_work_and_leaves_no_file(clip, comfy):
    for name in ("a.mp4", "b.mp4"):
        clip(name, first=0)
    comfy.stop_at = "joining"
    with pytest.raises(comfy.interruption):
        join(video_paths=["a.mp4\nb.mp4"])
    assert sorted(path.name for path in host.output_folder().rglob("*.*")) == ["a.mp4", "b.mp4"]


class TestMatch:
    def last(self, **given):
        return asyncio.run(DashScopeWanLastFrame().extract(**given))[0]

    def test_the_frame_gets_the_colours_of_the_picture(self, clip):
        video = clip("a.mp4", first=0)
        plain = self.last(video=video)
        darker = self.last(video=video, match=plain * 0.5)
        assert darker.shape == plain.shape
        assert darker.dtype == torch.float32
        assert float((darker - plain * 0.5).abs().mean()) < 0.03
        assert float((self.last(video=video, match=plain) - plain).abs().max()) < 0.01

    def test_a_grey_or_transparent_picture_will_do(self, clip):
        video = clip("a.mp4", first=0)
        for channels in (1, 4):
            assert self.last(video=video, match=torch.full((1, 8, 8, channels), 0.5)).shape[-1] == 3

    @pytest.mark.parametrize("wrong", [torch.zeros(2, 8, 8, 3), torch.full((1, 8, 8, 3), 255.0), SimpleNamespace()])
    def test_what_is_not_one_picture_is_refused(self, clip, wrong):
        with pytest.raises(UnusableVideo, match="match: "):
            self.last(video=clip("a.mp4", first=0), match=wrong)
