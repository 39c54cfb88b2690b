import numpy as np

from promotions.digests import digest_ids, repeated_digests, sorted_digests


def test_repeats_are_found_within_and_across_runs() -> None:
    ids = np.random.default_rng(1).integers(0, 256, (100, 16), np.uint8)
    runs = [sorted_digests(ids[[1, 2, 2, 3]]), sorted_digests(ids[[4, 3, 5]]), sorted_digests(ids[[3, 6]])]
    assert repeated_digests(runs).tolist() == sorted(digest_ids(ids[[2, 3]]).tolist())


def test_neighbouring_ids_have_different_digests() -> None:
    ids = np.zeros((100_000, 16), np.uint8)
    ids[:, 12:] = np.arange(100_000, dtype=">u4").view(np.uint8).reshape(-1, 4)
    assert len(repeated_digests([sorted_digests(ids)])) == 0


def test_no_rows_have_no_repeats() -> None:
    assert len(repeated_digests([])) == 0
