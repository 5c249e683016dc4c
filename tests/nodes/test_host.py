"""What the nodes need of ComfyUI, with it and without it."""

from __future__ import annotations

import json
import sys

import pytest
from platforms import needs_symlinks
from wanpack.nodes import host, video_input
from wanpack.wan.errors import InvalidRequest, WanError


@pytest.fixture
def video(tmp_path):
    """Make a file in a folder of the test's own."""

    def make(inside):
        path = tmp_path / inside
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"clip")
        return path

    return make


# Without ComfyUI


def test_without_comfyui_the_folders_are_those_that_were_configured(standalone_host, tmp_path):
    assert not host.in_comfyui()
    assert (host.output_folder(), host.data_dir()) == (tmp_path / "output", tmp_path / ".wan")
    assert host.readable_folders() == [tmp_path / "input", tmp_path / "output", tmp_path / "temp"]


def test_without_comfyui_a_file_carries_no_metadata(standalone_host):
    assert host.workflow_metadata({"1": {}}, {"workflow": {}}) == {}


def test_without_comfyui_a_video_is_its_path(standalone_host, tmp_path):
    assert host.video_from_file(tmp_path / "a.mp4").get_stream_source() == str(tmp_path / "a.mp4")


def test_without_comfyui_progress_goes_to_whoever_asked_for_it(standalone_host):
    seen = []
    host.configure(on_progress=lambda *reported: seen.append(reported))
    watch = host.NodeMonitor(7)
    watch.report(0.25, "rendering")
    watch.raise_if_interrupted()
    assert seen == [("7", 0.25, "rendering")]


def test_without_comfyui_and_without_a_listener_nothing_happens(standalone_host):
    watch = host.NodeMonitor("7")
    watch.report(0.25, "rendering")
    watch.raise_if_interrupted()


# Previews


def test_videos_of_the_output_folder_are_shown_on_the_node_in_their_order(standalone_host, video):
    videos = [video("output/wan/b.mp4"), video("output/a.mp4"), video("output/wan/cats/c.mp4")]
    assert host.preview(videos) == {
        "images": [
            {"filename": "b.mp4", "subfolder": "wan", "type": "output"},
            {"filename": "a.mp4", "subfolder": "", "type": "output"},
            {"filename": "c.mp4", "subfolder": "wan/cats", "type": "output"},
        ],
        "animated": (True,),
    }


def test_a_folder_whose_name_begins_with_a_dot_keeps_it_in_the_preview(standalone_host, video):
    [shown] = host.preview([video("output/.wan/a.mp4")])["images"]
    assert shown["subfolder"] == ".wan"


def test_a_video_outside_the_output_folder_is_not_shown(standalone_host, video):
    # A saved video of an earlier run stays where it was when the folder is changed; ComfyUI cannot serve it.
    assert host.preview([video("elsewhere/a.mp4")])["images"] == []


# Files that a graph names


@pytest.mark.parametrize("folder", ["input", "output", "temp"])
def test_a_graph_may_name_a_file_in_comfyuis_folders(standalone_host, video, folder):
    path = video(f"{folder}/clips/a.mp4")
    assert video_input.readable_file("clips/a.mp4") == path.resolve()
    assert video_input.readable_file(str(path)) == path.resolve()


@pytest.mark.parametrize("name", ["../secret.mp4", "none.mp4", "", ".", "a\0b", "x" * 5000])
def test_a_graph_cannot_name_any_other_file(standalone_host, video, name):
    video("secret.mp4")
    video("output/a.mp4")
    with pytest.raises(InvalidRequest, match="is not a file in ComfyUI's input, output or temp folder"):
        video_input.readable_file(name)


def test_an_absolute_path_leads_nowhere_else(standalone_host, video):
    with pytest.raises(InvalidRequest):
        video_input.readable_file(str(video("secret.mp4")))


@needs_symlinks
def test_a_link_leads_nowhere_else(standalone_host, video):
    secret, link = video("secret.mp4"), video("output/a.mp4").with_name("link.mp4")
    try:
        link.symlink_to(secret)
    except OSError:
        pytest.skip("links cannot be created here")
    with pytest.raises(InvalidRequest):
        video_input.readable_file("link.mp4")


# Errors


def errors_of(kind):
    """A kind of error and all those below it."""
    return [kind, *(below for child in kind.__subclasses__() for below in errors_of(child))]


def test_an_errors_type_is_reported_without_the_packs_path():
    # ComfyUI writes it before the message.
    kinds = errors_of(WanError)
    assert len(kinds) > 5
    assert {kind.__module__ for kind in kinds} == {"dashscope_wan"}


# With ComfyUI


def test_comfyui_is_recognised_by_its_modules(comfy, monkeypatch):
    assert host.in_comfyui()
    monkeypatch.delitem(sys.modules, "comfy")
    assert not host.in_comfyui()


def test_in_comfyui_the_folders_are_its_own(comfy, standalone_host):
    assert host.output_folder() == comfy.folder / "output"
    assert host.readable_folders() == [comfy.folder / name for name in ("input", "output", "temp")]


