"""The scenarios, one module per theme.

To add a rule: an entry in spec/behaviours.yaml, and a function in the module of its theme:

    @scenario("conversations.delete.twice-is-404")
    def deleting_twice_answers_404(api: Api) -> None:
        path = conversation_path(api.create_id())
        api.delete(path).ok()
        api.delete(path).refused(404)

`api` calls for an end user whom nobody used before, and what it creates is deleted afterwards. A statement that only
says "is refused" is checked with `refused()`, any 4xx; the exact status is a rule of its own. A new module is also
named in suite.py.
"""
