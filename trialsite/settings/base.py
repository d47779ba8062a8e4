"""What is true in every environment. Nothing here has a default password or key."""

from __future__ import annotations

from pathlib import Path

import django_stubs_ext
import environ
from csp.constants import NONCE, NONE, SELF
from django.utils.translation import gettext_lazy as _

django_stubs_ext.monkeypatch()

env = environ.FileAwareEnv()

BASE_DIR = Path(__file__).resolve().parents[2]
VAR_DIR = Path(env.str("TRIALSITE_VAR", str(BASE_DIR / "var")))

#: Where npm has put the interface's packages (package-lock.json).
NODE_MODULES = Path(env.str("NODE_MODULES", str(BASE_DIR / "node_modules")))

SECRET_KEY = env.str("SECRET_KEY")
FIELD_KEYS: list[str] = env.list("FIELD_KEYS")
#: Keys of the identifier vault as `id:key`, newest first, and the key by which it finds.
IDENTITY_KEYS: list[str] = env.list("IDENTITY_KEYS")
IDENTITY_INDEX_KEY = env.str("IDENTITY_INDEX_KEY")
DEBUG = False
DEMO = env.bool("DEMO", False)
ENVIRONMENT = "DEMO" if DEMO else env.str("ENVIRONMENT", "PRODUCTION")
BASE_URL = env.str("BASE_URL", "http://localhost:8000")
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])

PROTOCOL_FILE = env.str(
    "PROTOCOL_FILE", str(BASE_DIR / "trialsite/protocol/studies/nct06904755.yaml")
)
TRAINING_REQUIRED = env.bool("TRAINING_REQUIRED", True)
ATTACHMENT_ROOT = Path(env.str("ATTACHMENT_ROOT", str(VAR_DIR / "attachments")))
#: Packages of datasets lie here until their time is over (trialsite.exports.packages).
EXPORT_ROOT = Path(env.str("EXPORT_ROOT", str(VAR_DIR / "exports")))
ATTACHMENT_MAX_BYTES = env.int("ATTACHMENT_MAX_BYTES", 20 * 1024 * 1024)
ATTACHMENT_QUOTA_BYTES = env.int("ATTACHMENT_QUOTA_BYTES", 2 * 1024**3)

#: The platform's apps in the order of its layers, top first (docs/architecture.md).
TRIAL_APPS = [
    "trialsite.demo",
    "trialsite.api",
    "trialsite.dashboard",
    "samples",
    "outcomes",
    "visits",
    "screening",
    "trialsite.labs",
    "trialsite.conduct",
    "trialsite.exports",
    "trialsite.crf",
    "trialsite.review",
    "trialsite.casebook",
    "trialsite.notify",
    "trialsite.access",
    "trialsite.audit",
    "trialsite.core",
]
INSTALLED_APPS = [
    *TRIAL_APPS,
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "trialsite.demo.marking.SyntheticAnswers",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "trialsite.access.middleware.ApiTokens",
    "trialsite.access.middleware.PersonLanguage",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "trialsite.access.middleware.SessionLimits",
    "trialsite.access.middleware.Guardrail",
]

ROOT_URLCONF = "trialsite.urls"
WSGI_APPLICATION = "trialsite.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "trialsite/templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "csp.context_processors.nonce",
                "trialsite.dashboard.shell.shell",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "trialsite.core.templatetags.trialsite",
            ],
        },
    }
]


def database(variable: str) -> dict[str, object]:
    """A connection from a URL; every statement and lock has its limit."""
    config: dict[str, object] = env.db_url(variable)
    config |= {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
        "OPTIONS": {
            "options": "-c timezone=UTC -c lock_timeout=10s -c statement_timeout=60s "
            "-c idle_in_transaction_session_timeout=60s",
        },
    }
    return config


DATABASES = {"default": database("DATABASE_URL")}
if env.str("DATABASE_OWNER_URL", ""):
    DATABASES["owner"] = database("DATABASE_OWNER_URL")
    DATABASES["owner"]["OPTIONS"] = {}
    DATABASES["owner"]["CONN_MAX_AGE"] = 0
DATABASE_ROUTERS: list[str] = []
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
}

