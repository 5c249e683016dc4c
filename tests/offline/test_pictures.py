"""The pictures that the mock server draws: of words, and of references side by side."""

from __future__ import annotations

import io

import numpy as np
import pytest
from media import image_file
from PIL import Image
from wanpack.offline import pictures
from wanpack.offline.pictures import picture_of_words, side_by_side, small_copy, tint_of

RED, GREEN, BLUE = (200, 40, 40), (40, 180, 40), (40, 40, 200)
LANTERN = "A paper lantern drifts along a quiet canal at dusk, soft ripples and distant bells."
CHINESE = "一只纸灯笼在黄昏时分沿着安静的运河漂流，镜头缓慢跟随，水波轻柔，远处传来钟声。"


def white(image):
    """Where the letters are: rows and columns, in 0..1."""
    rows, columns = np.nonzero(np.asarray(image).min(axis=2) > 240)
    return rows / image.height, columns / image.width


@pytest.mark.parametrize("size", [(832, 480), (480, 832), (1280, 720), (624, 624), (400, 960)])
@pytest.mark.parametrize("text", [LANTERN, CHINESE, "hi", LANTERN * 20, "x" * 400, CHINESE * 30])
def test_words_stay_where_the_move_over_the_picture_shows_them(size, text):
    image = picture_of_words(text, size=size)
    rows, columns = white(image)
    assert (image.size, image.mode) == (size, "RGB")
    assert len(rows) > 20
    assert 0.1 < columns.min() < columns.max() < 0.9
    assert 0.03 < rows.min() < rows.max() < 0.97


def test_short_texts_have_large_letters():
    def height(text):
        rows, _ = white(picture_of_words(text, size=(832, 480)))
        return rows.max() - rows.min()

    assert height("HI") > 0.05
    assert height(LANTERN) > 0.15


def test_other_words_give_another_picture_and_the_same_words_the_same():
    one, again, other = (picture_of_words(text, size=(320, 192)) for text in (LANTERN, LANTERN, LANTERN[:-1]))
    assert one.tobytes() == again.tobytes()
    away = np.abs(np.asarray(one, int) - np.asarray(other, int))
    assert (away.max(axis=2) > 20).mean() > 0.2


@pytest.mark.parametrize(
    "text", ["", " \n\t", "\x00\x07", "\ud83d", "a\nb\u2028c", "\u0623\u0647", "🐈" * 50, "x" * 999]
)
@pytest.mark.parametrize("size", [(320, 192), (48, 96)])
def test_any_text_can_be_drawn(text, size):
    assert picture_of_words(text, size=size).size == size
    assert tint_of(text) == tint_of(text)


def test_without_a_font_that_has_them_chinese_letters_are_boxes(monkeypatch):
    monkeypatch.setattr(pictures, "_FONTS", ("no-such-font.ttf",))
    pictures._font_of_many_letters.cache_clear()
    try:
        rows, _ = white(picture_of_words(CHINESE, size=(832, 480)))
        assert len(rows) > 20
    finally:
        pictures._font_of_many_letters.cache_clear()


def images(*colours, size=(400, 300)):
    return [Image.new("RGB", size, colour) for colour in colours]


def share(image, colour):
    return (np.abs(np.asarray(image, int) - colour).max(axis=2) < 12).mean()


@pytest.mark.parametrize("size", [(832, 480), (480, 832), (624, 624)])
@pytest.mark.parametrize("count", [2, 3, 5, 10])
def test_every_reference_is_seen_whole(size, count):
    colours = [(200, 255 * n // count, 40) for n in range(count)]
    whole = side_by_side(images(*colours), size=size)
    assert whole.size == size
    shares = [share(whole, colour) for colour in colours]
    assert min(shares) > 0.4 / (count + 2)
    assert max(shares) == pytest.approx(min(shares), rel=0.02)


def test_two_references_stand_side_by_side_in_their_order():
    whole = np.asarray(side_by_side(images(RED, BLUE), size=(800, 300)))
    assert [tuple(whole[150, x]) for x in (200, 600)] == [RED, BLUE]
    upright = np.asarray(side_by_side(images(RED, BLUE), size=(300, 800)))
    assert [tuple(upright[y, 150]) for y in (200, 600)] == [RED, BLUE]


def test_a_copy_of_a_large_image_is_small_and_has_its_shape():
    with Image.open(io.BytesIO(small_copy(image_file(4000, 1000, colours=(RED,))))) as copy:
        assert (copy.size, copy.format) == ((1280, 320), "JPEG")


def test_other_words_give_another_tint():
    tints = {tint_of(f"Make it {word}.") for word in ("snow", "rain", "red", "blue", "old")}
    assert len(tints) > 3
    assert all(abs(u - 128) + abs(v - 128) > 50 for u, v in tints)
