"""Who tries passwords too often, what pages may load, and what Django would have said that others see to."""

from datetime import timedelta
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE

# django-axes counts failures per user and address in the database, for all web processes together. Not per address
# alone, nor per user alone: one attacker would lock out an office behind one address, or a person everywhere. How many
# users one address may try is limited by the policy `login`.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}Validator"}
    for name in ("UserAttributeSimilarity", "MinimumLength", "CommonPassword", "NumericPassword")
]
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
# While somebody is locked out nothing is written: each try would make the row longer, and the lock too.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_CLIENT_IP_CALLABLE = "gateway.keys.logins.address_of"
AXES_USERNAME_CALLABLE = "gateway.keys.logins.typed_name"
AXES_LOCKOUT_CALLABLE = "gateway.keys.logins.locked"
AXES_DISABLE_ACCESS_LOG = True  # the log `audit` has logins
AXES_ENABLE_ADMIN = False

# Of the admin, whose theme evaluates the expressions in its attributes (Alpine) and styles elements one by one. The
# console and the docs have stricter ones.
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, UNSAFE_EVAL],
        "style-src": [SELF, UNSAFE_INLINE],
        "font-src": [SELF],
        "img-src": [SELF, "data:"],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

SILENCED_SYSTEM_CHECKS = [
    "security.W004",  # Strict-Transport-Security is Caddy's to say, as it ends TLS
    "security.W008",  # and so is the redirect to HTTPS
]