# -- People and sessions -------------------------------------------------------------
AUTH_USER_MODEL = "access.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "full_name")},
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "trialsite.access.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGIN_ON_PASSWORD_RESET = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_PASSWORD_RESET_TOKEN_GENERATOR = "trialsite.access.credentials.ResetTokens"  # noqa: S105
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_FORMS = {"reset_password": "trialsite.access.sign_in_forms.ForgottenPasswordForm"}
#: Failures are counted in PostgreSQL (trialsite.access.lockout); only mails are limited here.
ACCOUNT_RATE_LIMITS = {
    "login": None,
    "login_failed": None,
    "reauthenticate": None,
    "change_password": None,
    "reset_password": "20/m/ip,5/m/key",
    "reset_password_from_key": "60/m/ip",
}
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", 0)
MFA_ADAPTER = "trialsite.access.adapters.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_TOTP_ISSUER = "Trialsite"
MFA_TOTP_TOLERANCE = 1
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_FORMS = {
    "authenticate": "trialsite.access.sign_in_forms.SecondFactorForm",
    "reauthenticate": "trialsite.access.sign_in_forms.SecondFactorAgainForm",
    "add_webauthn": "trialsite.access.sign_in_forms.NewPasskeyForm",
    "authenticate_webauthn": "trialsite.access.sign_in_forms.PasskeyForm",
    "reauthenticate_webauthn": "trialsite.access.sign_in_forms.PasskeyAgainForm",
}
PASSWORD_RESET_TIMEOUT = 3600
INVITATION_TIMEOUT = 7 * 24 * 3600
SIGN_IN_ATTEMPTS = 5
SIGN_IN_LOCK_MINUTES = 15
IDLE_LOCK_SECONDS = 30 * 60
ABSOLUTE_SESSION_SECONDS = 12 * 3600

SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = ABSOLUTE_SESSION_SECONDS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_USE_SESSIONS = True
CSRF_FAILURE_VIEW = "trialsite.access.errors.csrf_failure"

# -- Headers -------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 3000

# -- Language and time ---------------------------------------------------------------
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LANGUAGE_CODE = "en"
LOCALE_PATHS = [BASE_DIR / "trialsite/locale"]
LANGUAGE_COOKIE_SAMESITE = "Lax"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = ["trialsite.locale.formats"]

# -- Static files --------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [
    BASE_DIR / "trialsite/static",
    # Not all of dist: its libs name source maps that the package does not ship.
    *(
        (f"vendor/tabler/{part}", NODE_MODULES / "@tabler/core/dist" / part)
        for part in ("css", "img")
    ),
    ("vendor/inter", NODE_MODULES / "@fontsource-variable/inter/files"),
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}

# -- Mail ----------------------------------------------------------------------------
#: Every mail enters the outbox; the worker hands it to the server of EMAIL_URL, or to files.
EMAIL_CONFIG = env.email_url("EMAIL_URL", default=f"filemail:///{VAR_DIR}/mail")
NOTIFY_DELIVERY_BACKEND: str = EMAIL_CONFIG.pop("EMAIL_BACKEND")
globals().update(EMAIL_CONFIG)
EMAIL_BACKEND = "trialsite.notify.mail.OutboxEmailBackend"
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT", 10)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "trialsite@localhost")
#: A gateway of the operator's own for notices (WeCom, DingTalk, SMS); empty: none.
NOTIFY_WEBHOOK_URL = env.str("NOTIFY_WEBHOOK_URL", "")
NOTIFY_WEBHOOK_SECRET = env.str("NOTIFY_WEBHOOK_SECRET", "")
NOTIFY_WEBHOOK_TIMEOUT = 5.0

# -- API -----------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "trialsite.access.rest_tokens.ByToken",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_PAGINATION_CLASS": "trialsite.access.paging.Pages",
    "EXCEPTION_HANDLER": "trialsite.access.rest.problem",
    "COERCE_DECIMAL_TO_STRING": True,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Trialsite API",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    # Choices stay where they are used: a name for each would collide as forms are added.
    "POSTPROCESSING_HOOKS": ["trialsite.access.openapi.problems"],
}

# -- Background work -----------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 60
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 180}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    "plan-notices": {
        "task": "trialsite.notify.tasks.plan",
        "schedule": 60,
        "options": {"expires": 55},
    },
    "deliver-notices": {
        "task": "trialsite.notify.tasks.deliver",
        "schedule": 60,
        "options": {"expires": 55},
    },
    "verify-trail": {"task": "trialsite.casebook.tasks.verify_trail", "schedule": 3600},
    "consent-states": {"task": "screening.tasks.mark_consent_states", "schedule": 24 * 3600},
    "unfrozen-samples": {
        "task": "samples.tasks.judge_unfrozen_samples",
        "schedule": 24 * 3600,
    },
    "lab-imports": {
        "task": "trialsite.labs.tasks.take_imports",
        "schedule": 20,
        "options": {"expires": 15},
    },
    "packages": {
        "task": "trialsite.exports.tasks.make_packages",
        "schedule": 20,
        "options": {"expires": 15, "queue": "exports"},
    },
    "old-packages": {
        "task": "trialsite.exports.tasks.remove_old_packages",
        "schedule": 24 * 3600,
    },
    "edit-checks": {"task": "trialsite.crf.tasks.judge_all_records", "schedule": 24 * 3600},
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_number": {"()": "trialsite.core.logs.RequestNumber"}},
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s%(request_number)s"}
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["request_number"],
        }
    },
    "root": {"handlers": ["console"], "level": "INFO"},
}
