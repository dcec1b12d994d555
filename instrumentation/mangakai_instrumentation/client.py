"""Whether the client of a request is still there."""

import anyio
from starlette.types import Message, Receive, Scope

_OF_A_BODY = {b"content-length", b"transfer-encoding"}


class Client:
    """What an application receives of a request, and whether its client has left."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.is_gone = False
        self._scope, self._receive = scope, receive
        self._kept: Message | None = None
        self._is_read = self._is_receiving = False

    async def receive(self) -> Message:
        """Receive a message for the application."""
        if message := self._kept:
            self._kept = None
            return message
        self._is_receiving = True
        try:
            return await self._next()
        finally:
            self._is_receiving = False

    async def has_left(self) -> bool:
        """Ask the server, without waiting, where nobody else does and no part of a body is on its way."""
        if self._is_receiving or (not self._is_read and any(name in _OF_A_BODY for name, _ in self._scope["headers"])):
            return self.is_gone
        if not self._is_read:
            self._kept = await self._received()
        if not self.is_gone:
            await self._received()
        return self.is_gone

    async def _received(self) -> Message | None:
        """Return what has been received already, as Starlette's Request.is_disconnected does."""
        with anyio.CancelScope() as scope:
            scope.cancel()
            return await self._next()
        return None

    async def _next(self) -> Message:
        message = await self._receive()
        self.is_gone = message["type"] == "http.disconnect"
        self._is_read = not message.get("more_body", False)
        return message
