"""The backend's work as the worker answers it: whatever goes wrong is an error in one sentence, with its kind."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

from .messages import Message
from .rpc import CANCELLED, FAILED, Answer, RpcError


def answered(work: Callable[[], Message]) -> Answer:
    """What ``work`` comes to, as JSON. What it needs is imported by it.

    Raises:
        ContractError: the job cannot be done as it stands.
        RpcError: it was cancelled, or could not be finished; or what it needs is not in this Python.
    """
    try:
        from .render import Cancelled, RenderError, in_one_sentence

        with in_one_sentence():
            return work().to_json()
    except ImportError as error:
        text = f"The backend's Python ({sys.executable}) lacks what it needs: {error}."
        raise RpcError(FAILED, text, kind="environment") from error
    except Cancelled:
        raise RpcError(CANCELLED, "The job was cancelled.", kind="cancelled") from None
    except RenderError as error:
        traceback.print_exception(error.__cause__ or error)
        raise RpcError(FAILED, str(error), kind=error.kind) from error
