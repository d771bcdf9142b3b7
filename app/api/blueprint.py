"""flask-smorest's blueprint with types, and with our way to read requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

from flask_smorest import Blueprint
from marshmallow import Schema

from app.api.parsing import StrictParser

_View = TypeVar("_View", bound=Callable[..., Any])
_Described = type[Schema] | Mapping[str, Any] | None


class ApiBlueprint(Blueprint):  # type: ignore[misc]  # flask-smorest has no type hints
    """The resources of one module."""

    ARGUMENTS_PARSER = StrictParser()

    def arguments(self, schema: type[Schema], **options: Any) -> Callable[[_View], _View]:  # noqa: ANN401
        """Read and check the body, or with ``location`` another part of the request."""
        return cast("Callable[[_View], _View]", super().arguments(schema, **options))

    def response(
        self,
        status_code: int,
        schema: _Described = None,
        **options: Any,  # noqa: ANN401
    ) -> Callable[[_View], _View]:
        """Describe the usual answer."""
        return cast("Callable[[_View], _View]", super().response(status_code, schema, **options))

    def alt_response(self, status_code: int, **options: Any) -> Callable[[_View], _View]:  # noqa: ANN401
        """Describe another answer."""
        return cast("Callable[[_View], _View]", super().alt_response(status_code, **options))

    def doc(self, **members: Any) -> Callable[[_View], _View]:  # noqa: ANN401
        """Add to the description as it is."""
        return cast("Callable[[_View], _View]", super().doc(**members))
