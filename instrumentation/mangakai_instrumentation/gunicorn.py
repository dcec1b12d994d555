"""gunicorn's own lines, as JSON too: `gunicorn --logger-class mangakai_instrumentation.gunicorn.Logger`."""

from typing import Any

from gunicorn.glogging import Logger as _Logger

from . import logs


class Logger(_Logger):  # type: ignore[misc]
    """gunicorn's logger, in its arbiter and its workers."""

    def setup(self, cfg: Any) -> None:
        """Set up its loggers, at its start and when its configuration is read again."""
        super().setup(cfg)
        logs.take_over()
