"""Keys of all advisory locks: two locks of one key would exclude each other.

PostgreSQL has them as two numbers of 32 bits. The first is the kind; the second is 0, or what the kind is about.
"""

from enum import IntEnum


class LockKey(IntEnum):
    """First keys. They stay as they are, as processes of two versions run side by side during an upgrade."""

    IMPORT = 1001  # of promotions; and its id
    DELIVERY = 1002  # of publications
    PUBLISHING = 1003
    CHUNK = 1004  # of an import; and its id
    TABLE = 1005  # of a version; and its id
    COUNTER_SHARD = 2001  # and its number
    WALLET_ORDERS = 3001
    GENERATION = 3002  # of vouchers; and its id
    CONSUMER = 4001  # of the log of timestamps
    REPLAY = 4002
    ARCHIVER = 4003
    TREE = 5001  # of regions; also in rates/migrations/0001_tree.sql
    PRICE_CHUNK = 5003  # and its id
    PRICE_ADMISSION = 5004
    RATES_REFRESH = 5201
    RATES_LOADING = 5202
