"""The scenarios, one module per theme.

To add a rule: an entry in spec/behaviours.yaml, and a function in the module of its theme:

    @scenario("conversations.delete.twice-is-404")
    def deleting_twice_answers_404(api: ApiClient) -> None:
        path = conversation_path(api.create_id())
        api.delete(path).expect_ok()
        api.delete(path).expect_error(404)

`api` calls for an end user whom nobody used before, and what it creates is deleted afterwards. A statement that only
says "is refused" is checked with `refused()`, any 4xx; the exact status is a rule of its own.

A scenario fails for nothing but what its rule says: where another rule is about the order of a list or the form of an
error, it takes any. One that checks several rules names each with `api.checks` before what checks it; what stands
before the first is what all of them need.

A rule that must hold before another can be checked is named the same way: without it the other is not checkable. A new
module of scenarios is also named in suite.py.
"""
