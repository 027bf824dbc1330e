"""The fake model, which answers prompts."""

from collections.abc import Callable

from mockserver.context import Context, Tenant
from mockserver.errors import ApiError
from mockserver.replies.header import ReplyHeader
from mockserver.replies.mismatches import find_mismatches
from mockserver.replies.output import ModelOutput, write_output
from mockserver.replies.plan import ReplyPlan
from mockserver.replies.prompt import Prompt


class FakeModel:
    """The fake model: what it says is planned, or else the default.

    `new_id` returns an unused id with a prefix, for a tenant. With a `header`, requests may carry a reply.
    """

    def __init__(
        self, plan: ReplyPlan, new_id: Callable[[str, Tenant], str], header: ReplyHeader | None = None
    ) -> None:
        self._plan = plan
        self._new_id = new_id
        self._header = header

    def respond(self, context: Context, prompt: Prompt) -> ModelOutput:
        """Return what the model says to an accepted request, and note in the context where it does not fit.

        The chosen reply is used up.

        Raises:
            ControlTokenRequired: the request carries a reply without the control token.
            InvalidRequest: the request carries an invalid reply.
        """

        def new_id(prefix: str) -> str:
            return self._new_id(prefix, context.caller)

        try:
            reply = self._header.read(context.headers) if self._header else None
        except ApiError as error:
            context.findings += tuple(error.findings)
            raise
        if reply is not None:
            context.reply = "header"
        elif context.past is None:  # After a reset, the planned replies are those of another test.
            planned = self._plan.choose(prompt)
            if planned is not None:
                reply, context.reply = planned.reply, planned.id
        output = write_output(reply, prompt, new_id)
        context.notes += tuple(find_mismatches(output, prompt))
        return output
