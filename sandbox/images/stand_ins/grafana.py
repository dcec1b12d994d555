"""A stand-in for Grafana, in what a kubelet, the sidecars, Prometheus and the backups ask of it.

It checks the administrator's password against its SQLite database, which remembers the first one, loads datasources and
dashboards from the provisioning folders, again when it is told or a file changes, and asks each datasource's address
with its login and authority. It shows nothing.
"""

import configparser
import functools
import hashlib
import json
import os
import secrets
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from . import datasources
from .dashboards import Provider
from .dashboards import providers as read_providers
from .datasources import Datasource, ProvisioningError
from .web import Answer, Request, fail, say, serve

_SCHEMA = """
CREATE TABLE IF NOT EXISTS user (
    id INTEGER PRIMARY KEY, login TEXT UNIQUE NOT NULL, password BLOB NOT NULL, salt BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS data_source (
    id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, uid TEXT UNIQUE NOT NULL, model TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS dashboard (
    id INTEGER PRIMARY KEY, uid TEXT UNIQUE NOT NULL, title TEXT NOT NULL, provider TEXT NOT NULL, data TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1);
"""
_UNAUTHORIZED = Answer(401, {"message": "Unauthorized", "messageId": "session.token.missing", "statusCode": 401})
_BAD_PASSWORD = Answer(401, {"message": "Invalid username or password", "messageId": "password-auth.failed"})
_NOT_FOUND = Answer(404, {"message": "Not found"})


