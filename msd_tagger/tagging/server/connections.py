"""Connections of the server: nobody keeps one for nothing, and refusals are JSON."""

import asyncio
import json

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from msd_tagger.tagging.server.guard import HEADERS

IDLE_S = 10.0  # Without a whole request, by which uvicorn alone would wait for ever.
LINGER_S = 1.0  # After a refusal, while the rest of a request arrives.
FLUSH_S = 60.0  # How long an answer may take to be received.
MOST = 200  # Open at a time; many systems allow a process 1,024 files.


class Connection(H11Protocol):
    """A connection as uvicorn has it, which is dropped when it waits for too long.

    Its clock runs while no request is being answered: before the first, after each, and
    while a head arrives, byte by byte; and while an answer is not being received. What
    uploads is up to the application.
    """

    _clock: asyncio.TimerHandle | None = None
    _since = 0.0  # When the clock began.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins, and makes room where there are too many."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._set_clock()
        others = [one for one in self.connections if isinstance(one, Connection)]
        waiting = [one for one in others if one._clock]
        if len(others) > MOST and waiting:
            min(waiting, key=lambda one: one._since).transport.abort()

    def data_received(self, data: bytes) -> None:
        """Takes what arrives."""
        super().data_received(data)
        self._set_clock()

    def on_response_complete(self) -> None:
        """Waits for the next request."""
        super().on_response_complete()
        self._set_clock()

    def pause_writing(self) -> None:
        """Waits until the answer so far has been received."""
        super().pause_writing()
        self._set_clock()

    def resume_writing(self) -> None:
        """Goes on with the answer."""
        super().resume_writing()
        self._set_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends."""
        super().connection_lost(exc)
        self._stop_clock()

    def send_400_response(self, msg: str) -> None:
        """Refuses what is not HTTP."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            error = f"{msg.rstrip('.')}: not HTTP/1.1, or its head is too long."
            body = json.dumps({"error": error}).encode()
            headers = HEADERS | {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                "Connection": "close",
            }
            head = h11.Response(
                status_code=400, headers=[*headers.items()], reason=b"Bad Request"
            )
            for part in (head, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(part) or b"")
            # At once, what still arrives would reset the connection and the answer.
            self.loop.call_later(LINGER_S, self._drop)
        elif self.conn.our_state is not h11.MUST_CLOSE:
            self._drop()

    def _set_clock(self) -> None:
        """Lets the clock run on, or stops it where a request is being answered."""
        is_answered = self.cycle is not None and not self.cycle.response_complete
        if is_answered and not self.flow.write_paused:
            self._stop_clock()
        elif self._clock is None:
            self._since = self.loop.time()
            wait_s = FLUSH_S if is_answered else IDLE_S
            self._clock = self.loop.call_later(wait_s, self._drop)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._clock = None

    def _drop(self) -> None:
        """Closes when the last answer has been received, or after a while anyway."""
        self.transport.close()
        self.loop.call_later(FLUSH_S, self.transport.abort)
