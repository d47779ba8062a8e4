"""Asks servers whether they answer, with nothing but sockets."""

import http.client
import socket
import struct
from urllib.parse import urlsplit

TIMEOUT = 2.0
MAX_TEXT = 4096
PROTOCOL_3 = 196608
STARTING_UP = b"57P03"


def postgres_answers(host: str, port: int) -> bool:
    """Tell whether PostgreSQL takes connections; one still recovering does not count."""
    parameters = b"user\0trialsite_probe\0database\0postgres\0\0"
    packet = struct.pack("!ii", len(parameters) + 8, PROTOCOL_3) + parameters
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT) as connection:
            connection.sendall(packet)
            answer = connection.recv(1024)
    except OSError:
        return False
    return bool(answer) and STARTING_UP not in answer


def valkey_answers(host: str, port: int, password: str | None) -> bool:
    """Tell whether Valkey or Redis answers a PING (one still loading its data does not)."""
    login = f"AUTH {password}\r\n" if password else ""
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT) as connection:
            connection.sendall(f"{login}PING\r\n".encode())
            stream = connection.makefile("rb")
            answers = [stream.readline() for _ in range(2 if password else 1)]
    except OSError:
        return False
    return answers[-1].strip() == b"+PONG"


def http_answer(url: str, host_header: str | None = None) -> tuple[int, str]:
    """Return status and text a GET is answered with; status 0 where nothing answers."""
    target = urlsplit(url)
    connection = http.client.HTTPConnection(
        target.hostname or "127.0.0.1", target.port or 80, timeout=5
    )
    # The proxy says the same; without it a production server would answer by a redirect.
    headers = {"X-Forwarded-Proto": "https"}
    if host_header:
        headers["Host"] = host_header
    try:
        connection.request("GET", target.path or "/", headers=headers)
        response = connection.getresponse()
        return response.status, response.read(MAX_TEXT).decode("utf-8", errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


def port_is_free(host: str, port: int) -> bool:
    """Tell whether a server could listen here."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((host, port))
            candidate.listen(1)
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port of 127.0.0.1 that nothing listens on at the moment."""
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        return int(candidate.getsockname()[1])
