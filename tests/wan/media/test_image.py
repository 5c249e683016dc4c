import base64
import io
import time
import tracemalloc

import numpy as np
import pytest
import torch
from media import page, photo
from PIL import Image, JpegImagePlugin
from platforms import not_under_wine
from wanpack.wan.errors import MediaError
from wanpack.wan.media.image import encode_frame, frame_size, validate_images

SIDES = (240, 8000)
PLENTY = 20 << 20


def opened(frame):
    head, data = frame.data_uri.split(",")
    assert head == f"data:{frame.mime};base64"
    return Image.open(io.BytesIO(base64.b64decode(data, validate=True)))


def pixels(frame):
    return np.asarray(opened(frame))


def flat(*colour, size=240):
    return np.full((size, size, len(colour)), colour, np.float32)


def as_floats(levels):
    return levels.astype(np.float32) / np.float32(255)


def encode(image, *, max_chars=PLENTY, sides=SIDES):
    return encode_frame(image, max_chars=max_chars, sides=sides)


def psnr(one, other):
    return 10 * np.log10(255**2 / np.mean((one.astype(float) - other.astype(float)) ** 2))


def test_values_are_rounded_not_truncated():
    assert pixels(encode(flat(0.999, 0.5, 0.4999)))[0, 0].tolist() == [255, 128, 127]


def test_half_precision_is_rounded_like_single():
    image = np.random.default_rng(3).random((256, 256, 3)).astype(np.float16)
    assert encode(image) == encode(image.astype(np.float32))


def test_values_outside_0_to_1_are_clipped():
    assert pixels(encode(flat(-3.0, 1.5, 1e30)))[0, 0].tolist() == [0, 255, 255]


def test_every_level_of_8_bits_comes_back_exactly():
    levels = np.arange(256, dtype=np.uint8)[None, :, None].repeat(256, 0).repeat(3, 2)
    assert np.array_equal(pixels(encode(as_floats(levels))), levels)


def test_grey_becomes_rgb():
    image = opened(encode(flat(0.2)))
    assert (image.mode, image.getpixel((0, 0))) == ("RGB", (51, 51, 51))


def test_alpha_is_flattened_over_white():
    image = opened(encode(flat(1.0, 0.0, 0.0, 0.2)))
    assert (image.mode, image.getpixel((0, 0))) == ("RGB", (255, 204, 204))


def test_a_photograph_becomes_jpeg_with_full_colour_resolution():
    frame = encode(as_floats(photo(640, 360)))
    assert (frame.mime, frame.quality) == ("image/jpeg", 95)
    assert JpegImagePlugin.get_sampling(opened(frame)) == 0


def test_a_photograph_keeps_46_decibels():
    levels = photo(640, 360)
    assert psnr(pixels(encode(as_floats(levels))), levels) > 46


def test_a_drawing_becomes_an_exact_png():
    frame = encode(as_floats(page()))
    assert (frame.mime, frame.quality) == ("image/png", None)
    assert np.array_equal(pixels(frame), page())


def test_a_drawing_that_is_too_large_as_png_becomes_jpeg():
    room = len(encode(as_floats(page())).data_uri) - 4
    frame = encode(as_floats(page()), max_chars=room, sides=(24, 8000))
    assert frame.mime == "image/jpeg"
    assert len(frame.data_uri) <= room


def test_width_and_height_are_those_of_the_sent_image():
    frame = encode(as_floats(photo(300, 260)))
    assert (frame.width, frame.height, frame.scaled) == (300, 260, False)
    assert opened(frame).size == (300, 260)


def test_a_side_over_the_most_is_scaled_down_keeping_the_shape():
    frame = encode(as_floats(photo(600, 300)), sides=(100, 400))
    assert opened(frame).size == (frame.width, frame.height) == (400, 200)
    assert frame.scaled


def test_frame_size_is_the_size_that_is_sent():
    image = as_floats(photo(601, 333))
    frame = encode(image, sides=(100, 400))
    assert frame_size(image, sides=(100, 400)) == (frame.width, frame.height)


