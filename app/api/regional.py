"""Views of one region: its name in the path is checked, and made full, before anything else."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from app.api.parts import current_parts

_View = TypeVar("_View", bound=Callable[..., Any])


def in_region(view: _View) -> _View:
    """Let a view have the full name of an existing region.

    The view raises UnknownRegionError (404) for any other name.
    """

    @wraps(view)
    def checked(*args: object, region: str, **kwargs: object) -> object:
        return view(*args, region=current_parts().regions.require(region), **kwargs)

    return cast("_View", checked)