def test_the_home_folder_is_the_one_that_comfyui_does_not_serve(comfy):
    assert host.data_dir() == comfy.folder / "user" / "__dashscope_wan"


def test_a_comfyui_without_system_folders_gets_the_same_home_folder(comfy):
    del comfy.modules["folder_paths"].get_system_user_directory
    assert host.data_dir() == comfy.folder / "user" / "__dashscope_wan"


def test_in_comfyui_a_video_is_comfyuis_own(comfy, tmp_path):
    video = host.video_from_file(tmp_path / "a.mp4")
    assert (type(video).__name__, video.file) == ("VideoFromFile", str(tmp_path / "a.mp4"))


def test_a_comfyui_that_keeps_its_video_elsewhere_is_asked_there(comfy, monkeypatch, tmp_path):
    kept = comfy.modules["comfy_api.latest"].InputImpl.VideoFromFile
    comfy.module("comfy_api.input_impl", VideoFromFile=kept)
    monkeypatch.setitem(sys.modules, "comfy_api.input_impl", comfy.modules["comfy_api.input_impl"])
    monkeypatch.setitem(sys.modules, "comfy_api.latest", None)
    assert host.video_from_file(tmp_path / "a.mp4").file == str(tmp_path / "a.mp4")


def test_a_file_carries_its_graph_as_comfyuis_own_do(comfy):
    carried = host.workflow_metadata({"1": {"class_type": "X"}}, {"workflow": {"nodes": []}})
    assert {name: json.loads(text) for name, text in carried.items()} == {
        "prompt": {"1": {"class_type": "X"}},
        "workflow": {"nodes": []},
    }


def test_what_a_graph_does_not_have_is_not_carried(comfy):
    assert host.workflow_metadata(None, None) == {}


def test_a_file_carries_nothing_where_comfyui_is_set_so(comfy):
    comfy.args.disable_metadata = True
    assert host.workflow_metadata({"1": {}}, {"workflow": {}}) == {}


def test_what_another_node_has_put_beside_the_graph_does_not_stop_the_save(comfy, caplog):
    circle = {}
    circle["again"] = circle
    deep = []
    for _ in range(10_000):
        deep = [deep]
    for odd in (object(), {1, 2}, circle, deep, b"bytes"):
        carried = host.workflow_metadata({"1": {}}, {"workflow": {"nodes": []}, "odd": odd, 7: "seven"})
        assert carried == {"prompt": '{"1": {}}', "workflow": '{"nodes": []}', "7": '"seven"'}
    assert len(caplog.messages) == 5
    assert caplog.messages[0] == "odd is not saved with the video: it is not JSON (TypeError)"


def test_progress_is_shown_on_the_node(comfy):
    host.NodeMonitor(7).report(0.25, "rendering 3 s")
    assert (comfy.bars, comfy.texts) == ([("7", 0.25)], [("7", "rendering 3 s")])


def test_a_status_is_text_and_no_html(comfy):
    # The page of ComfyUI before 0.33 runs whatever is in it.
    host.NodeMonitor(7).report(0.25, "saved <img src=x onerror=alert(1)> & 'more'")
    assert comfy.texts == [("7", "saved &lt;img src=x onerror=alert(1)&gt; &amp; 'more'")]


def test_a_text_that_has_not_changed_is_not_sent_again(comfy):
    watch = host.NodeMonitor(7)
    for text in ("queued", "queued", "rendering"):
        watch.report(0.5, text)
    assert [text for _, text in comfy.texts] == ["queued", "rendering"]
    assert len(comfy.bars) == 3


def test_a_comfyui_without_a_browser_shows_no_text(comfy, monkeypatch):
    comfy.modules["server"].PromptServer.instance = None
    host.NodeMonitor(7).report(0.25, "rendering")
    monkeypatch.delitem(sys.modules, "server")
    host.NodeMonitor(7).report(0.25, "rendering")
    assert [fraction for _, fraction in comfy.bars] == [0.25, 0.25]
    assert comfy.texts == []


@pytest.mark.parametrize("kind", [Exception, BaseException])
def test_stop_raises_comfyuis_own_interruption(make_comfy, kind):
    comfy = make_comfy(kind)
    watch = host.NodeMonitor(7)
    watch.raise_if_interrupted()
    comfy.stopped = True
    with pytest.raises(comfy.interruption):
        watch.raise_if_interrupted()


@pytest.mark.parametrize("kind", [Exception, BaseException])
def test_stop_that_comfyui_tells_while_progress_is_shown_is_raised_at_the_next_look(make_comfy, kind):
    # The hook of its progress bar raises and clears the flag: the place to raise it is where Stop is looked for.
    comfy = make_comfy(kind)
    watch = host.NodeMonitor(7)
    comfy.stopped = True
    watch.report(0.5, "rendering")
    assert not comfy.stopped
    with pytest.raises(comfy.interruption):
        watch.raise_if_interrupted()
