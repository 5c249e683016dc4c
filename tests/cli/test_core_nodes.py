"""The small versions of ComfyUI's own nodes."""

import io
from dataclasses import replace

import av
import media
import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageFile
from PIL.PngImagePlugin import PngInfo
from platforms import needs_symlinks, not_under_wine

from cli.core_nodes import core_nodes
from cli.errors import StandaloneError
from cli.folders import IMAGES, Folders


class Video:
    def __init__(self, source):
        self.source = source

    def get_stream_source(self):
        return self.source


@pytest.fixture
def folders(tmp_path):
    made = Folders(inputs=(tmp_path / "in", tmp_path / "more"), output=tmp_path / "out", temp=tmp_path / "temp")
    for folder in (*made.inputs, made.output, made.temp):
        folder.mkdir()
    return made


@pytest.fixture
def nodes(folders):
    return core_nodes(folders, video_from_file=Video)


def run(nodes, name, **inputs):
    node = nodes[name]()
    return getattr(node, node.FUNCTION)(**inputs)


def video(target, *, audio_seconds=0.0):
    """A little video 32x16 whose six frames get brighter, with a stereo audio where one is asked for."""
    frames = [media.plain(40 * index, size=(32, 16)) for index in range(6)]
    sound = np.zeros(int(48000 * audio_seconds)) if audio_seconds else None
    return media.video(target, frames, fps=12, container="mp4", sound=sound)


def test_an_image_becomes_an_image_and_an_empty_mask(nodes, folders):
    Image.new("RGB", (3, 2), (255, 0, 51)).save(folders.inputs[1] / "red.png")
    image, mask = run(nodes, "LoadImage", image="red.png")
    assert image.shape == (1, 2, 3, 3)
    assert image.dtype == torch.float32
    assert image[0, 0, 0].tolist() == pytest.approx([1.0, 0.0, 0.2])
    assert mask.shape == (1, 64, 64)
    assert mask.sum() == 0


def test_transparency_becomes_the_mask(nodes, folders):
    Image.new("RGBA", (3, 2), (0, 0, 0, 51)).save(folders.inputs[0] / "glass.png")
    image, mask = run(nodes, "LoadImage", image="glass.png")
    assert image.shape == (1, 2, 3, 3)
    assert mask.shape == (1, 2, 3)
    assert mask[0, 0, 0].item() == pytest.approx(0.8)


def test_a_photograph_is_turned_upright(nodes, folders):
    photograph = Image.new("RGB", (4, 2))
    exif = photograph.getexif()
    exif[0x0112] = 6
    photograph.save(folders.inputs[0] / "phone.jpg", exif=exif)
    image, _ = run(nodes, "LoadImage", image="phone.jpg")
    assert image.shape == (1, 4, 2, 3)


def test_sixteen_bits_of_grey_are_scaled(nodes, folders):
    Image.fromarray(np.full((2, 2), 32768, dtype=np.uint16)).save(folders.inputs[0] / "grey.png")
    image, _ = run(nodes, "LoadImage", image="grey.png")
    assert image.shape == (1, 2, 2, 3)
    assert image.mean().item() == pytest.approx(0.5, abs=0.001)


def test_example_png_is_the_shipped_photograph_unless_there_is_one(nodes, folders):
    image, _ = run(nodes, "LoadImage", image="example.png")
    assert image.shape == (1, 512, 512, 3)
    Image.new("RGB", (3, 2)).save(folders.inputs[0] / "example.png")
    image, _ = run(nodes, "LoadImage", image="example.png")
    assert image.shape == (1, 2, 3, 3)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("a.png [input]", "in"),
        ("a.png [output]", "out"),
        ("a.png [temp]", "temp"),
        ("sub/a.png [output]", "out/sub"),
        ("a.png", "in"),
    ],
)
def test_a_name_may_say_in_which_folder_it_is(name, place, folders, tmp_path):
    for folder in ("in", "out", "temp", "out/sub"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "a.png").touch()
    assert folders.find_input(name) == tmp_path / place / "a.png"


@pytest.mark.parametrize(
    "name", ["../b.png [output]", "b.png [output]", "example.png [output]", "b.png [elsewhere]", "[temp]"]
)
def test_such_a_name_leads_nowhere_else(name, folders, tmp_path):
    (tmp_path / "in" / "b.png").touch()
    with pytest.raises(StandaloneError, match="there is no file"):
        folders.find_input(name)


def test_example_png_may_say_it_too(nodes, folders):
    plain, named = (run(nodes, "LoadImage", image=name)[0] for name in ("example.png", "example.png [input]"))
    assert torch.equal(plain, named)


