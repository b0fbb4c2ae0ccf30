"""The deployment files keep what they promise: nothing exposed, nothing as root, nothing killed too early."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

PROJECT = Path(__file__).resolve().parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
WORKERS = {name: service for name, service in SERVICES.items() if name.startswith("worker-")}
OURS = {name: service for name, service in SERVICES.items() if name not in {"postgres", "redis"}}
LONG_RUNNING = sorted(set(SERVICES) - {"migrate"})


def command(service: dict[str, Any]) -> str:
    return " ".join(service["command"])


def environment_example() -> dict[str, str]:
    lines = (PROJECT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_servers_with_data_are_out_of_reach(name: str) -> None:
    assert "ports" not in SERVICES[name]
    assert SERVICES[name]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"]["internal"] is True


def test_ports_are_published_on_loopback_only() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {"web": ["127.0.0.1:8000:8000"], "flower": ["127.0.0.1:5555:5555"]}


def test_redis_keeps_the_queue_and_asks_for_a_password() -> None:
    words = command(SERVICES["redis"])
    for option in (
        "--appendonly yes",
        "--appendfsync everysec",
        "--maxmemory-policy noeviction",
        "--maxmemory ",
    ):
        assert option in words
    assert "requirepass $$REDIS_PASSWORD" in words
    assert "--requirepass" not in words, "arguments can be read by every process"
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]


def test_redis_is_patched() -> None:
    version = SERVICES["redis"]["image"].removeprefix("redis:")
    assert tuple(map(int, version.split("."))) >= (8, 6, 3), "CVE-2025-49844, CVE-2026-23479"


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_images_are_pinned_to_a_patch_release(name: str) -> None:
    pattern = {"postgres": r"postgres:18\.\d+", "redis": r"redis:8\.\d+\.\d+"}[name]
    assert re.fullmatch(pattern, SERVICES[name]["image"])


def test_every_queue_has_a_worker_and_every_worker_one_queue() -> None:
    served = [match[1] for worker in WORKERS.values() if (match := re.search(r"-Q (\S+)", command(worker)))]
    assert sorted(served) == sorted(settings.QUEUES)


@pytest.mark.parametrize("name", sorted(WORKERS))
def test_workers_stop_at_a_page_boundary_before_they_are_killed(name: str) -> None:
    worker = WORKERS[name]
    assert worker["environment"]["REMAP_SIGTERM"] == "SIGQUIT"
    grace = int(worker["stop_grace_period"].removesuffix("s"))
    assert grace >= settings.CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT + 10
    assert "exec python" in command(worker), "a shell in between would keep the signal"
    assert "--without-gossip --without-mingle" in command(worker)


def test_flower_asks_for_a_password_and_changes_nothing() -> None:
    flower = SERVICES["flower"]
    assert flower["environment"]["FLOWER_BASIC_AUTH"].startswith("${FLOWER_BASIC_AUTH:?")
    for option in ("--read_only", "--max_tasks=10000", "--persistent=False"):
        assert option in command(flower)


def test_flower_of_the_demo_asks_for_a_password_too() -> None:
    lines = (PROJECT / "Procfile").read_text().splitlines()
    flower = next(line for line in lines if line.startswith("flower:"))
    for option in ("--address=127.0.0.1", "--read_only", "--max_tasks=10000", "${FLOWER_BASIC_AUTH:?"):
        assert option in flower


@pytest.mark.parametrize("name", ["Procfile", "Dockerfile"])
def test_gunicorn_writes_nothing_into_the_home_folder(name: str) -> None:
    assert "--no-control-socket" in (PROJECT / name).read_text()


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_services_have_a_health_check_and_come_back(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_migrations_run_once_before_everything_else() -> None:
    assert SERVICES["migrate"]["restart"] == "no"
    waiting = {name for name in OURS if name != "migrate"}
    for name in waiting:
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert SERVICES[name]["depends_on"]["postgres"] == {"condition": "service_healthy"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_containers_can_do_little(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "user" not in service, "the image's own user is not root"


def test_the_image_runs_as_an_ordinary_user_and_holds_no_compiler() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text()
    users = re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE)
    assert users
    assert users[-1] not in {"root", "0"}
    assert dockerfile.index("USER ") < dockerfile.index("CMD ")
    assert "apt-get" not in dockerfile
    assert "--only-binary :all: -r requirements.txt" in dockerfile


@pytest.mark.parametrize("name", [".env", ".local", ".venv", ".git", "tests"])
def test_the_image_gets_only_what_is_named(name: str) -> None:
    rules = (PROJECT / ".dockerignore").read_text().splitlines()
    assert rules[0] == "*"
    assert not any(rule.lstrip("!").startswith(name) for rule in rules[1:])


@pytest.mark.parametrize(
    "secret",
    ["SECRET_KEY", "FIELD_ENCRYPTION_KEYS", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "FLOWER_BASIC_AUTH"],
)
def test_secrets_have_no_default(secret: str) -> None:
    text = (PROJECT / "docker-compose.yml").read_text()
    references = re.findall(rf"\$\{{{secret}[^}}]*\}}", text)
    assert references
    assert all(reference.startswith(f"${{{secret}:?") for reference in references)
    assert environment_example()[secret] == ""


def test_every_variable_of_the_compose_file_is_explained() -> None:
    text = (PROJECT / "docker-compose.yml").read_text()
    asked = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", text))
    assert asked <= set(environment_example())
