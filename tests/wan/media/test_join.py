"""Joined videos: the number of frames, their order and times, and sound without a break."""

from __future__ import annotations

import io
import os
from fractions import Fraction

import av
import media
import numpy as np
import pytest
from wanpack.wan.errors import MediaError
from wanpack.wan.media.join import join_videos

SIZE = (160, 96)
RATE = 48_000


def tone(seconds, pitch=440):
    return 0.5 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * RATE)) / RATE)


@pytest.fixture(scope="module")
def made():
    """The clips that there are already, by what was asked for."""
    return {}


@pytest.fixture
def clip(tmp_path, made):
    """Make a clip whose frame number is the position of a bar."""

    def make(name, **asked):
        path = tmp_path / name
        if isinstance(asked.get("sound"), np.ndarray):
            return encode(path, **asked)
        key = path.suffix, *asked.items()
        if key not in made:
            made[key] = encode(path, **asked).read_bytes()
        path.write_bytes(made[key])
        return path

    def encode(path, *, frames=30, first=0, size=SIZE, fps=30, sound=True, b_frames=0, container=None, **more):
        images = [media.bar(first + number, size=size) for number in range(frames)]
        track = tone(frames / fps) if sound is True else sound
        options = {"bf": str(b_frames), "g": "250", "crf": "12", "preset": "veryfast"}
        return media.video(
            path, images, fps=fps, options=options, container=container,
            sound=track if track is not False else None, **more,
        )  # fmt: skip

    return make


