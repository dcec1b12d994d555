"""A stand-in for Grafana, in what a kubelet, the sidecars, Prometheus and the backups ask of it.

It checks the administrator's password against its SQLite database, which remembers the first one, loads datasources and
dashboards from the provisioning folders when it starts and when it is told, and asks each datasource's address with its
login and authority. It shows nothing.
"""

import configparser
import hashlib
import os
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from . import plugins, provisioning
from .provisioning import Datasource, ProvisioningError
from .web import Answer, Request, fail, say, serve

_UNAUTHORIZED = Answer(401, {"message": "Unauthorized"})
_BAD_PASSWORD = Answer(401, {"message": "Invalid username or password"})
_NOT_FOUND = Answer(404, {"message": "Not found"})


class Database:
    """grafana.db; it may be replaced from outside while this runs, so that nothing of it is kept in memory."""

    def __init__(self, file: Path, login: str, password: str) -> None:
        """Make the administrator unless there is one: another password changes nothing later.

        Raises:
            sqlite3.Error: the file cannot be made, or is no database.
        """
        self._file = file
        self._ask("CREATE TABLE IF NOT EXISTS user (login TEXT UNIQUE NOT NULL, password TEXT NOT NULL)")
        if not self._ask("SELECT 1 FROM user"):
            self._ask("INSERT INTO user VALUES (?, ?)", login, _hashed(login, password))

    def knows(self, login: str, password: str) -> bool:
        """Return whether this is the password of that user."""
        return self._ask("SELECT password FROM user WHERE login = ?", login) == [(_hashed(login, password),)]

    def _ask(self, statement: str, *values: str) -> list[Any]:
        with closing(sqlite3.connect(self._file, timeout=30)) as connection, connection:
            return connection.execute(statement, values).fetchall()


class Grafana:
    """The requests that are answered, and what is provisioned."""

    def __init__(self, database: Database, folder: Path, version: str, lost_plugins: str = "") -> None:
        """Load what is there.

        Args:
            database: of the users.
            folder: with what is provisioned.
            version: that it says it has.
            lost_plugins: why no datasource works, as their plugins do not run; "" where they do.

        Raises:
            ProvisioningError: a file is wrong.
        """
        self._database, self._folder, self._version = database, folder, version
        self._lost_plugins = lost_plugins
        self._counts: Counter[tuple[str, int]] = Counter()
        self._datasources: dict[str, Datasource] = {}
        self._dashboards: dict[str, dict[str, Any]] = {}
        for kind in ("datasources", "dashboards"):
            self._load(kind)

    def _load(self, kind: str) -> None:
        if kind == "datasources":
            self._datasources = provisioning.datasources(self._folder / kind)
            say(f"datasources: {', '.join(self._datasources) or 'none'}")
        else:
            self._dashboards = provisioning.dashboards(self._folder / kind) or self._dashboards
            say(f"dashboards: {', '.join(self._dashboards) or 'none'}")

    def respond(self, request: Request) -> Answer:
        """Answer a request and count it."""
        answer = self._answer(request)
        self._counts[request.method, answer.status] += 1
        return answer

    def _answer(self, request: Request) -> Answer:
        login = request.login()
        if request.path == "/api/health":
            self._database.knows("", "")
            return Answer(200, {"database": "ok", "version": self._version})
        if request.path == "/metrics":
            return Answer(200, self._metrics().encode(), "text/plain; version=0.0.4; charset=utf-8")
        if login is None:
            return _UNAUTHORIZED
        if not self._database.knows(*login):
            return _BAD_PASSWORD
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["api", "search"]:
                return Answer(
                    200,
                    [
                        {"uid": uid, "title": one["title"], "url": f"/d/{uid}", "type": "dash-db"}
                        for uid, one in self._dashboards.items()
                    ],
                )
            case "GET", ["api", "datasources"]:
                return Answer(200, [one.public() for one in self._datasources.values()])
            case "GET", ["api", "datasources", "uid", _, "health"] if self._lost_plugins:
                return Answer(404, {"message": self._lost_plugins, "messageId": "plugin.notRegistered"})
            case "GET", ["api", "datasources", "uid", uid, "health"] if uid in self._datasources:
                wrong = self._datasources[uid].check()
                return Answer(400 if wrong else 200, {"status": "ERROR" if wrong else "OK", "message": wrong})
            case "POST", ["api", "admin", "provisioning", ("datasources" | "dashboards") as kind, "reload"]:
                # What cannot be loaded is a 500 with the reason, and what was there stays.
                self._load(kind)
                return Answer(200, {"message": f"{kind} config reloaded"})
        return _NOT_FOUND

    def _metrics(self) -> str:
        lines = [f'grafana_build_info{{edition="oss",version="{self._version}"}} 1']
        for (method, status), count in sorted(self._counts.items()):
            labels = f'handler="/api/*",method="{method}",slo_group="high-fast",status_code="{status}"'
            labels += ',status_source="server"'
            lines.append(f"grafana_http_request_duration_seconds_count{{{labels}}} {count}")
        return "\n".join(lines) + "\n"


def _hashed(login: str, password: str) -> str:
    return hashlib.sha256(f"{login}:{password}".encode()).hexdigest()


def main() -> None:
    """Provision what is there and answer until SIGTERM; exit where Grafana would."""
    environment = os.environ
    try:
        ini = configparser.ConfigParser(interpolation=None, strict=False)
        ini.read_string("[DEFAULT]\n" + Path(environment["GF_PATHS_CONFIG"]).read_text())
        index = environment.get("GF_UNIFIED_STORAGE_INDEX_PATH", f"{environment['GF_PATHS_DATA']}/unified-search")
        Path(index).mkdir(parents=True, exist_ok=True)
        login, password = (environment.get(f"GF_SECURITY_ADMIN_{name}", "admin") for name in ("USER", "PASSWORD"))
        database = Database(Path(environment["GF_PATHS_DATA"], "grafana.db"), login, password)
        provisioned, lost = Path(environment["GF_PATHS_PROVISIONING"]), plugins.lost(ini)
        grafana = Grafana(database, provisioned, environment["GRAFANA_VERSION"], lost)
    except (OSError, configparser.Error) as error:
        fail(f"Failed to parse grafana.ini, or cannot write: {error}")
    except sqlite3.Error as error:
        fail(f"Error: failed to connect to database in {environment['GF_PATHS_DATA']}: {error}")
    except ProvisioningError as error:
        fail(f"Error: provisioning: {error}")
    serve("0.0.0.0", ini.getint("server", "http_port", fallback=3000), grafana.respond)  # noqa: S104


if __name__ == "__main__":
    main()
