"""Database and broker: servers that are given, else servers of our own."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from trialsite.launcher import probes
from trialsite.launcher.account import unprivileged_account
from trialsite.launcher.binaries import find_postgres, find_valkey
from trialsite.launcher.connections import (
    ADMIN,
    DATABASE,
    ROLES,
    Connections,
    check_database_url,
    database_urls,
    server_of,
)
from trialsite.launcher.errors import LauncherError
from trialsite.launcher.keys import Keyring
from trialsite.launcher.layout import Layout
from trialsite.launcher.ports import Ports
from trialsite.launcher.postgres import SUPERUSER, Cluster
from trialsite.launcher.postgres_home import home_link, reachable, settle
from trialsite.launcher.progress import step
from trialsite.launcher.supervisor import Service, Supervisor
from trialsite.launcher.valkey import ValkeyServer


@dataclass(frozen=True)
class Stores:
    """Where an installation keeps its data."""

    layout: Layout
    keyring: Keyring
    given: Mapping[str, str]
    durable: bool = True

    def start(self, supervisor: Supervisor) -> Connections:
        """Start the servers that are not given, check the given ones, return the addresses."""
        self._check_given()
        cluster = None if self.given.get("DATABASE_URL") else self._cluster()
        valkey = None if self.given.get("REDIS_URL") else self._valkey()
        services: list[Service] = []
        if cluster:
            with step("Database files"):
                cluster.prepare()
            services.append(cluster.service())
        if valkey:
            valkey.prepare()
            services.append(valkey.service())
        if services:
            with step(" and ".join(service.name for service in services)):
                supervisor.start_tier(services)
        return self._connections(cluster, valkey)

    def running(self) -> Connections:
        """Return the addresses of the servers another launcher already started."""
        ports = Ports(self.layout.run)
        database = self.given.get("DATABASE_URL") or self._own_url(ports.recorded("postgres"))
        broker = self.given.get("REDIS_URL") or self._own_redis(ports.recorded("valkey"))
        given = self.given if self.given.get("DATABASE_URL") else self._own_given(database)
        return Connections(database_urls(database, self.keyring, given), broker, None)

    def _cluster(self) -> Cluster:
        account = unprivileged_account(home_link(self.layout.var))
        home = settle(self.layout.var, account, durable=self.durable)
        return Cluster(
            home=home,
            binaries=reachable(find_postgres(self.layout), home),
            account=account,
            port=Ports(self.layout.run).claim("postgres"),
            password=self.keyring.get("postgres_password"),
            log=self.layout.log("postgres"),
            durable=self.durable,
        )

    def _valkey(self) -> ValkeyServer:
        return ValkeyServer(
            program=find_valkey(self.layout),
            directory=self.layout.var / "valkey",
            port=Ports(self.layout.run).claim("valkey"),
            password=self.keyring.get("valkey_password"),
            log=self.layout.log("valkey"),
        )

    def _connections(self, cluster: Cluster | None, valkey: ValkeyServer | None) -> Connections:
        redis = valkey.url if valkey else self.given["REDIS_URL"]
        if cluster is None:
            urls = database_urls(self.given["DATABASE_URL"], self.keyring, self.given)
            return Connections(urls, redis, None)
        base = self._own_url(cluster.port)
        urls = database_urls(base, self.keyring, self._own_given(base))
        return Connections(urls, redis, cluster.identity)

    def _own_given(self, base: str) -> dict[str, str]:
        """Name the superuser of our own cluster; addresses of another server do not apply."""
        password = self.keyring.get("postgres_password")
        server = base.rpartition("@")[2].partition("/")[0]
        return {ADMIN: f"postgresql://{SUPERUSER}:{password}@{server}/postgres"}

    def _own_url(self, port: int | None) -> str:
        password = self.keyring.get("trialsite_app_password")
        return f"postgresql://trialsite_app:{password}@127.0.0.1:{port}/{DATABASE}"

    def _own_redis(self, port: int | None) -> str:
        return f"redis://:{self.keyring.get('valkey_password')}@127.0.0.1:{port}/0"

    def _check_given(self) -> None:
        database, broker = self.given.get("DATABASE_URL"), self.given.get("REDIS_URL")
        if not database and any(self.given.get(name) for name in ROLES if name != "DATABASE_URL"):
            raise LauncherError(
                "A DATABASE_*_URL is given but DATABASE_URL is not: give it too, or none of them."
            )
        if database:
            check_database_url(database)
            server = server_of(database, 5432)
            if server and not probes.postgres_answers(*server):
                raise LauncherError(f"Nothing answers at DATABASE_URL ({server[0]}:{server[1]}).")
        if broker:
            server = server_of(broker, 6379)
            password = unquote(urlsplit(broker).password or "") or None
            plain = urlsplit(broker).scheme == "redis"
            if plain and server and not probes.valkey_answers(*server, password):
                raise LauncherError(
                    f"REDIS_URL ({server[0]}:{server[1]}) does not answer, or refuses its password."
                )