def test_little_room_lowers_the_quality_before_the_size():
    image = as_floats(photo(640, 360))
    frame = encode(image, max_chars=len(encode(image).data_uri) * 6 // 10)
    assert 75 <= frame.quality < 95
    assert not frame.scaled


def test_very_little_room_lowers_the_size():
    image = as_floats(photo(960, 540))
    frame = encode(image, max_chars=len(encode(image).data_uri) // 8)
    assert frame.scaled
    assert frame.quality >= 75
    assert frame.width / frame.height == pytest.approx(960 / 540, rel=0.01)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.3, 0.15, 0.1])
def test_the_data_uri_never_exceeds_its_room(share):
    image = as_floats(photo(960, 540))
    room = int(len(encode(image).data_uri) * share)
    frame = encode(image, max_chars=room)
    assert room * 0.5 < len(frame.data_uri) <= room


@pytest.mark.parametrize("share", [0.9, 0.7, 0.6, 0.5, 0.4])
def test_scaling_down_for_room_keeps_the_least_side(share):
    image = as_floats(photo(1000, 500))
    smallest = encode(image, sides=(240, 480))
    room = int(len(smallest.data_uri) * share)
    frame = encode(image, max_chars=room)
    assert min(frame.width, frame.height) >= 240
    assert len(frame.data_uri) <= room


def test_no_room_at_all_is_refused():
    with pytest.raises(MediaError, match="too large to be sent"):
        encode(as_floats(photo(300, 300)), max_chars=1000)


def test_repr_does_not_hold_the_image():
    assert "base64" not in repr(encode(flat(0.5, 0.5, 0.5)))


def test_a_view_with_strides_is_read_right():
    image = as_floats(photo(640, 520))[::2, ::-1]
    assert np.array_equal(pixels(encode(image)), pixels(encode(image.copy())))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
def test_a_torch_tensor_is_read_like_an_array(dtype):
    tensor = torch.from_numpy(as_floats(photo(300, 260))).to(getattr(torch, dtype)).requires_grad_()
    frame = encode(tensor)
    assert frame == encode(tensor.detach().float().numpy())


@pytest.mark.parametrize(
    ("image", "reported"),
    [
        (np.zeros((300, 300, 3), np.uint8), "uint8"),
        (np.zeros((1, 300, 300, 3), np.float32), "not 5"),
        (flat(0.1, 0.2), "2 channels"),
        (flat(0.1, 0.2, 0.3, size=100), "100x100 is too small"),
        (flat(np.nan, 0.2, 0.3), "NaN"),
        (flat(np.inf, 0.2, 0.3), "NaN or infinite"),
        (None, "NoneType"),
    ],
)
def test_a_faulty_image_is_refused(image, reported):
    with pytest.raises(MediaError, match=reported):
        encode(image)


def test_a_good_batch_has_no_faults():
    for channels in (1, 3, 4):
        assert validate_images(np.ones((2, 240, 8000, channels), np.float32) * 1.5, sides=SIDES) == []


def test_a_small_image_is_reported_with_its_size_and_the_limit():
    faults = validate_images(np.zeros((1, 320, 200, 3), np.float32), sides=SIDES)
    assert faults == ["image: 200x320 is too small; each side must be at least 240 px"]


def test_a_side_that_is_too_small_once_the_other_is_scaled_down_is_a_fault():
    (fault,) = validate_images(np.zeros((1, 250, 500, 3), np.float32), sides=(240, 400))
    assert fault.startswith("image: 500x250 (scaled down to 400x200")


def test_a_large_side_alone_is_no_fault():
    assert validate_images(np.zeros((1, 500, 600, 3), np.float32), sides=(240, 400)) == []


@pytest.mark.parametrize("value", [1.05, -0.05, 1.5, -0.5])
def test_what_sharpening_and_colour_matching_leave_is_clipped(value):
    assert validate_images(np.full((1, 240, 240, 3), value, np.float32), sides=SIDES) == []
    assert pixels(encode(flat(value, value, value)))[0, 0].tolist() == [255 * (value > 0)] * 3


