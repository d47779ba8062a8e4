"""The processes of the product itself: web server, worker and beat."""

from dataclasses import replace

from trialsite.launcher import probes
from trialsite.launcher.connections import Connections
from trialsite.launcher.environment import Choices, child_environment
from trialsite.launcher.keys import Keyring
from trialsite.launcher.layout import Layout
from trialsite.launcher.supervisor import Service

OK = 200
WORKER_QUEUES = "celery,exports"
ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - names them, binds nothing


def product_services(
    layout: Layout, choices: Choices, keyring: Keyring, connections: Connections
) -> list[Service]:
    """Return the services of the product, which know nothing of the database's owner."""
    environment = child_environment(layout, choices, keyring) | connections.runtime

    def service(name: str, command: list[str]) -> Service:
        return Service(
            name=name,
            command=command,
            environment=environment,
            log=layout.log(name),
            directory=layout.checkout,
            ready=_at_once,
            patience=4.0,
        )

    web = replace(
        service("web", web_command(layout, choices)),
        ready=lambda: readiness(choices)[0] == OK,
        explain=lambda: f"It says: {readiness(choices)[1]}",
    )
    worker = service("worker", worker_command(layout))
    return [web, worker, service("beat", beat_command(layout))]


def web_command(layout: Layout, choices: Choices) -> list[str]:
    """Return the command line of the web server."""
    return [
        layout.tool("granian"),
        *("--interface", "wsgi"),
        *("--host", choices.host),
        *("--port", str(choices.port)),
        *("--workers", "2"),
        *("--blocking-threads", "4"),
        "--respawn-failed-workers",
        *("--respawn-interval", "0.5"),
        *("--workers-kill-timeout", "3"),
        "--no-ws",
        "trialsite.wsgi:application",
    ]


def worker_command(layout: Layout) -> list[str]:
    """Return the command line of the worker, which also takes the queue of long exports."""
    return [
        layout.tool("celery"),
        *("-A", "trialsite.celery", "worker"),
        *("-Q", WORKER_QUEUES),
        *("-n", "worker@%h"),
        *("--concurrency", "2"),
        *("--prefetch-multiplier", "1"),
        *("-O", "fair"),
        *("--loglevel", "INFO"),
    ]


def beat_command(layout: Layout) -> list[str]:
    """Return the command line of the scheduler."""
    return [
        layout.tool("celery"),
        *("-A", "trialsite.celery", "beat"),
        *("-s", str(layout.beat_schedule)),
        *("--pidfile", ""),
        *("--loglevel", "INFO"),
    ]


def readiness(choices: Choices) -> tuple[int, str]:
    """Ask the product whether it finds everything it needs; it answers 200, or says what not."""
    host = ANY_HOST.get(choices.host, choices.host)
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{choices.port}/healthz/ready"
    return probes.http_answer(url, f"localhost:{choices.port}")


def _at_once() -> bool:
    """Worker and beat have no port to ask; the supervisor notices when they die."""
    return True