def decoded(path):
    """Every frame in 8 bits, in the order it is shown, and the times in frames of 1/30 s."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = sorted(container.decode(stream), key=lambda frame: frame.pts)
        return [frame.to_ndarray(format="rgb24") for frame in frames], [
            frame.pts * stream.time_base for frame in frames
        ]


def heard(path):
    """The sound, in one channel, as long as the file plays it."""
    with av.open(str(path)) as container:
        return np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])


def is_alike(one, other):
    return one.shape == other.shape and np.abs(one.astype(int) - other.astype(int)).mean() < 4


@pytest.mark.parametrize("b_frames", [0, 2])
def test_clips_of_one_kind_are_copied_frame_by_frame(clip, tmp_path, b_frames):
    sources = [clip(f"{number}.mp4", first=20 * number, b_frames=b_frames) for number in range(3)]
    joined = join_videos(sources, tmp_path / "all.mp4")
    assert (joined.frames, joined.seconds, joined.is_copied) == (90, 3.0, True)
    frames, times = decoded(tmp_path / "all.mp4")
    assert times == [Fraction(number, 30) for number in range(90)]
    expected = [frame for source in sources for frame in decoded(source)[0]]
    assert all(np.array_equal(one, other) for one, other in zip(frames, expected, strict=True))


@pytest.mark.parametrize("b_frames", [0, 2])
def test_the_repeated_frame_is_left_out(clip, tmp_path, b_frames):
    sources = [clip("a.mp4", b_frames=b_frames), clip("b.mp4", first=29, b_frames=b_frames)]
    joined = join_videos(sources, tmp_path / "all.mp4", drop_repeated=True)
    frames, times = decoded(tmp_path / "all.mp4")
    assert joined.frames == len(frames) == 59
    assert times == [Fraction(number, 30) for number in range(59)]
    assert all(is_alike(frame, media.bar(number, size=SIZE)) for number, frame in enumerate(frames))
    assert joined.is_copied or b_frames  # A frame that others need is only left out by encoding.
    assert abs(len(heard(tmp_path / "all.mp4")) / RATE - 59 / 30) < 0.03


def test_clips_of_other_sizes_and_rates_are_encoded_as_the_first_is(clip, tmp_path):
    sources = [
        clip("a.mp4"),
        clip("b.mp4", size=(96, 160), fps=15, frames=15),
        clip("c.webm", codec="libvpx", sound=False),
    ]
    joined = join_videos(sources, tmp_path / "all.mp4")
    assert (joined.frames, joined.is_copied) == (90, False)
    frames, times = decoded(tmp_path / "all.mp4")
    assert {frame.shape for frame in frames} == {(SIZE[1], SIZE[0], 3)}
    assert times == [Fraction(number, 30) for number in range(90)]
    assert is_alike(frames[10], media.bar(10, size=SIZE))
    assert frames[45][:, :40].max() < 40  # Black bars beside the upright one.
    assert is_alike(frames[75], media.bar(15, size=SIZE))


def test_sound_goes_on_without_a_break_and_stays_with_its_pictures(clip, tmp_path):
    whole = tone(3)
    sources = [clip(f"{number}.mp4", sound=whole[number * RATE : (number + 1) * RATE]) for number in range(3)]
    join_videos(sources, tmp_path / "all.mp4")
    sound = heard(tmp_path / "all.mp4")
    assert abs(len(sound) / RATE - 3) < 0.03
    envelope = np.abs(sound[: 3 * RATE]).reshape(-1, RATE // 100).max(axis=1)
    # Half of full scale in each hundredth of a second, also at the seams; the codec rings a little.
    assert (envelope[2:-4].min(), envelope[2:-4].max()) == pytest.approx((0.5, 0.5), abs=0.2)
    begin = [np.argmax(np.abs(sound[number * RATE : number * RATE + 2000]) > 0.4) for number in range(3)]
    assert max(begin) < 200


def test_a_silent_clip_between_others_is_silence(clip, tmp_path):
    sources = [clip("a.mp4"), clip("b.mp4", sound=False), clip("c.mp4")]
    join_videos(sources, tmp_path / "all.mp4")
    sound = heard(tmp_path / "all.mp4")
    loud = [float(np.abs(sound[round(at * RATE) : round((at + 0.4) * RATE)]).max()) for at in (0.3, 1.3, 2.3)]
    assert loud == pytest.approx([0.5, 0.0, 0.5], abs=0.1)


def test_silent_clips_make_a_silent_video(clip, tmp_path):
    join_videos([clip("a.mp4", sound=False), clip("b.mp4", sound=False)], tmp_path / "all.mp4")
    with av.open(str(tmp_path / "all.mp4")) as container:
        assert not container.streams.audio


def test_a_matroska_file_with_reordered_frames_takes_its_own_time(clip, tmp_path):
    """Its first packets have no time of decoding."""
    joined = join_videos([clip("a.mkv", b_frames=2), clip("b.mp4", first=30)], tmp_path / "all.mp4")
    assert (joined.frames, joined.seconds) == (60, 2.0)
    frames, _ = decoded(tmp_path / "all.mp4")
    assert all(is_alike(frame, media.bar(number, size=SIZE)) for number, frame in enumerate(frames))


def test_frames_that_an_edit_list_hides_stay_hidden(clip, tmp_path):
    sources = [cut(clip("whole.mp4", sound=False), tmp_path / "a.mp4", frames=10), clip("b.mp4", first=30, sound=False)]
    for given, numbers in ((sources, range(10, 60)), (sources[::-1], [*range(30, 60), *range(10, 30)])):
        assert join_videos(given, tmp_path / "all.mp4").frames == 50
        frames, _ = decoded(tmp_path / "all.mp4")
        assert all(is_alike(one, media.bar(number, size=SIZE)) for one, number in zip(frames, numbers, strict=True))


def cut(path, target, *, frames):
    """Copy a clip so that players begin with a later frame, as "ffmpeg -ss -c copy" does."""
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(path)) as source, av.open(str(target), "w", container_options=options) as copy:
        stream = source.streams.video[0]
        twin = copy.add_stream_from_template(stream)
        hidden = round(frames / (stream.average_rate * stream.time_base))
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - hidden, packet.dts - hidden, twin
                copy.mux(packet)
    return target


def test_a_clip_of_few_frames_before_one_whose_frames_are_reordered_further(clip, tmp_path):
    short, long = clip("short.mp4", frames=1, b_frames=2, sound=False), clip("a.mp4", b_frames=2, sound=False)
    assert join_videos([short, long, short, long], tmp_path / "all.mp4").frames == 62
    frames, times = decoded(tmp_path / "all.mp4")
    assert times == [Fraction(number, 30) for number in range(62)]
    expected = [0, *range(30)] * 2
    assert all(is_alike(one, media.bar(number, size=SIZE)) for one, number in zip(frames, expected, strict=True))


def test_sound_of_a_rate_that_aac_does_not_have_is_resampled(clip, tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream, track = container.add_stream("libx264", rate=30), container.add_stream("pcm_s16le", rate=50_000)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number in range(30):
            picture = av.VideoFrame.from_ndarray(media.bar(number, size=SIZE), format="rgb24")
            picture.pts = number
            container.mux(stream.encode(picture))
        samples = (media.tone(seconds=1, rate=50_000) * 32_767).astype(np.int16)
        sound = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        sound.sample_rate, sound.pts = 50_000, 0
        container.mux([*stream.encode(None), *track.encode(sound), *track.encode(None)])
    join_videos([path], tmp_path / "all.mp4")
    assert media.pitch(heard(tmp_path / "all.mp4")[:RATE], RATE) == pytest.approx(440, abs=3)


def test_files_in_memory_and_the_same_one_twice_are_joined(clip, tmp_path):
    source = io.BytesIO(clip("a.mp4").read_bytes())
    assert join_videos([source, source], tmp_path / "all.mp4").frames == 60


def test_one_video_is_joined_to_itself(clip, tmp_path):
    assert join_videos([clip("a.mp4")], tmp_path / "all.mp4", drop_repeated=True).frames == 30


def test_the_graph_is_written_without_the_key(clip, tmp_path):
    join_videos([clip("a.mp4")], tmp_path / "all.mp4", metadata={"workflow": '{"a": 1}'})
    with av.open(str(tmp_path / "all.mp4")) as container:
        assert container.metadata["workflow"] == '{"a": 1}'


def test_what_cannot_be_read_is_named(clip, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    with pytest.raises(MediaError, match=r"bad\.mp4"):
        join_videos([clip("a.mp4"), tmp_path / "bad.mp4"], tmp_path / "all.mp4")


def test_what_cannot_be_written_is_said(clip, tmp_path):
    with pytest.raises(MediaError, match="cannot be written"):
        join_videos([clip("a.mp4")], tmp_path / "none" / "all.mp4")


def test_progress_goes_up_to_the_end_and_can_stop_the_work(clip, tmp_path):
    seen = []
    join_videos([clip("a.mp4"), clip("b.mp4")], tmp_path / "all.mp4", on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] > 0.95

    def stop(_fraction):
        raise KeyError("stop")

    with pytest.raises(KeyError):
        join_videos([clip("a.mp4"), clip("b.mp4")], tmp_path / "all.mp4", on_progress=stop)


def test_copying_takes_a_tenth_of_the_work_of_encoding(clip, tmp_path):
    """In processor time, of which the least of three counts for copying: what else runs on the machine only adds.

    Of a copy, most is the sound, which is encoded in either case; 1080P is what one pays to have joined without loss.
    """
    one = clip("one.mp4", size=(1920, 1080), frames=30)
    same, other = [one, one], [one, clip("other.mp4", size=(160, 96), frames=30)]

    def work(sources):
        begin = os.times()
        join_videos(sources, tmp_path / "all.mp4")
        end = os.times()
        return end.user + end.system - begin.user - begin.system

    copying, encoding = [work(same) for _ in range(3)], work(other)
    assert min(copying) < encoding / 10
