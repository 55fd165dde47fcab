"""The types of the manifest's fields, for pydantic: what `fields` reads and checks, their limits, and how an editor is told.

Each is an Annotated type whose before-validator does the reading.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from marscore.manifest.fields import (
    MAX_DURATION,
    MAX_SIZE,
    check_argv,
    check_checksum,
    check_each_name,
    check_header_name,
    check_headers,
    check_list_file,
    check_tag,
    check_url,
    check_username,
    check_variable_name,
    read_algorithm,
    read_argument,
    read_duration,
    read_each_value,
    read_header_value,
    read_list,
    read_mode,
    read_number,
    read_password,
    read_processes,
    read_proxy,
    read_size,
    read_text,
    read_verify,
    read_version,
    read_whole,
    read_word,
    read_yes_no,
)
from marscore.manifest.mirrors import check_base, check_mirrors, check_prefix
from marscore.values import FailureKind, HttpVersion


class Also:
    """Adds to a field's JSON Schema what its before-validator takes besides the type that it makes."""

    def __init__(self, *schemas: dict[str, Any]) -> None:
        self._schemas = schemas

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [handler(core), *self._schemas]}


class Shown:
    """Replaces a field's JSON Schema."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return dict(self._schema)


#: A name to be filled in, where a number is wanted.
REFERENCE = {"type": "string", "pattern": r"\$\{"}
_TEXT = {"type": ["string", "number", "boolean"]}

Text: TypeAlias = Annotated[str, BeforeValidator(read_text), Shown(_TEXT)]
Url: TypeAlias = Annotated[str, BeforeValidator(read_text), AfterValidator(check_url), Shown({"type": "string"})]
Proxy: TypeAlias = Annotated[str, BeforeValidator(read_proxy), Shown({"type": "string"})]
Whole: TypeAlias = Annotated[int, BeforeValidator(read_whole), Also(REFERENCE)]
Count: TypeAlias = Annotated[int, Field(ge=0), BeforeValidator(read_whole), Also(REFERENCE)]
Connections: TypeAlias = Annotated[int, Field(ge=1, le=64), BeforeValidator(read_whole), Also(REFERENCE)]
PerHost: TypeAlias = Annotated[int, Field(ge=1, le=4096), BeforeValidator(read_whole), Also(REFERENCE)]
Status: TypeAlias = Annotated[int, Field(ge=400, le=599), BeforeValidator(read_whole), Also(REFERENCE)]
Processes: TypeAlias = Annotated[
    int | Literal["auto"],
    BeforeValidator(read_processes),
    Shown({"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": 64}, REFERENCE]}),
]
Factor: TypeAlias = Annotated[float, Field(ge=1, le=1000), BeforeValidator(read_number), Also(REFERENCE)]
_SIZE_TEXT = {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*([kKMGTP]i?)?B?\s*$"}
_DURATION_TEXT = {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d)?\s*$"}
#: A duration, where it stands for a mapping of them.
DURATION: tuple[dict[str, Any], ...] = ({"type": "number", "exclusiveMinimum": 0}, _DURATION_TEXT, REFERENCE)
Size: TypeAlias = Annotated[int, Field(ge=0, le=MAX_SIZE), BeforeValidator(read_size), Also(_SIZE_TEXT, REFERENCE)]
Rate: TypeAlias = Annotated[int, Field(ge=1, le=MAX_SIZE), BeforeValidator(read_size), Also(_SIZE_TEXT, REFERENCE)]
Memory: TypeAlias = Annotated[int, Field(ge=1024, le=2**40), BeforeValidator(read_size), Also(_SIZE_TEXT, REFERENCE)]
Duration: TypeAlias = Annotated[float, Field(ge=0, le=MAX_DURATION), BeforeValidator(read_duration), Also(_DURATION_TEXT, REFERENCE)]
Limit: TypeAlias = Annotated[float, Field(gt=0, le=MAX_DURATION), BeforeValidator(read_duration), Also(_DURATION_TEXT, REFERENCE)]
Verify: TypeAlias = Annotated[bool | str, BeforeValidator(read_verify), Shown({"type": ["boolean", "string"]})]
Version: TypeAlias = Annotated[Literal[1], BeforeValidator(read_whole)]
Tag: TypeAlias = Annotated[str, BeforeValidator(read_text), AfterValidator(check_tag), Shown(_TEXT)]
Username: TypeAlias = Annotated[str, BeforeValidator(read_text), AfterValidator(check_username), Shown(_TEXT)]
Password: TypeAlias = Annotated[str, BeforeValidator(read_password), Shown(_TEXT)]
ChecksumText: TypeAlias = Annotated[str, BeforeValidator(read_text), AfterValidator(check_checksum), Shown({"type": "string"})]
Algorithm: TypeAlias = Annotated[Literal["md5", "sha1", "sha256", "sha384", "sha512", "blake2b"], BeforeValidator(read_algorithm)]
HeaderName: TypeAlias = Annotated[str, BeforeValidator(read_word), AfterValidator(check_header_name)]
HeaderValue: TypeAlias = Annotated[str, BeforeValidator(read_header_value), Shown(_TEXT)]
Headers: TypeAlias = Annotated[dict[HeaderName, HeaderValue | None], AfterValidator(check_headers)]
EachName: TypeAlias = Annotated[str, BeforeValidator(read_word), AfterValidator(check_each_name)]
EachValue: TypeAlias = Annotated[str, BeforeValidator(read_each_value), Shown(_TEXT)]
VariableName: TypeAlias = Annotated[
    str, BeforeValidator(read_text), AfterValidator(check_variable_name), Shown({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"})
]
Argument: TypeAlias = Annotated[str, BeforeValidator(read_argument), Shown(_TEXT)]
Argv: TypeAlias = Annotated[tuple[Argument, ...], Field(min_length=1), AfterValidator(check_argv)]
MirrorPrefix: TypeAlias = Annotated[str, BeforeValidator(read_text), AfterValidator(check_prefix)]
MirrorBase: TypeAlias = Annotated[str, BeforeValidator(read_text), AfterValidator(check_base), Shown({"type": "string"})]
MirrorBases: TypeAlias = Annotated[tuple[MirrorBase, ...], Field(min_length=1), BeforeValidator(read_list), Also({"type": "string"})]
Mirrors: TypeAlias = Annotated[dict[MirrorPrefix, MirrorBases], AfterValidator(check_mirrors)]
AuthScheme: TypeAlias = Annotated[Literal["basic", "digest", "auto"], BeforeValidator(read_word)]
Kind: TypeAlias = Annotated[FailureKind, BeforeValidator(read_word)]
IfExists: TypeAlias = Annotated[Literal["keep", "refresh", "replace", "fail"], BeforeValidator(read_word)]
Mode: TypeAlias = Annotated[int, BeforeValidator(read_mode), Shown({"type": "string", "pattern": r"^(0o?)?[4-7][0-7]{2}$|\$\{"})]
Mtime: TypeAlias = Annotated[Literal["server", "now"], BeforeValidator(read_word)]
Strip: TypeAlias = Annotated[int, Field(ge=0, le=100), BeforeValidator(read_whole), Also(REFERENCE)]
Glob: TypeAlias = Annotated[str, BeforeValidator(read_text), Shown(_TEXT)]
YesNo: TypeAlias = Annotated[bool, BeforeValidator(read_yes_no)]
FailFast: TypeAlias = Annotated[Literal["never", "first_failure"], BeforeValidator(read_word)]
Lane: TypeAlias = Annotated[Literal["auto", "requests"], BeforeValidator(read_word)]
Http: TypeAlias = Annotated[HttpVersion, BeforeValidator(read_version), Shown({"enum": ["auto", "1.1", "2", "3", 1.1, 2, 3]})]
ListFile: TypeAlias = Annotated[str, BeforeValidator(read_text), AfterValidator(check_list_file), Shown({"type": "string"})]
OnBadRow: TypeAlias = Annotated[Literal["fail", "skip"], BeforeValidator(read_word)]
CacheLink: TypeAlias = Annotated[Literal["auto", "copy", "hard"], BeforeValidator(read_word)]
CacheMatch: TypeAlias = Annotated[Literal["url", "digest"], BeforeValidator(read_word)]
PrivateAddresses: TypeAlias = Annotated[Literal["allow", "refuse"], BeforeValidator(read_word)]
Jitter: TypeAlias = Annotated[Literal["full", "none"], BeforeValidator(read_word)]
