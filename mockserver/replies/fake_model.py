"""The fake model, which answers prompts."""

from collections.abc import Callable

from mockserver.context import Context, Tenant
from mockserver.replies.output import ModelOutput, write_output
from mockserver.replies.plan import ReplyPlan
from mockserver.replies.prompt import Prompt


class FakeModel:
    """The fake model: what it says is planned, or else the default.

    `new_id` returns an unused id with a prefix, for a tenant.
    """

    def __init__(self, plan: ReplyPlan, new_id: Callable[[str, Tenant], str]) -> None:
        self._plan = plan
        self._new_id = new_id

    def respond(self, context: Context, prompt: Prompt) -> ModelOutput:
        """Return what the model says to an accepted request. The chosen reply is used up."""
        # After a reset, the planned replies are those of another test.
        planned = self._plan.choose(prompt) if context.past is None else None

        def new_id(prefix: str) -> str:
            return self._new_id(prefix, context.caller)

        if planned is None:
            return write_output(None, prompt, new_id)
        return write_output(planned.reply, prompt, new_id)._replace(reply=planned.id)
