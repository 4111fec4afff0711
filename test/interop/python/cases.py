"""Runs a script's cases, the functions named test_…, and prints a line of JSON for each."""

import asyncio
import inspect
import json
import sys
import traceback


def run(cases, *arguments):
    """Runs every case of a module's globals with the arguments: one after the other, all of them."""
    for name, case in list(cases.items()):
        if not name.startswith("test_"):
            continue
        error = None
        try:
            result = case(*arguments)
            if inspect.isawaitable(result):
                asyncio.run(_awaited(result))
        except BaseException:
            error = traceback.format_exc()
        print(json.dumps({"name": name, "error": error}), flush=True)


async def _awaited(result):
    await result


def refused(call, *phrases):
    """The exception that a call raises, which must carry the phrases."""
    try:
        call()
    except Exception as error:
        for phrase in phrases:
            assert phrase in str(error), f"{phrase!r} is not in {error!s}"
        return error
    raise AssertionError("it was not refused")


def addresses():
    """Host and port over HTTP and over gRPC, as the tests' gateway was bound."""
    return sys.argv[1], sys.argv[2]