class Database:
    """grafana.db; it may be replaced from outside while this runs, so that nothing of it is kept in memory."""

    def __init__(self, file: Path) -> None:
        """Make the tables that are missing.

        Raises:
            sqlite3.Error: the file cannot be made, or is no database.
        """
        self._file = file
        with closing(sqlite3.connect(file, timeout=30)) as connection, connection:
            connection.executescript(_SCHEMA)

    def ask(self, statement: str, *values: object) -> list[Any]:
        """Run one statement in a transaction of its own and return its rows."""
        with closing(sqlite3.connect(self._file, timeout=30)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def add_administrator(self, login: str, password: str) -> None:
        """Make the administrator unless there is one: another password in the environment changes nothing later."""
        if not self.ask("SELECT 1 FROM user"):
            salt = secrets.token_bytes(16)
            statement = "INSERT INTO user (login, password, salt) VALUES (?, ?, ?)"
            self.ask(statement, login, _hashed(password, salt), salt)

    def knows(self, login: str, password: str) -> bool:
        """Return whether this is the password of that user."""
        rows = self.ask("SELECT password, salt FROM user WHERE login = ?", login)
        return bool(rows) and secrets.compare_digest(rows[0][0], _hashed(password, rows[0][1]))


class Grafana:
    """The requests that are answered, and what is provisioned."""

    def __init__(self, database: Database, provisioning: Path, version: str) -> None:
        self._database, self._folder, self._version = database, provisioning, version
        self._datasources: dict[str, Datasource] = {}
        self._providers: list[Provider] = []
        self._counts: Counter[tuple[str, str, int]] = Counter()
        self._lock = threading.Lock()

    def provision_datasources(self) -> None:
        """Read the files anew and write what they hold to the database.

        Raises:
            ProvisioningError: a file is wrong; what was there stays.
        """
        with self._lock:
            found = datasources.read(self._folder / "datasources")
            for one in found.values():
                self._write_datasource(one)
            self._datasources = found
        say(f"datasources: {', '.join(found) or 'none'}")

    def _write_datasource(self, one: Datasource) -> None:
        statement = (
            "INSERT INTO data_source (name, uid, model) VALUES (?, ?, ?) "
            "ON CONFLICT (name) DO UPDATE SET uid = excluded.uid, model = excluded.model"
        )
        try:
            self._database.ask(statement, one.name, one.uid, json.dumps(one.public()))
        except sqlite3.IntegrityError as error:
            raise ProvisioningError(f"another datasource has the uid {one.uid} of {one.name}: {error}") from None

    def provision_dashboards(self) -> None:
        """Read the providers and their dashboards anew.

        Raises:
            ProvisioningError: the file of a provider is wrong.
        """
        with self._lock:
            self._providers = read_providers(self._folder / "dashboards")
            for provider in self._providers:
                self._write_dashboards(provider)

    def _write_dashboards(self, provider: Provider) -> None:
        """Write a provider's dashboards; where two files have one uid, nothing of it is written."""
        found = provider.read()
        if found is None:
            return
        there = dict(self._database.ask("SELECT uid, data FROM dashboard WHERE provider = ?", provider.name))
        for uid, dashboard in found.items():
            data = json.dumps(dashboard, sort_keys=True)
            if there.get(uid) != data:
                self._database.ask(
                    "INSERT INTO dashboard (uid, title, provider, data) VALUES (?, ?, ?, ?) ON CONFLICT (uid) "
                    "DO UPDATE SET title = excluded.title, provider = excluded.provider, data = excluded.data, "
                    "version = version + 1",
                    uid,
                    dashboard["title"],
                    provider.name,
                    data,
                )
                say(f"dashboard {uid}: saved")
        if not provider.keeps:
            for uid in there.keys() - found.keys():
                self._database.ask("DELETE FROM dashboard WHERE uid = ?", uid)
                say(f"dashboard {uid}: deleted, for its file is gone")

    def watch_dashboards(self) -> None:
        """Look for changed dashboards as often as the providers say; never returns."""
        while True:
            time.sleep(min([provider.seconds for provider in self._providers] or [10]))
            try:
                self.provision_dashboards()
            except (ProvisioningError, sqlite3.Error) as error:
                say(f"dashboards: {error}")

    def respond(self, request: Request) -> Answer:
        """Answer a request and count it."""
        handler, answer = self._route(request)
        self._counts[handler, request.method, answer.status] += 1
        return answer

    def _route(self, request: Request) -> tuple[str, Answer]:
        match request.method, request.path:
            case "GET", "/api/health":
                return request.path, self._health()
            case "GET", "/metrics":
                return request.path, Answer(200, self._metrics().encode(), "text/plain; version=0.0.4; charset=utf-8")
            case "GET", "/login":
                return request.path, Answer(200, b"<title>Grafana</title>Stand-in of Grafana\n", "text/html")
            case "POST", "/login":
                return request.path, self._log_in(request)
            case "GET", "/":
                return request.path, Answer(302, {}, headers={"Location": "/login"})
        login = request.login()
        if login is None:
            return "/api/*", _UNAUTHORIZED
        if not self._database.knows(*login):
            return "/api/*", _BAD_PASSWORD
        return self._of_the_administrator(request, login[0])

    def _health(self) -> Answer:
        try:
            self._database.ask("SELECT 1 FROM user")
        except sqlite3.Error as error:
            return Answer(503, {"database": "failing", "error": str(error), "version": self._version})
        return Answer(200, {"database": "ok", "version": self._version})

    def _log_in(self, request: Request) -> Answer:
        try:
            form = json.loads(request.body)
            known = self._database.knows(form["user"], form["password"])
        except (ValueError, KeyError, TypeError):
            return Answer(400, {"message": "bad login data"})
        return Answer(200, {"message": "Logged in"}) if known else _BAD_PASSWORD

    def _of_the_administrator(self, request: Request, login: str) -> tuple[str, Answer]:
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["api", "user"]:
                return "/api/user", Answer(200, {"login": login, "isGrafanaAdmin": True})
            case "GET", ["api", "search"]:
                return "/api/search", Answer(200, self._search(request.query.get("query", "")))
            case "GET", ["api", "dashboards", "uid", uid]:
                return "/api/dashboards/uid/:uid", self._dashboard(uid)
            case "GET", ["api", "datasources"]:
                rows = self._database.ask("SELECT model FROM data_source ORDER BY name")
                return "/api/datasources", Answer(200, [json.loads(model) for (model,) in rows])
            case "GET", ["api", "datasources", "uid", uid]:
                rows = self._database.ask("SELECT model FROM data_source WHERE uid = ?", uid)
                answer = Answer(200, json.loads(rows[0][0])) if rows else _NOT_FOUND
                return "/api/datasources/uid/:uid", answer
            case "GET", ["api", "datasources", "uid", uid, "health"]:
                return "/api/datasources/uid/:uid/health", self._datasource_health(uid)
            case _, ["api", "datasources", "proxy", "uid", uid, *rest]:
                return "/api/datasources/proxy/uid/:uid/*", self._proxied(request, uid, "/".join(rest))
            case "POST", ["api", "admin", "provisioning", "datasources", "reload"]:
                return request.path, self._reload(self.provision_datasources, "Datasources")
            case "POST", ["api", "admin", "provisioning", "dashboards", "reload"]:
                return request.path, self._reload(self.provision_dashboards, "Dashboards")
        return "notfound", _NOT_FOUND

    def _reload(self, provision: Callable[[], None], what: str) -> Answer:
        try:
            provision()
        except (ProvisioningError, sqlite3.Error) as error:
            say(f"{what}: {error}")
            return Answer(500, {"message": str(error)})
        return Answer(200, {"message": f"{what} config reloaded"})

    def _search(self, query: str) -> list[dict[str, Any]]:
        rows = self._database.ask("SELECT id, uid, title, data FROM dashboard ORDER BY title")
        return [
            {
                "id": id_,
                "uid": uid,
                "title": title,
                "url": f"/d/{uid}",
                "type": "dash-db",
                "tags": json.loads(data).get("tags", []),
            }
            for id_, uid, title, data in rows
            if query.lower() in title.lower()
        ]

    def _dashboard(self, uid: str) -> Answer:
        rows = self._database.ask("SELECT data, version, provider FROM dashboard WHERE uid = ?", uid)
        if not rows:
            return Answer(404, {"message": "Dashboard not found"})
        data, version, provider = rows[0]
        meta = {"provisioned": True, "provisionedExternalId": provider, "canSave": False, "version": version}
        return Answer(200, {"dashboard": {**json.loads(data), "version": version}, "meta": meta})

    def _datasource_health(self, uid: str) -> Answer:
        source = self._by_uid(uid)
        if source is None:
            return _NOT_FOUND
        status, text = source.check()
        healthy = status == 200
        message = f"{source.url} answers {status}: {text[:300]}" if status else text
        return Answer(200 if healthy else 400, {"status": "OK" if healthy else "ERROR", "message": message})

    def _proxied(self, request: Request, uid: str, path: str) -> Answer:
        source = self._by_uid(uid)
        if source is None:
            return _NOT_FOUND
        kind = request.headers.get("Content-Type", "application/json")
        status, text = source.ask(request.method, path, request.query, request.body, kind)
        return Answer(status or 502, text.encode())

    def _by_uid(self, uid: str) -> Datasource | None:
        return next((source for source in self._datasources.values() if source.uid == uid), None)

    def _metrics(self) -> str:
        name = "grafana_http_request_duration_seconds"
        lines = [f'grafana_build_info{{edition="oss",version="{self._version}"}} 1', f"# TYPE {name} histogram"]
        for (handler, method, status), count in sorted(self._counts.items()):
            source = "downstream" if "proxy" in handler else "server"
            labels = f'handler="{handler}",method="{method}",slo_group="high-fast",status_code="{status}"'
            labels += f',status_source="{source}"'
            lines += [f'{name}_bucket{{{labels},le="+Inf"}} {count}', f"{name}_count{{{labels}}} {count}"]
        return "\n".join(lines) + "\n"


@functools.lru_cache(maxsize=16)
def _hashed(password: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 10_000)


def read(file: Path) -> configparser.ConfigParser:
    """Return grafana.ini; exit where Grafana would."""
    ini = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        ini.read_string("[DEFAULT]\n" + file.read_text())
    except OSError as error:
        fail(f"Failed to parse {file}: {error.strerror}")
    except configparser.Error as error:
        fail(f"Failed to parse {file}: {error}")
    return ini


def setting(ini: configparser.ConfigParser, section: str, key: str, default: str) -> str:
    """Return a setting; the variable GF_<SECTION>_<KEY> goes before the file."""
    variable = f"GF_{section}_{key}".upper().replace(".", "_")
    return os.environ.get(variable) or ini.get(section, key, fallback=default) or default


def main() -> None:
    """Provision what is there and answer until SIGTERM."""
    environment = os.environ
    ini = read(Path(environment["GF_PATHS_CONFIG"]))
    data = Path(environment["GF_PATHS_DATA"])
    index = environment.get("GF_UNIFIED_STORAGE_INDEX_PATH", str(data / "unified-search" / "bleve"))
    try:
        Path(index).mkdir(parents=True, exist_ok=True)
        database = Database(data / "grafana.db")
        login = setting(ini, "security", "admin_user", "admin")
        database.add_administrator(login, setting(ini, "security", "admin_password", "admin"))
        grafana = Grafana(database, Path(environment["GF_PATHS_PROVISIONING"]), environment["GRAFANA_VERSION"])
        grafana.provision_datasources()
        grafana.provision_dashboards()
    except OSError as error:
        fail(f"Error: cannot write to {error.filename}: {error.strerror}")
    except sqlite3.Error as error:
        fail(f"Error: failed to connect to database {data / 'grafana.db'}: {error}")
    except ProvisioningError as error:
        fail(f"Error: provisioning: {error}")
    threading.Thread(target=grafana.watch_dashboards, daemon=True).start()
    port = int(setting(ini, "server", "http_port", "3000"))
    serve(setting(ini, "server", "http_addr", "0.0.0.0"), port, grafana.respond)  # noqa: S104


if __name__ == "__main__":
    main()
