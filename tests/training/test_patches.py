"""Patches are normalised after the product with the filters: it gives what one before it gives."""

import numpy as np
import pytest

from training import patches


def written_out(pixels, filters):
    """Features [n, 512], one patch after the other, in double precision."""
    side = patches.SIDE - patches.PATCH + 1
    found = np.zeros((len(pixels), side, side, 2 * patches.CENTRES))
    for row in range(side):
        for column in range(side):
            part = pixels[:, row : row + patches.PATCH, column : column + patches.PATCH]
            patch = part.transpose(0, 3, 1, 2).reshape(len(pixels), -1).astype(np.float64)
            patch -= patch.mean(axis=1, keepdims=True)
            patch /= np.sqrt(patch.var(axis=1, keepdims=True) + patches.CONTRAST)
            response = (patch - filters.mean) @ filters.project
            both = np.concatenate([response, -response], axis=1) - patches.THRESHOLD
            found[:, row, column] = np.maximum(both, 0)
    half = (side + 1) // 2
    halves = (slice(None, half), slice(half, None))
    parts = [found[:, r, c].mean(axis=(1, 2)) for r in halves for c in halves]
    return np.concatenate(parts, axis=1)


@pytest.fixture(scope="module")
def filters():
    pixels = np.random.default_rng(1).integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    return patches.learn(lambda rows: pixels[rows], 60)


def test_features_are_those_of_the_written_out_method(filters):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    flat = np.full((2, 32, 32, 3), 255, dtype=np.uint8)  # white: no contrast at all
    flat[1, 16:] = 0
    faint = (200 + rng.integers(0, 2, (2, 32, 32, 3))).astype(np.uint8)
    pixels = np.concatenate([noise, flat, faint])
    found = patches.encode(pixels, filters)
    np.testing.assert_allclose(found, written_out(pixels, filters), atol=2e-5)


def test_an_image_s_features_do_not_depend_on_the_images_beside_it(filters):
    pixels = np.random.default_rng(2).integers(0, 256, (11, 32, 32, 3), dtype=np.uint8)
    alone = np.concatenate([patches.encode(pixels[at : at + 1], filters) for at in range(11)])
    assert np.array_equal(patches.encode(pixels, filters), alone)
