"""Scenarios, one module for each theme; suite.py lists the modules.

A behaviour is an entry in spec/behaviours.yaml and a scenario in the module of its theme:

    @scenario("conversations.delete.twice-is-404")
    def deleting_twice_returns_404(api: ApiClient) -> None:
        path = conversation_path(api.create_id())
        api.delete(path).expect_ok()
        api.delete(path).expect_error(404)

`api` acts for a new end user. The conversations that it creates are deleted afterwards.

A scenario fails only for the behaviours that it names. It accepts any order of a list and any form of an error where
other behaviours define them, and any 4xx where the statement only says "is rejected".

A scenario with several behaviours calls `api.set_behaviour` before the checks of each. All of them need the steps
before the first call. A behaviour that must hold before another can be checked is set the same way: if it fails, the
other is not checkable.
"""
