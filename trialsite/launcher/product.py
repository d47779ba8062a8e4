"""The processes of the product itself: web server, worker and beat."""

from collections.abc import Callable

from trialsite.launcher import probes
from trialsite.launcher.connections import Connections
from trialsite.launcher.environment import Choices, child_environment
from trialsite.launcher.keys import Keyring
from trialsite.launcher.layout import Layout
from trialsite.launcher.supervisor import Service

WORKER_QUEUES = "celery,exports"
ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - names them, binds nothing


def product_services(
    layout: Layout, choices: Choices, keyring: Keyring, connections: Connections
) -> list[Service]:
    """Return the services of the product, which know nothing of the database's owner."""
    environment = child_environment(layout, choices, keyring) | connections.runtime

    def service(name: str, command: list[str], ready: Callable[[], bool]) -> Service:
        return Service(
            name=name,
            command=command,
            environment=environment,
            log=layout.log(name),
            directory=layout.checkout,
            ready=ready,
            patience=4.5,
        )

    return [
        service("web", web_command(layout, choices), lambda: web_is_ready(choices)),
        service("worker", worker_command(layout), _at_once),
        service("beat", beat_command(layout), _at_once),
    ]


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
    schedule = str(layout.var / "celerybeat-schedule")
    return [
        layout.tool("celery"),
        *("-A", "trialsite.celery", "beat"),
        *("-s", schedule),
        *("--pidfile", ""),
        *("--loglevel", "INFO"),
    ]


def web_is_ready(choices: Choices) -> bool:
    """Tell whether the product answers and finds everything it needs."""
    host = ANY_HOST.get(choices.host, choices.host)
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{choices.port}/healthz/ready"
    return probes.http_status(url, f"localhost:{choices.port}") == 200


def _at_once() -> bool:
    """Worker and beat have no port to ask; the supervisor notices when they die."""
    return True
