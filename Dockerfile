# One image for web, workers, beat and Flower: compose gives each its command.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

# A number, so that an orchestrator can see that it is not root.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin app
WORKDIR /app

# Wheels only: no compiler in the image.
COPY requirements.txt constraints.txt ./
RUN pip install --only-binary :all: -r requirements.txt

COPY . .
# Collecting static files opens no connection and reads no secret, but the settings insist on having them.
RUN DATABASE_URL=postgres://none REDIS_URL=redis://none SECRET_KEY=none FIELD_ENCRYPTION_KEYS=none \
    python manage.py collectstatic --noinput

USER 10001
EXPOSE 8000
CMD ["python", "-m", "gunicorn", "syncproject.wsgi", "--no-control-socket", "--bind", "0.0.0.0:8000", "--workers", "2", "--threads", "4", "--worker-tmp-dir", "/dev/shm"]
