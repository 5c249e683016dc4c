"""Names and paths that systems take differently: each video is saved under one, or refused before it is paid for."""

from __future__ import annotations

import pytest
from platforms import only_on_windows
from wanpack.wan.errors import InvalidRequest
from wanpack.wan.media.video import REMUX_SUFFIX, probe
from wanpack.wan.tasks.output import RECORD_ID_CHARS, max_path_length, resolve_output


@pytest.mark.parametrize("prefix", ["万相/图生视频 🎬", "Ünï cödé/é→x", "wan./clip. .", "wan\\clip"])
def test_a_name_of_any_script_is_that_of_the_video(bench, prefix):
    video = bench.run(bench.batch(filename_prefix=prefix, metadata={"prompt": "{}"}))
    place, _ = resolve_output(prefix, output_folder=bench.output)
    assert video.path == place.folder / f"{place.stem}_00001_.mp4"
    assert [path.name for path in place.folder.iterdir()] == [video.path.name]
    assert probe(video.path).frames > 0


def test_a_video_whose_name_differs_in_case_alone_is_not_overwritten(bench):
    theirs = bench.output / "wan" / "VIDEO_00001_.mp4"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    video = bench.run()
    assert theirs.read_text() == "theirs"
    assert probe(video.path).frames > 0


def test_a_read_only_video_stays_and_the_next_one_has_a_name_of_its_own(bench):
    first = bench.run()
    first.path.chmod(0o444)
    second = bench.run(bench.batch(seed=2))
    first.path.chmod(0o644)
    assert [path.name for path in bench.videos] == [first.path.name, second.path.name]


@only_on_windows("names of devices")
@pytest.mark.parametrize("name", ["CON", "nul", "COM1", "aux.mp4", "LPT1"])
def test_a_name_that_is_refused_is_a_device(name, bench, tmp_path):
    with pytest.raises(InvalidRequest, match="Windows reserves"):
        bench.run(bench.batch(filename_prefix=f"wan/{name}"))
    assert bench.created == 0
    assert not (tmp_path / name).is_file()
    assert name not in [path.name for path in tmp_path.iterdir()]


@only_on_windows("paths of limited length")
@pytest.mark.skipif(max_path_length() is None, reason="long paths are enabled")
def test_the_longest_path_that_is_allowed_can_be_written(bench):
    place, _ = resolve_output("x", output_folder=bench.output)
    needed = len(str(place.partial_path("0" * RECORD_ID_CHARS)) + REMUX_SUFFIX)
    longest = "x" * (1 + max_path_length() - needed)
    with pytest.raises(InvalidRequest, match="make it 1 shorter"):
        bench.run(bench.batch(filename_prefix=f"{longest}x"))
    assert bench.created == 0
    video = bench.run(bench.batch(filename_prefix=longest, metadata={"prompt": "{}"}))
    assert video.path.name == f"{longest}_00001_.mp4"


@only_on_windows("drives")
@pytest.mark.parametrize("prefix", ["C:clip", "\\clip", "\\\\host\\share\\clip", "\\\\?\\C:\\clip", "Z:\\clip"])
def test_a_path_of_a_drive_or_a_share_is_refused(prefix, bench):
    with pytest.raises(InvalidRequest, match="absolute path"):
        bench.run(bench.batch(filename_prefix=prefix))
    assert bench.created == 0