@not_under_wine("its heap breaks after the library makes a colour profile, and the process ends")
@pytest.mark.parametrize("megabytes", [0.5, 2, 9])
def test_an_image_with_a_large_colour_profile_is_loaded(nodes, folders, megabytes):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile += bytes(int(megabytes * 2**20))
    Image.new("RGB", (30, 20), (200, 100, 50)).save(folders.inputs[0] / "a.png", icc_profile=profile)
    image, _ = run(nodes, "LoadImage", image="a.png")
    assert image.shape == (1, 20, 30, 3)
    assert image[0, 0, 0] * 255 == pytest.approx([200, 100, 50])


@pytest.mark.parametrize("form", ["zTXt", "iTXt"])
def test_an_image_with_a_long_text_is_loaded(nodes, folders, form):
    texts = PngInfo()
    texts.add_text("workflow", "x" * 3 * 2**20, zip=True) if form == "zTXt" else texts.add_itxt(
        "workflow", "x" * 3 * 2**20, zip=True
    )
    Image.new("RGB", (30, 20)).save(folders.inputs[0] / "a.png", pnginfo=texts)
    assert run(nodes, "LoadImage", image="a.png")[0].shape == (1, 20, 30, 3)


def test_what_is_there_of_an_image_that_is_cut_short_is_loaded(nodes, folders):
    path = folders.inputs[0] / "a.png"
    Image.effect_noise((300, 200), 50).save(path)
    path.write_bytes(path.read_bytes()[:-20_000])
    image, _ = run(nodes, "LoadImage", image="a.png")
    assert image[0, 0].std() > 0
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_an_image_of_absurd_size_is_reported(nodes, folders, monkeypatch):
    Image.new("RGB", (300, 200)).save(folders.inputs[0] / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(StandaloneError, match=r"a\.png cannot be read as a picture"):
        run(nodes, "LoadImage", image="a.png")


def test_an_image_that_the_command_line_names_may_lie_anywhere(folders):
    chosen = IMAGES / "astronaut.png"
    nodes = core_nodes(replace(folders, chosen=chosen), video_from_file=Video)
    image, _ = run(nodes, "LoadImage", image=str(chosen))
    assert image.shape == (1, 512, 512, 3)


@needs_symlinks
@pytest.mark.parametrize(
    "name", ["{aside}", "../aside/a.png", "link.png", "folder/a.png", "circle", "a\0b", "x" * 5000]
)
def test_a_workflow_loads_nothing_from_outside_the_input_folders(name, nodes, folders, tmp_path):
    aside = tmp_path / "aside" / "a.png"
    aside.parent.mkdir()
    Image.new("RGB", (3, 2)).save(aside)
    (folders.inputs[0] / "link.png").symlink_to(aside)
    (folders.inputs[0] / "folder").symlink_to(aside.parent)
    (folders.inputs[0] / "circle").symlink_to("circle")
    for node, field in (("LoadImage", "image"), ("LoadAudio", "audio"), ("LoadVideo", "file")):
        assert "there is no file" in nodes[node].VALIDATE_INPUTS(**{field: name.format(aside=aside)})


def test_an_absolute_path_into_an_input_folder_is_taken(nodes, folders):
    Image.new("RGB", (3, 2)).save(folders.inputs[1] / "a.png")
    image, _ = run(nodes, "LoadImage", image=str(folders.inputs[1] / "a.png"))
    assert image.shape == (1, 2, 3, 3)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.mp4\n#EXT-X-ENDLIST\n"),
        ("list.mp4", "ffconcat version 1.0\nfile other.mp4\n"),
    ],
)
def test_a_list_of_other_videos_is_none_itself(name, content, nodes, folders):
    video(folders.inputs[0] / "other.mp4", audio_seconds=1)
    (folders.inputs[0] / name).write_text(content)
    with pytest.raises(av.error.FFmpegError):
        run(nodes, "LoadAudio", audio=name)
    with pytest.raises(av.error.FFmpegError):
        run(nodes, "GetVideoComponents", video=run(nodes, "LoadVideo", file=name)[0])


@pytest.mark.parametrize(("node", "name"), [("LoadImage", "image"), ("LoadAudio", "audio"), ("LoadVideo", "file")])
def test_a_missing_file_is_reported_before_anything_runs(nodes, folders, node, name):
    reported = nodes[node].VALIDATE_INPUTS(**{name: "nothing.xyz"})
    assert "there is no file 'nothing.xyz'" in reported
    assert str(folders.inputs[0]) in reported
    assert nodes[node].VALIDATE_INPUTS(**{name: None}) is True


