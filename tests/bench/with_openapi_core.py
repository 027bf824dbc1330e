"""The yardstick of `bare.py`, each request and each answer checked by openapi-core."""

from collections.abc import Awaitable, Callable

import bare
from openapi_core import OpenAPI
from openapi_core.contrib.starlette.requests import StarletteOpenAPIRequest
from openapi_core.contrib.starlette.responses import StarletteOpenAPIResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mockserver.contract.document import load_document

Endpoint = Callable[[Request], Awaitable[Response]]

openapi = OpenAPI.from_dict(load_document())


def checked(endpoint: Endpoint) -> Endpoint:
    async def call(request: Request) -> Response:
        asked = StarletteOpenAPIRequest(request, await request.body())
        openapi.validate_request(asked)
        response = await endpoint(request)
        openapi.validate_response(asked, StarletteOpenAPIResponse(response))
        return response

    return call


app = Starlette(
    routes=[
        Route(route.path, checked(route.endpoint), methods=list(route.methods or ()))
        for route in bare.app.routes
        if isinstance(route, Route)
    ]
)