def counted(low, high, dtype="float32"):
    """A batch of two whose second image has values from `low` to `high`."""
    values = torch.linspace(low, high, 240)[None, :, None, None].expand(1, 240, 240, 3)
    return torch.cat([torch.full((1, 240, 240, 3), 0.5), values]).to(getattr(torch, dtype))


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float64"])
@pytest.mark.parametrize(
    ("low", "high", "reported"),
    [
        (0, 255, "values from 0 to 255, but an IMAGE has 0 to 1. Divide them by 255 before this node"),
        (12, 200, "values from 12 to 200, but an IMAGE has 0 to 1. Divide them by 255 before this node"),
        (
            -1,
            1,
            "values from -1 to 1, but an IMAGE has 0 to 1. If they range from -1 to 1, add 1 and halve them before ",
        ),
        (-1, -1, "values from -1 to -1, but an IMAGE has 0 to 1. If they range from -1 to 1, add 1 and halve them"),
        (0, 4, "values from 0 to 4, but an IMAGE has 0 to 1. Scale or clamp them before this node"),
        (-128, 128, "values from -128 to 128, but an IMAGE has 0 to 1. Scale or clamp them before this node"),
    ],
)
def test_values_that_are_counted_in_another_way_are_reported_for_the_image_of_the_batch(low, high, reported, dtype):
    [fault] = validate_images(counted(low, high, dtype), sides=SIDES, name="last_frame")
    assert fault.startswith(f"last_frame: image 2 of 2 has {reported}")


def test_values_of_16_bits_are_reported_with_what_they_are_divided_by():
    [fault] = validate_images(counted(0, 65535)[1:], sides=SIDES)
    assert fault.startswith("image: it has values from 0 to 65535, ")
    assert "Divide them by 65535" in fault


def test_one_pixel_that_is_far_out_is_enough():
    images = np.zeros((1, 240, 240, 4), np.float32)
    images[0, 7, 7, 3] = 255
    assert len(validate_images(images, sides=SIDES)) == 1


def test_both_what_is_no_number_and_what_is_far_out_are_reported():
    images = np.zeros((3, 240, 240, 3), np.float32)
    images[0, 0, 0, 0], images[2] = np.nan, 200
    first, second = validate_images(images, sides=SIDES)
    assert first.startswith("image: image 1 of 3 has pixels that are NaN")
    assert second.startswith("image: image 3 of 3 has values from 200 to 200, ")


def test_the_images_with_nan_or_infinity_are_named():
    images = np.zeros((4, 240, 240, 3), np.float32)
    images[1, 5, 5, 0], images[3, 0, 0, 2] = np.nan, -np.inf
    assert "image 2, 4 of 4" in validate_images(images, sides=SIDES)[0]


def test_all_problems_are_reported_at_once():
    images = np.full((1, 100, 300, 5), np.nan, np.float32)
    faults = " ".join(validate_images(images, sides=SIDES))
    assert all(part in faults for part in ("5 channels", "too small", "NaN"))


@pytest.mark.parametrize(
    ("images", "reported"),
    [
        (None, "NoneType"),
        ([1, 2], "list"),
        (np.zeros((1, 300, 300, 3), np.uint8), "uint8"),
        (np.zeros((300, 300, 3), np.float32), "not 3"),
        (np.zeros((0, 300, 300, 3), np.float32), "empty"),
        (np.zeros((1, 0, 300, 3), np.float32), "300x0 is too small"),
    ],
)
def test_what_is_no_batch_of_images_is_reported(images, reported):
    (fault,) = validate_images(images, sides=SIDES)
    assert fault.startswith("image: ")
    assert reported in fault


def test_an_integer_tensor_is_reported():
    assert "torch.uint8" in validate_images(torch.zeros((1, 300, 300, 3), dtype=torch.uint8), sides=SIDES)[0]


def test_looking_for_faults_does_not_copy_the_batch():
    images = np.zeros((16, 256, 256, 3), np.float32)
    tracemalloc.start()
    validate_images(images, sides=SIDES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < images.nbytes / 16


def test_encoding_takes_less_than_three_times_the_8_bit_image():
    image = as_floats(photo(1920, 1080))
    tracemalloc.start()
    encode(image)
    # Pillow's own image, four bytes a pixel, is not traced.
    peak = tracemalloc.get_traced_memory()[1] + image.size * 4 // 3
    tracemalloc.stop()
    assert peak < 3 * image.size


@not_under_wine("it counts processor time in steps")
def test_encoding_is_far_faster_than_png():
    levels = photo(1920, 1080)
    image = as_floats(levels)
    encode(image)
    ours = min(_seconds(lambda: encode(image)) for _ in range(5))
    png = _seconds(lambda: Image.fromarray(levels).save(io.BytesIO(), "PNG"))
    # About 35 times; half of it leaves room for a busy machine.
    assert png > 15 * ours


def _seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