def test_a_file_that_is_no_image_is_reported(nodes, folders):
    (folders.inputs[0] / "text.png").write_text("no picture")
    with pytest.raises(StandaloneError, match=r"text\.png cannot be read as a picture"):
        run(nodes, "LoadImage", image="text.png")


def test_audio_becomes_a_waveform_at_its_own_rate(nodes, folders):
    samples = np.tile([[0.5, -0.5]], (4000, 1))
    (folders.inputs[0] / "tone.wav").write_bytes(media.wav(samples))
    (audio,) = run(nodes, "LoadAudio", audio="tone.wav")
    assert audio["sample_rate"] == 8000
    assert audio["waveform"].shape == (1, 2, 4000)
    assert audio["waveform"].dtype == torch.float32
    assert audio["waveform"][0, :, 100].tolist() == pytest.approx([0.5, -0.5], abs=1e-4)


def test_a_silent_file_is_no_audio(nodes, folders):
    video(folders.inputs[0] / "silent.mp4")
    with pytest.raises(StandaloneError, match="has no sound"):
        run(nodes, "LoadAudio", audio="silent.mp4")


def test_a_video_is_pointed_at_and_not_decoded(nodes, folders):
    path = folders.inputs[0] / "video.mp4"
    path.write_bytes(b"")
    (video,) = run(nodes, "LoadVideo", file="video.mp4")
    assert video.get_stream_source() == path


@pytest.mark.parametrize("in_memory", [False, True])
def test_a_video_is_taken_apart(nodes, folders, in_memory):
    target = io.BytesIO() if in_memory else folders.inputs[0] / "video.mp4"
    images, audio, fps = run(nodes, "GetVideoComponents", video=Video(video(target, audio_seconds=0.5)))
    assert images.shape == (6, 16, 32, 3)
    assert images[0].mean() < 0.05
    assert images[5].mean().item() == pytest.approx(200 / 255, abs=0.05)
    assert audio["sample_rate"] == 48000
    assert audio["waveform"].shape[:2] == (1, 2)
    assert audio["waveform"].shape[2] == pytest.approx(24000, abs=2100)
    assert fps == 12.0


def test_a_silent_video_has_no_audio(nodes, folders):
    _, audio, _ = run(nodes, "GetVideoComponents", video=Video(video(folders.inputs[0] / "silent.mp4")))
    assert audio is None


def numbered(count):
    return torch.arange(count, dtype=torch.float32).reshape(count, 1, 1, 1).expand(count, 2, 4, 3)


@pytest.mark.parametrize(("start", "length", "kept"), [(1, 2, [1, 2]), (0, 1, [0]), (3, 9, [3, 4]), (99, 1, [4])])
def test_images_are_cut_out_of_a_batch(nodes, start, length, kept):
    (images,) = run(nodes, "ImageFromBatch", image=numbered(5), batch_index=start, length=length)
    assert images[:, 0, 0, 0].tolist() == kept


def test_a_batch_is_repeated_and_joined(nodes):
    (repeated,) = run(nodes, "RepeatImageBatch", image=numbered(2), amount=2)
    assert repeated[:, 0, 0, 0].tolist() == [0, 1, 0, 1]
    (joined,) = run(nodes, "ImageBatch", image1=numbered(2), image2=numbered(3))
    assert joined[:, 0, 0, 0].tolist() == [0, 1, 0, 1, 2]


def test_the_second_batch_is_cut_to_the_size_of_the_first(nodes):
    wide = torch.zeros((1, 4, 16, 3))
    wide[:, :, 4:12] = 1
    (joined,) = run(nodes, "ImageBatch", image1=torch.zeros((1, 8, 16, 3)), image2=wide)
    assert joined.shape == (2, 8, 16, 3)
    assert joined[1].min() == 1


