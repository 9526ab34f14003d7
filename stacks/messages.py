"""What pydantic finds wrong, said as a path, what was found and what is allowed."""

import copy
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from components.messages import any_of

Model = TypeVar("Model", bound=BaseModel)


def validated(
    model: type[Model],
    value: Mapping[str, Any],
    path: str,
    problems: list[str],
    decrypted: bool = False,
    **required: Any,
) -> Model:
    """The model of a value, what is wrong with it added to the problems.

    What is wrong is then left out, or replaced by what is given for it, so that the rest can be
    checked further. `decrypted` says whether secrets stand there in clear.
    """
    context = {"decrypted": decrypted}
    try:
        return model.model_validate(value, context=context)
    except ValidationError as error:
        found = error.errors(include_url=False)
    right = copy.deepcopy(dict(value))
    for problem in found:
        # Pydantic ends the path with [key] where a key is at fault, not its value.
        keys = [str(key) for key in problem["loc"] if key != "[key]"]
        where = ".".join([path, *keys] if path else keys)
        problems.append(f"{where}: {_explained(problem, model, where)}")
        _remove(right, keys)
    while True:
        try:
            return model.model_validate({**required, **right}, context=context)
        except ValidationError as error:
            # Nothing is complete without what it must have, and some keys need others.
            for problem in error.errors(include_url=False):
                _remove(right, [str(key) for key in problem["loc"][:-1] or problem["loc"]])


def _remove(value: Any, keys: list[str]) -> None:
    """Remove what is at a path, whose keys may be no texts; nothing if it is gone already."""
    for key in keys[:-1]:
        value = next((value[it] for it in value if str(it) == key), None) or {}
    for key in [it for it in value if str(it) == keys[-1]]:
        del value[key]


def _explained(problem: ErrorDetails, model: type[BaseModel], where: str) -> str:
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
        case "ip_any_network":
            allowed = "addresses such as 10.96.0.1/32"
        case "literal_error":
            allowed = context["expected"]
        # What was found is nobody's business.
        case "secret":
            return problem["msg"]
        case "unencrypted":
            return f"{problem['msg']}: pulumi config set --secret --path '{where}'"
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
    while get_origin(annotation) in (Annotated, dict):
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        else:
            annotation, rest = get_args(annotation)[1], rest[1:]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _keys(annotation, rest)
    return []
