"""Colours that drifted are brought back to those of another picture."""

from __future__ import annotations

import media
import numpy as np
import pytest
from wanpack.wan.media.colour import match_colours

PHOTO = media.photo(160, 96).astype(np.float32) / 255


def drifted(image, *, gain=(1.1, 0.95, 0.85), lift=0.06, contrast=0.8):
    """The image with less contrast, lighter and of another tint."""
    return np.clip(((image - 0.5) * contrast + 0.5 + lift) * np.array(gain, np.float32), 0, 1)


def far(one, other):
    """The mean difference in levels of 8 bits."""
    return float(np.abs(one.astype(float) - other).mean() * 255)


def test_an_image_with_its_own_colours_stays_as_it_is():
    assert far(match_colours(PHOTO, PHOTO), PHOTO) < 0.01


def test_a_drifted_image_comes_back():
    worse = drifted(PHOTO)
    matched = match_colours(worse, PHOTO)
    assert far(matched, PHOTO) < far(worse, PHOTO) / 3
    # In sRGB only about: what was clipped to white has no spread.
    assert matched.mean(axis=(0, 1)) == pytest.approx(PHOTO.mean(axis=(0, 1)), abs=0.02)


def test_a_chain_of_drifts_stays_near_its_first_picture():
    matched = free = PHOTO
    for _ in range(5):
        free = drifted(free, gain=(1.04, 0.99, 0.97), lift=0.02, contrast=0.95)
        matched = match_colours(drifted(matched, gain=(1.04, 0.99, 0.97), lift=0.02, contrast=0.95), PHOTO)
    assert far(matched, PHOTO) < far(free, PHOTO) / 3


def test_the_reference_may_have_another_size_and_content():
    other = media.photo(80, 120)[:, ::-1].astype(np.float32) / 255 * 0.5
    matched = match_colours(PHOTO, other)
    assert matched.shape == PHOTO.shape
    assert matched.mean(axis=(0, 1)) == pytest.approx(other.mean(axis=(0, 1)), abs=0.04)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_plain_pictures_get_the_colour_and_no_noise(level):
    plain = np.full((8, 8, 3), level, np.float32)
    target = np.broadcast_to(np.array([0.8, 0.4, 0.2], np.float32), (4, 4, 3))
    assert match_colours(plain, target) == pytest.approx(np.broadcast_to(target[0, 0], (8, 8, 3)), abs=1e-3)
    assert np.isfinite(match_colours(plain, PHOTO)).all()


@pytest.mark.parametrize("level", [0.3, 0.8])
def test_a_plain_reference_leaves_something_to_see(level):
    matched = match_colours(PHOTO, np.full((4, 4, 3), level, np.float32))
    assert matched.std() > PHOTO.std() / 8
    assert abs(matched.mean() - level) < abs(PHOTO.mean() - level) / 2


def test_a_grey_reference_makes_a_grey_image():
    matched = match_colours(PHOTO, PHOTO.mean(axis=2, keepdims=True).repeat(3, axis=2))
    assert np.ptp(matched, axis=2).max() < 0.02


def test_the_result_is_an_image():
    matched = match_colours(PHOTO, np.random.default_rng(7).random((9, 9, 3), np.float32))
    assert matched.dtype == np.float32
    assert (matched.min() >= 0, matched.max() <= 1) == (True, True)
