"""The application of `bare_starlette.py`, with every request and response validated by openapi-core."""

from collections.abc import Awaitable, Callable

import bare_starlette
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


def validate(endpoint: Endpoint) -> Endpoint:
    async def call(request: Request) -> Response:
        validated_request = StarletteOpenAPIRequest(request, await request.body())
        openapi.validate_request(validated_request)
        response = await endpoint(request)
        openapi.validate_response(validated_request, StarletteOpenAPIResponse(response))
        return response

    return call


app = Starlette(
    routes=[
        Route(route.path, validate(route.endpoint), methods=list(route.methods or ()))
        for route in bare_starlette.app.routes
        if isinstance(route, Route)
    ]
)
