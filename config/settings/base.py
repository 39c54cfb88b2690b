"""Django itself."""

from importlib.util import find_spec

from django.urls import reverse_lazy

from config import env

BASE_DIR = env.BASE_DIR
SECRET_KEY = env.SECRET_KEY
DEBUG = env.DEBUG
ALLOWED_HOSTS = env.ALLOWED_HOSTS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.COOKIES_SECURE

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_prometheus",
    "axes",
    "csp",
    "common",
    "gateway",
    "promotions",
    "counters",
    "vouchers",
    "timestamps",
    "rates",
]
IS_CLONE = bool(find_spec("devstack"))  # the production image does not have it
if IS_CLONE:
    INSTALLED_APPS.append("devstack")

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "gateway.views.middleware.CorrelationMiddleware",
    "gateway.views.middleware.RefuseNul",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en"
USE_I18N = False
TIME_ZONE = "UTC"
USE_TZ = True
LOGIN_REDIRECT_URL = "/admin/"
CSRF_FAILURE_VIEW = "gateway.contract.problems.csrf_failure"

STATIC_URL = "/static/"
STATIC_ROOT = env.STATIC_ROOT
# The image has each file under its digest and as gzip too, which the build makes. Not as brotli: that would need a
# package, for a tenth less of what browsers keep for ever.
CLONE_STORAGE = "django.contrib.staticfiles.storage.StaticFilesStorage"
IMAGE_STORAGE = "whitenoise.storage.CompressedManifestStaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": CLONE_STORAGE if IS_CLONE else IMAGE_STORAGE},
}
WHITENOISE_USE_FINDERS = True  # a clone serves the admin's assets without a collectstatic step
# In a clone files change under a running server, and an answer with the length of the old file would be a 500.
WHITENOISE_AUTOREFRESH = IS_CLONE
WHITENOISE_MAX_AGE = 0 if IS_CLONE else 60  # seconds

FILE_UPLOAD_TEMP_DIR = env.SPOOL_DIR  # same file system as IMPORT_ROOT: taking an upload over is a rename
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 2**20
UNFOLD = {
    "SITE_TITLE": "Floodgate",
    "SITE_HEADER": "Floodgate",
    "SITE_SYMBOL": "water",
    "SITE_FAVICONS": [{"rel": "icon", "href": "data:,"}],
    "SHOW_VIEW_ON_SITE": False,
    "SIDEBAR": {
        "navigation": [
            {
                "title": "Promotions",
                "items": [
                    {
                        "title": "Imports",
                        "icon": "upload_file",
                        "link": reverse_lazy("admin:promotions_import_changelist"),
                    },
                    {
                        "title": "Versions",
                        "icon": "layers",
                        "link": reverse_lazy("admin:promotions_version_changelist"),
                        "active": lambda request: request.resolver_match.url_name.startswith("promotions_version_"),
                    },
                    {"title": "Find a promotion", "icon": "search", "link": reverse_lazy("admin:promotions_find")},
                ],
            },
            {
                "title": "Counters",
                "separator": True,
                "items": [
                    {"title": "Counters", "icon": "add", "link": reverse_lazy("admin:counters_counter_changelist")},
                    {"title": "Flushes", "icon": "move_down", "link": reverse_lazy("admin:counters_flush_changelist")},
                ],
            },
            {
                "title": "Vouchers",
                "separator": True,
                "items": [
                    {"title": "Vouchers", "icon": "redeem", "link": reverse_lazy("admin:vouchers_voucher_changelist")},
                    {
                        "title": "Redemptions",
                        "icon": "task_alt",
                        "link": reverse_lazy("admin:vouchers_redemption_changelist"),
                    },
                    {"title": "Profiles", "icon": "wallet", "link": reverse_lazy("admin:vouchers_profile_changelist")},
                    {
                        "title": "Transfers",
                        "icon": "swap_horiz",
                        "link": reverse_lazy("admin:vouchers_transfer_changelist"),
                    },
                    {
                        "title": "Wallet orders",
                        "icon": "outbox",
                        "link": reverse_lazy("admin:vouchers_walletorder_changelist"),
                    },
                    {
                        "title": "Generations",
                        "icon": "qr_code_2",
                        "link": reverse_lazy("admin:vouchers_generation_changelist"),
                    },
                ],
            },
            {
                "title": "Timestamps",
                "separator": True,
                "items": [
                    {"title": "Find a timestamp", "icon": "search", "link": reverse_lazy("admin:timestamps_find")},
                    {
                        "title": "Tables of records",
                        "icon": "layers",
                        "link": reverse_lazy("admin:timestamps_recordtable_changelist"),
                        "active": lambda request: request.resolver_match.url_name.startswith("timestamps_recordtable_"),
                    },
                    {
                        "title": "Dead letters",
                        "icon": "mail_off",
                        "link": reverse_lazy("admin:timestamps_deadletter_changelist"),
                    },
                ],
            },
            {
                "title": "Rates",
                "separator": True,
                "items": [
                    {"title": "Regions", "icon": "account_tree", "link": reverse_lazy("admin:rates_region_changelist")},
                    {"title": "Ports", "icon": "anchor", "link": reverse_lazy("admin:rates_port_changelist")},
                    {"title": "Prices", "icon": "sell", "link": reverse_lazy("admin:rates_price_changelist")},
                    {"title": "Chart of a lane", "icon": "show_chart", "link": reverse_lazy("rates-chart")},
                    {
                        "title": "Batches",
                        "icon": "stacks",
                        "link": reverse_lazy("admin:rates_pricebatch_changelist"),
                    },
                    {
                        "title": "Exchange rates",
                        "icon": "currency_exchange",
                        "link": reverse_lazy("admin:rates_exchangerate_changelist"),
                    },
                    {
                        "title": "Rates in doubt",
                        "icon": "help",
                        "link": reverse_lazy("admin:rates_doubtfulrate_changelist"),
                    },
                    {
                        "title": "Rate fetches",
                        "icon": "cloud_download",
                        "link": reverse_lazy("admin:rates_ratefetch_changelist"),
                    },
                ],
            },
            {
                "title": "Floodgate",
                "separator": True,
                "items": [
                    {"title": "Users", "icon": "person", "link": reverse_lazy("admin:auth_user_changelist")},
                    {"title": "API keys", "icon": "key", "link": reverse_lazy("admin:gateway_apikey_changelist")},
                    {"title": "Console", "icon": "monitoring", "link": reverse_lazy("console"), "active": False},
                    {"title": "API", "icon": "api", "link": reverse_lazy("docs")},
                ],
            },
        ],
    },
}
