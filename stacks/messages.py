"""What pydantic finds wrong, said as a path, what was found and what is allowed."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)


def validated(
    model: type[Model], value: Mapping[str, Any], path: str, problems: list[str], **required: Any
) -> Model:
    """The model of a value, what is wrong with it added to the problems.

    What is wrong is then left out, or replaced by what is given for it, so that the rest can be
    checked further.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False)
    for problem in found:
        # Pydantic ends the path with [key] where a key is at fault, not its value.
        parts = [path, *(str(part) for part in problem["loc"])]
        where = ".".join(part for part in parts if part not in ("", "[key]"))
        problems.append(f"{where}: {_explained(problem, model)}")
    wrong = {problem["loc"][0] for problem in found}
    right = {key: item for key, item in value.items() if key not in wrong}
    return model.model_validate({**required, **right})


def _explained(problem: ErrorDetails, model: type[BaseModel]) -> str:
    context, found = problem.get("ctx", {}), problem["input"]
    match problem["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            keys = _keys(model, problem["loc"][:-1])
            return f"is no key here, allowed is {any_of(keys, str(problem['loc'][-1]))}"
        case "int_type":
            allowed = "a whole number"
        case "bool_type":
            allowed = "true or false"
        case "string_type" | "string_too_short":
            allowed = "text"
        case "dict_type" | "model_type" | "model_attributes_type":
            allowed = "a mapping"
        case "greater_than_equal":
            allowed = f"at least {context['ge']}"
        case "less_than_equal":
            allowed = f"at most {context['le']}"
        case "string_pattern_mismatch":
            allowed = f"text that matches {context['pattern']}"
        case "string_too_long":
            allowed = f"at most {context['max_length']} characters"
        case "literal_error":
            allowed = context["expected"]
        case "value_error":
            return f"found {found!r}, {context['error']}"
        case _:
            allowed = problem["msg"]
    return f"found {found!r}, allowed is {allowed}"


def _keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys that the model has at a path."""
    aliases = {field.alias or name: field for name, field in model.model_fields.items()}
    if not path:
        return list(aliases)
    annotation = aliases[str(path[0])].annotation if path[0] in aliases else None
    rest = path[1:]
    if get_origin(annotation) is dict:
        annotation, rest = get_args(annotation)[1], rest[1:]
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _keys(annotation, rest)
    return []


def any_of(allowed: Iterable[str], found: str = "") -> str:
    allowed = list(allowed)
    near = get_close_matches(found, allowed, n=1)
    return ", ".join(allowed) + (f"; did you mean {near[0]}?" if near else "")
