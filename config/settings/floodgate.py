"""The project's own settings, with their units in the names."""

from config import env

FLOODGATE_VERSION = env.FLOODGATE_VERSION
DATA_DIR = env.DATA_DIR
IMPORT_ROOT = env.IMPORT_ROOT
SPOOL_DIR = env.SPOOL_DIR

VALKEY_URL = env.VALKEY_URL
VALKEY_CACHE_URL = env.VALKEY_CACHE_URL
VALKEY_KEY_PREFIX = ""  # tests that share a server set one each
READ_STORE_IS_SEPARATE = bool(env.READ_DATABASE_URL)

ANSWERS_REQUESTS = True
IS_TRACED = bool(env.OTEL_EXPORTER_OTLP_ENDPOINT)
PORT = env.PORT
HOT_PATH = env.HOT_PATH
WEB_SERVERS = env.WEB_REPLICAS + env.WEB_SURGE  # the most that run at once, while an upgrade replaces them
WEB_WORKERS = env.WEB_WORKERS  # of each
WSGI_THREADS = env.WSGI_THREADS
REQUEST_DEADLINE_SECONDS = 1.5
BODY_LIMIT_BYTES = 4 * 2**20
UPLOAD_MAX_BYTES = env.UPLOAD_MAX_BYTES
API_KEYS_REQUIRED = env.API_KEYS == "required"
ACCESS_LOG = env.ACCESS_LOG
TRUSTED_PROXIES = env.TRUSTED_PROXIES
CORS_ALLOWED_ORIGINS = env.CORS_ALLOWED_ORIGINS  # of pages in browsers; ("*",) stands for all
RATE_LIMIT = env.RATE_LIMIT
RATE_LIMIT_POLICIES = {  # per client and second
    "hot": 1_000,
    "django": 50,
    "wallet_orders": 1_000,
    "wallet_reads": 1_000,
    "login": 5,
} | env.RATE_LIMIT_POLICIES
IDEMPOTENCY_TTL_SECONDS = env.IDEMPOTENCY_TTL_SECONDS

FLUSH_WORKERS = env.FLUSH_WORKERS
COUNTERS_MAX_PENDING_KEYS = env.COUNTERS_MAX_PENDING_KEYS
COUNTERS_MAX_MARKS = env.COUNTERS_MAX_MARKS

TIMESTAMPS_MAX_BACKLOG = env.TIMESTAMPS_MAX_BACKLOG  # entries of the stream
TIMESTAMPS_MAX_MARKS = env.TIMESTAMPS_MAX_MARKS

VOUCHER_GUESSES_PER_USER = env.VOUCHER_GUESSES_PER_USER  # codes that cannot be redeemed, a minute
VOUCHER_GUESSES_PER_ADDRESS = env.VOUCHER_GUESSES_PER_ADDRESS
WALLET_URL = env.WALLET_URL  # of the deployment that keeps the wallets; empty: this one
WALLET_API_KEY = env.WALLET_API_KEY

# Policy, and how its paths begin. Reads of other deployments must not hold up their deliveries, and each try of a
# password takes a processor for a third of a second.
LIMITED_PATHS = [("wallet_orders", "/api/wallet/orders"), ("wallet_reads", "/api/wallet/"), ("login", "/admin/login/")]

ARCHIVE_URL = env.ARCHIVE_URL  # a folder, or an address that fsspec has a driver for
TIMESTAMPS_SEGMENT_ENTRIES = env.TIMESTAMPS_SEGMENT_ENTRIES
TIMESTAMPS_SEGMENT_SECONDS = env.TIMESTAMPS_SEGMENT_SECONDS  # oldest entry of a smaller segment

BATCH_MAX_BYTES = env.BATCH_MAX_BYTES
BATCH_MAX_ROWS = env.BATCH_MAX_ROWS
BATCH_MAX_PRICES = env.BATCH_MAX_PRICES
BATCH_MAX_WAITING = env.BATCH_MAX_WAITING
BATCH_KEEP_DAYS = env.BATCH_KEEP_DAYS  # its rejected rows, after its end

ECB_RATES_FROM = env.ECB_RATES_FROM  # the first day of the shipped rates that is loaded
# How old a rate may be on the day of a price; of two providers' rates of one day the first one here counts.
EXCHANGE_RATE_MAX_AGE_DAYS = {
    "openexchangerates": env.OPENEXCHANGERATES_MAX_AGE_DAYS,
    "ecb": env.ECB_MAX_AGE_DAYS,
}
OPENEXCHANGERATES_APP_ID = env.OPENEXCHANGERATES_APP_ID  # empty: it is not asked
OPENEXCHANGERATES_URL = "https://openexchangerates.org"

IMPORT_WORKERS = env.IMPORT_WORKERS
IMPORT_CHUNK_BYTES = env.IMPORT_CHUNK_BYTES
IMPORT_ROWS_PER_TABLE = env.IMPORT_ROWS_PER_TABLE
IMPORT_MAX_REJECT_SHARE = env.IMPORT_MAX_REJECT_SHARE
IMPORT_MAX_SHRINK_SHARE = env.IMPORT_MAX_SHRINK_SHARE
IMPORT_KEEP_VERSIONS = env.IMPORT_KEEP_VERSIONS
IMPORT_DROP_AFTER_SECONDS = env.IMPORT_DROP_AFTER_SECONDS
IMPORT_KEEP_REJECTS_DAYS = env.IMPORT_KEEP_REJECTS_DAYS  # after its end
UNPACKED_MAX_BYTES = env.UNPACKED_MAX_BYTES
