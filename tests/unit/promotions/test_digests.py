from itertools import pairwise

import numpy as np

from promotions.rows.digests import digest_ids, find_fences, repeated_digests


def test_repeats_are_found_within_and_across_runs() -> None:
    ids = np.random.default_rng(1).integers(0, 256, (100, 16), np.uint8)
    runs = [digest_ids(ids[[1, 2, 2, 3]]), digest_ids(ids[[4, 3, 5]]), digest_ids(ids[[3, 6]])]
    assert repeated_digests(runs).view(np.uint64).tolist() == sorted(digest_ids(ids[[2, 3]]).tolist())


def test_neighbouring_ids_have_different_digests() -> None:
    ids = np.zeros((100_000, 16), np.uint8)
    ids[:, 12:] = np.arange(100_000, dtype=">u4").view(np.uint8).reshape(-1, 4)
    assert len(repeated_digests([digest_ids(ids)])) == 0


def test_no_rows_have_no_repeats() -> None:
    assert len(repeated_digests([])) == 0


def test_fences_part_the_digests_by_their_first_byte() -> None:
    ordered = np.sort(digest_ids(np.random.default_rng(2).integers(0, 256, (5_000, 16), np.uint8)))
    fences = find_fences(ordered)
    assert (fences[0], fences[-1], len(fences)) == (0, 5_000, 257)
    assert all((ordered[low:high] >> np.uint64(56) == byte).all() for byte, (low, high) in enumerate(pairwise(fences)))
