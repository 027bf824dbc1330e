"""The response to a request that follows a response in the background: a stream of its events."""

from starlette.types import Receive, Scope, Send

from mockserver.contract.event_streams import serialise_event
from mockserver.responses.background import Background, Follower, list_events_of_ended
from mockserver.responses.connection import ClientConnection
from mockserver.store.stored_responses import StoredResponse


class FollowedStream:
    """The events of a response with a number greater than `after`, those to come included.

    Without `after`, these are all events of a response that is running, and the last one of a response that has ended.
    """

    def __init__(self, background: Background, stored: StoredResponse, after: int | None) -> None:
        self._follower = background.follow(stored, after)
        self._events = [] if self._follower is not None else list_events_of_ended(stored, after)

    async def send(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream until its end; a client that is gone leaves the response as it is."""
        async with ClientConnection(scope, receive, send) as connection:
            await connection.start_stream()
            if self._follower is not None:
                await self._send_events(connection, self._follower)
            else:
                for event in self._events:
                    await connection.send_part(serialise_event(event))
            await connection.end_stream()

    async def _send_events(self, connection: ClientConnection, follower: Follower) -> None:
        is_empty = True
        with follower:
            while not follower.has_ended:
                event = follower.next_event()
                if event is None:
                    await connection.wait_for(follower.changed)
                else:
                    is_empty = False
                    await connection.send_part(serialise_event(event))
        if is_empty:  # The stream was resumed behind the last event.
            await connection.send_part(serialise_event(follower.last_event))
