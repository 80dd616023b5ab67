"""A pool that grows pays for its new images only, whatever happens to the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.drawn import examples
from training.networks.feature_rows import gathered


class Pass:
    """Computes features that tell the image, and counts them."""

    def __init__(self, hashes: list[str]) -> None:
        self.hashes, self.computed = hashes, 0

    def __call__(self, rows: list[int], name: str) -> np.ndarray:
        self.computed += len(rows)
        codes = [int(self.hashes[row][:6], 16) for row in rows]
        return np.array([[code, code / 7] for code in codes], dtype=np.float32)


def hashes_of(numbers: list[int]) -> list[str]:
    return [f"{number * 7919 % 2**32:08x}{number:024x}" for number in numbers]


def run(numbers: list[int], folder: Path) -> int:
    """How many images were computed; the values are checked."""
    hashes = hashes_of(numbers)
    work = Pass(hashes)
    values = gathered(hashes, folder, work)
    assert np.array_equal(values, Pass(hashes)(list(range(len(hashes))), ""))
    return work.computed


def test_ten_new_of_three_hundred_and_twenty_compute_ten(tmp_path: Path) -> None:
    assert run(list(range(310)), tmp_path / "rows") == 310
    assert run(list(range(320)), tmp_path / "rows") == 10
    assert run([*range(100, 320), 5, 5], tmp_path / "rows") == 0  # another order, one twice
    assert run([400, 400], tmp_path / "rows") == 1


@pytest.mark.parametrize("damage", [b"", b"text", None])
def test_a_damaged_file_is_computed_again(damage: bytes | None, tmp_path: Path) -> None:
    run(list(range(20)), tmp_path)
    run(list(range(30)), tmp_path)
    file = max(tmp_path.glob("*.rows"), key=lambda path: path.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content) if damage is None else damage)
    assert run(list(range(30)), tmp_path) == 20
    assert run(list(range(30)), tmp_path) == 0


def test_a_pass_that_fails_keeps_nothing_and_blocks_nobody(tmp_path: Path) -> None:
    def fails(rows: list[int], name: str) -> np.ndarray:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        gathered(hashes_of([1, 2]), tmp_path, fails)
    assert run([1, 2, 3], tmp_path) == 3


@settings(max_examples=examples(30))
@given(pools=st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=30), max_size=5))
def test_every_image_is_computed_once(
    pools: list[list[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    computed = sum(run(pool, folder) for pool in pools)
    assert computed == len({number for pool in pools for number in pool})
