"""A dispatch mode that looks at every operation after it ran, and lets it run as it would without a mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

HIDDEN_KEYS = tuple(map(torch._C._dispatch_key_parse, ("Conjugate", "Negative", "ZeroTensor")))
"""What torch excludes inside a dispatch mode: operators that make conjugates for themselves, such as linalg.pinv, give another result there."""


class Watching(TorchDispatchMode):
    """A dispatch mode that looks at every operation, or changes its result, after it ran: `after` says how."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # otherwise torch imports its compiler for this mode: a second for every fresh process
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation with the hidden keys at work again, then `after`; whatever they raise, the keys are hidden when it returns."""
        hidden = [key for key in HIDDEN_KEYS if torch._C._dispatch_tls_is_dispatch_key_excluded(key)]
        for key in hidden:
            torch._C._dispatch_tls_set_dispatch_key_excluded(key, False)
        try:
            out = self.run(func, args, kwargs or {})
            self.after(func, args, kwargs or {}, out)
        finally:
            for key in hidden:
                torch._C._dispatch_tls_set_dispatch_key_excluded(key, True)
        return out

    def run(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The operation's result."""
        return func(*args, **kwargs)

    def after(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> None:
        """Raises `NotImplementedError`: each mode has its own."""
        raise NotImplementedError
