"""ASGI middleware that plants a defect between a client and the application under test."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class ApiMiddleware:
    """Changes requests and response messages of the API, once a method is overridden.

    The control API and the OpenAPI document pass unchanged.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_mock") or scope["path"] == "/openapi.json":
            await self._app(scope, receive, send)
            return

        async def send_changed(message: Message) -> None:
            await send(self.change_message(scope, message))

        await self._app(self.change_request(scope), receive, send_changed)

    def change_request(self, scope: Scope) -> Scope:
        return scope

    def change_message(self, scope: Scope, message: Message) -> Message:
        return message
