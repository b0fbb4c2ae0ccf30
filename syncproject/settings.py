"""
One settings file; every difference between machines is an environment variable.

With DATABASE_URL and REDIS_URL unset, the private servers that `make up` starts are used, so that
`python manage.py ...` works without any environment.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from local import keys, servers
from syncproject.unfold import UNFOLD as UNFOLD

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env", overwrite=False)


def required(name: str, fallback: str | None, what: str) -> str:
    value: str = env.str(name, "") or fallback or ""
    if not value:
        raise ImproperlyConfigured(
            f"{name} is not set. Set it to {what}, or run `make up` for private servers."
        )
    return value


DATABASE_URL = required("DATABASE_URL", servers.database_url(), "postgres://user:password@host:5432/name")
REDIS_URL = required("REDIS_URL", servers.redis_url(), "redis://:password@host:6379/0")
SECRET_KEY = required("SECRET_KEY", keys.development_key("SECRET_KEY"), "50 random characters")
# Fernet keys, newest first: the first writes, all read.
FIELD_ENCRYPTION_KEYS = [
    key.strip()
    for key in required(
        "FIELD_ENCRYPTION_KEYS", keys.development_key("FIELD_ENCRYPTION_KEYS"), "a Fernet key"
    ).split(",")
]

DEBUG = env.bool("DEBUG", False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
HTTPS_ONLY = env.bool("HTTPS_ONLY", False)

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "ingest",
    "metrics",
    "syncproject",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "syncproject.urls"
WSGI_APPLICATION = "syncproject.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# --- PostgreSQL ------------------------------------------------------------------------------------
# Web requests give up early, workers may run a long statement, migrations set their own limits.
STATEMENT_TIMEOUT_MS = env.int("STATEMENT_TIMEOUT_MS", 60_000)
DATABASES = {
    "default": {
        **env.db_url_config(DATABASE_URL),
        "CONN_MAX_AGE": env.int("CONN_MAX_AGE", 60),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            "connect_timeout": 5,
            # A half-open link is noticed in about a minute instead of never.
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
            "options": " ".join(
                (
                    f"-c statement_timeout={STATEMENT_TIMEOUT_MS}",
                    # Waiting longer for a lock means a migration or a person holds it: retry later.
                    f"-c lock_timeout={env.int('LOCK_TIMEOUT_MS', 5_000)}",
                    # A worker frozen inside a transaction must not hold its locks for ever.
                    "-c idle_in_transaction_session_timeout=30000",
                )
            ),
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Celery ----------------------------------------------------------------------------------------
# PostgreSQL holds the truth and Redis rings the doorbell: every setting below accepts a lost or doubled
# message and refuses anything that could block or drop work for good.
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_SERIALIZER = "json"  # no pickle: a broker that others reach must not mean code execution
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True  # results are rows; a result backend would only grow
CELERY_RESULT_BACKEND = None
CELERY_TASK_ACKS_LATE = (
    True  # prefetched messages return at once on shutdown; tasks claim rows, so twice is harmless
)
CELERY_TASK_REJECT_ON_WORKER_LOST = (
    False  # True re-runs a task that kills its worker for ever; the reaper counts
)
CELERY_TASK_ACKS_ON_FAILURE = True  # a failed task is recorded on its row; redelivery would run it for ever
CELERY_TASK_ACKS_ON_TIMEOUT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1  # a long slice must not sit on other people's messages
CELERY_TASK_SOFT_TIME_LIMIT = 90  # a slice is 45 s; past that something hangs
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_TRACK_STARTED = False
CELERY_TASK_SEND_SENT_EVENT = False
CELERY_WORKER_SEND_TASK_EVENTS = True  # Flower shows the queues from these
CELERY_VISIBILITY_TIMEOUT = 300  # more than twice the hard limit: no running task is delivered again
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": CELERY_VISIBILITY_TIMEOUT,
    # By default lost messages are looked for every 100 s; 5 s brings them back soon after the timeout.
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    # Without these a half-open connection hangs a worker for ever, with no log line.
    "socket_timeout": 10,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 5,
    "retry_on_timeout": False,
    # By default each message to a Redis that is gone waits 6 s. Consumers and beat are not concerned: they
    # reconnect by CELERY_BROKER_CONNECTION_MAX_RETRIES.
    "max_retries": 0,
}
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {"visibility_timeout": CELERY_VISIBILITY_TIMEOUT}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # survive any outage
# Leases make a duplicate harmless; cancelling running slices would waste fetched pages.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20  # a deploy lets a slice reach its page boundary
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = False
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500  # leaks end with the child
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 400_000  # kB
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Never closed by count: connections are looked at before each task (syncproject.celery), as before a web
# request. Opening one costs as much as a small task, and its staging tables are worth keeping.
CELERY_DB_REUSE_MAX = 1_000_000
CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = "UTC"
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_TASK_ROUTES = {
    "syncproject.pipeline.fetch_page": {"queue": "fetch"},
    "syncproject.pipeline.upsert_batch": {"queue": "upsert"},
    "syncproject.pipeline.aggregate_metrics": {"queue": "metrics"},
}
QUEUES = ("fetch", "upsert", "metrics", "default")
# Static on purpose: users' schedules are rows that the tick reads under a row lock, so two beats do no harm.
# A beat entry expires before its next turn: ticks must not pile up behind a busy queue.
CELERY_BEAT_SCHEDULE = {
    "tick": {"task": "syncproject.pipeline.tick", "schedule": 5.0, "options": {"expires": 5}},
    "prune": {
        "task": "syncproject.pipeline.prune",
        "schedule": timedelta(days=1),
        "options": {"expires": 3600},
    },
}
# Publishing from a web request or a task must fail fast: the tick finds the row anyway.
CELERY_TASK_PUBLISH_RETRY = False

# --- The sync itself ---------------------------------------------------------------------------------
SLICE_SECONDS = env.int("SLICE_SECONDS", 45)  # a task works this long at most, then gives others a turn
# With fewer workers than slow sources a fast one would wait for whole slices. So a turn this old ends at its
# next page if another job waits for a worker; shorter shares would cost more messages than they save waits.
SHARE_SECONDS = env.int("SHARE_SECONDS", 1)
# Longer than the longest silence in a healthy fetch (30 s to the first byte), as only progress renews it.
LEASE_SECONDS = env.int("LEASE_SECONDS", 40)
MAX_PAGES_AHEAD = env.int("MAX_PAGES_AHEAD", 32)  # pages landed but not yet applied, per job
APPLY_BATCH_RECORDS = env.int(
    "APPLY_BATCH_RECORDS", 1000
)  # pages are merged per write up to this many records
METRICS_SECONDS = env.int("METRICS_SECONDS", 30)  # how often a long run's metrics are brought up to date
# Without Redis each worker keeps to its part of a source's rate limit: the limit by this number.
BUDGET_WORKERS = env.int("BUDGET_WORKERS", 8)
JOB_RETENTION_DAYS = env.int("JOB_RETENTION_DAYS", 30)
SYNC_FILE_ROOTS = [Path(root) for root in env.list("SYNC_FILE_ROOTS", default=[])]
SYNC_PRIVATE_HOSTS = frozenset(env.list("SYNC_PRIVATE_HOSTS", default=[]))

# --- Web ---------------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
WHITENOISE_USE_FINDERS = True  # static files without a collectstatic step
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "syncproject.formats"  # dates as ISO, with the zone said
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
FLOWER_URL = env.str("FLOWER_URL", "")  # linked from the dashboard when set
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = HTTPS_ONLY
CSRF_COOKIE_SECURE = HTTPS_ONLY
SECURE_SSL_REDIRECT = HTTPS_ONLY
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS_ONLY
SECURE_HSTS_PRELOAD = HTTPS_ONLY
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS_ONLY else None
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "syncproject.logs.FactsFormatter",
            "format": "%(asctime)s %(levelname)s %(name)s %(message)s",
        },
    },
    "filters": {"one_line": {"()": "syncproject.outage.OneLine"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "loggers": {"django.request": {"filters": ["one_line"]}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", "INFO")},
}