@pytest.mark.parametrize(
    ("given", "size"), [((8, 4), (4, 8)), ((8, 0), (4, 8)), ((0, 4), (4, 8)), ((3, 5), (5, 3)), ((0, 0), (2, 4))]
)
@pytest.mark.parametrize("crop", ["disabled", "center"])
@pytest.mark.parametrize("method", ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"])
def test_images_are_scaled_and_a_side_of_nought_follows_the_other(nodes, given, size, crop, method):
    width, height = given
    images = torch.full((2, 2, 4, 3), 0.2)
    (scaled,) = run(nodes, "ImageScale", image=images, upscale_method=method, width=width, height=height, crop=crop)
    assert scaled.shape == (2, *size, 3)
    assert scaled.flatten().tolist() == pytest.approx([0.2] * scaled.numel(), abs=0.01)


def test_a_cropped_scaling_keeps_the_middle_and_a_plain_one_stretches_the_whole(nodes):
    wide = torch.zeros((1, 4, 16, 3))
    wide[:, :, 4:12] = 1
    square = {"upscale_method": "bilinear", "width": 8, "height": 4}
    (cut,) = run(nodes, "ImageScale", image=wide, crop="center", **square)
    (stretched,) = run(nodes, "ImageScale", image=wide, crop="disabled", **square)
    assert cut.min() == 1
    assert stretched[0, 0, :, 0].tolist() == [0, 0, 1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("place", "kept"),
    [((2, 3, 1, 2), (3, 2, 21)), ((9, 9, 4, 3), (3, 2, 34)), ((1, 1, 99, 99), (1, 1, 55))],
    ids=["inside", "over the edge", "outside"],
)
def test_a_part_of_an_image_is_cut_out_as_far_as_there_is_one(nodes, place, kept):
    """Each pixel says where it is: its row, then its column."""
    rows, columns = torch.meshgrid(torch.arange(6), torch.arange(6), indexing="ij")
    image = (rows * 10 + columns).float()[None, ..., None].expand(1, 6, 6, 3)
    width, height, x, y = place
    (part,) = run(nodes, "ImageCrop", image=image, width=width, height=height, x=x, y=y)
    assert (*part.shape[1:3], int(part[0, 0, 0, 0])) == kept


def test_an_empty_image_is_of_one_colour(nodes):
    (images,) = run(nodes, "EmptyImage", width=3, height=2, batch_size=2, color=0xFF3300)
    assert images.shape == (2, 2, 3, 3)
    assert images.unique(dim=2).flatten().tolist() == pytest.approx([1.0, 0.2, 0.0] * 4)


@pytest.mark.parametrize(("mode", "level"), [("normal", 0.65), ("multiply", 0.45), ("screen", 0.7)])
def test_an_image_is_blended_with_another_one_that_takes_its_size(nodes, mode, level):
    one, other = torch.full((1, 4, 6, 3), 0.5), torch.full((1, 8, 8, 3), 0.8)
    (blended,) = run(nodes, "ImageBlend", image1=one, image2=other, blend_factor=0.5, blend_mode=mode)
    assert blended.shape == one.shape
    assert blended.flatten().tolist() == pytest.approx([level] * blended.numel())


def test_images_are_saved_under_the_next_free_numbers(nodes, folders):
    images = torch.full((2, 2, 3, 3), 0.5)
    first = run(nodes, "SaveImage", images=images, filename_prefix="wan/last")
    again = run(nodes, "SaveImage", images=images, filename_prefix="wan/last")
    names = [entry["filename"] for shown in (first, again) for entry in shown["ui"]["images"]]
    assert names == [f"last_{number:05}_.png" for number in (1, 2, 3, 4)]
    assert first["ui"]["images"][0] == {"filename": names[0], "subfolder": "wan", "type": "output"}
    with Image.open(folders.output / "wan" / names[3]) as saved:
        assert saved.size == (3, 2)
        assert saved.getpixel((0, 0)) == (128, 128, 128)


def test_a_preview_goes_to_the_temporary_folder(nodes, folders):
    shown = run(nodes, "PreviewImage", images=torch.zeros((1, 2, 3, 3)))
    (entry,) = shown["ui"]["images"]
    assert entry["type"] == "temp"
    assert (folders.temp / entry["filename"]).is_file()


@pytest.mark.parametrize("prefix", ["../escaped", "/escaped", "a/../../escaped"])
def test_a_prefix_cannot_lead_out_of_the_output_folder(nodes, prefix):
    with pytest.raises(StandaloneError, match="leads out of the folder"):
        run(nodes, "SaveImage", images=torch.zeros((1, 2, 3, 3)), filename_prefix=prefix)


@pytest.mark.parametrize(
    ("source", "text"),
    [("as it is", "as it is"), (5, "5"), ({"a": [1]}, '{"a": [1]}'), (1j, "1j"), (None, "null")],
)
def test_any_value_is_shown_as_text(nodes, source, text):
    assert run(nodes, "PreviewAny", source=source) == {"ui": {"text": (text,)}}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("PrimitiveString", "STRING"),
        ("PrimitiveStringMultiline", "STRING"),
        ("PrimitiveInt", "INT"),
        ("PrimitiveFloat", "FLOAT"),
        ("PrimitiveBoolean", "BOOLEAN"),
    ],
)
def test_a_primitive_gives_its_value_on(nodes, name, kind):
    assert list(nodes[name].RETURN_TYPES) == [kind]
    assert nodes[name].INPUT_TYPES()["required"]["value"][0] == kind
    assert run(nodes, name, value="given") == ("given",)
