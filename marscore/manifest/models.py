"""The manifest as pydantic models: the one place that says which options there are.

An option that was not written is None, so that `defaults` and a download can be merged by key; what holds where neither says
anything is decided in `resolve`. Every option has a description below it, which editors show from the JSON Schema (`schema`); its
examples and default stand in `described`.

This file is longer than the house's 300 lines, since all options are to be read in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    Tag,
    ValidationError,
    ValidationInfo,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError
from typing_extensions import Self

from marscore.manifest import field_types as f
from marscore.manifest import short
from marscore.manifest.fields import is_elsewhere, read_list
from marscore.manifest.output import check_output
from marscore.manifest.plain import PlainEntry
from marscore.public import public_fields

_ONE_TEXT = {"type": "string"}

#: The context of a validation whose errors are told in words of this tool.
QUOTING = object()


class Model(BaseModel):
    """Frozen, closed, and with null meaning the same as not written."""

    # Not use_attribute_docstrings: pydantic reads the source for them at every start, which takes longer than all else about the models.
    # A wrong value is not quoted by pydantic's own errors, since it may be a secret.
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """What pydantic, and tools that write down variables, make representations of."""
        return public_fields((name or "", value) for name, value in super().__repr_args__())

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and None in data.values():
            return {key: value for key, value in data.items() if value is not None}
        return data


class Timeout(Model):
    """How long to wait for an origin."""

    connect: f.Limit | None = None
    """Longest wait for a connection (30s)."""
    read: f.Limit | None = None
    """Longest wait for the next bytes (30s)."""
    total: f.Limit | None = None
    """Longest time for the whole download, retries included (no limit)."""


class Backoff(Model):
    """How long to wait before a retry: initial * factor ** n, at most max."""

    initial: f.Duration | None = None
    """Wait before the first retry (500ms)."""
    factor: f.Factor | None = None
    """What each further wait is multiplied by (2)."""
    max: f.Duration | None = None
    """Longest wait (60s)."""
    jitter: f.Jitter | None = None
    """full draws each wait at random between zero and its length, so that many clients do not return in step; none does not (full)."""


class Retry(Model):
    """When to try again, and how often."""

    max_retries: f.Count | None = None
    """Retries after the first try, for every kind of failure that max_retries_by does not name; progress starts the count anew (3)."""
    max_retries_by: dict[f.Kind, f.Count] | None = None
    """Retries for single kinds of failure, such as rate_limited, server_error, timeout, connection, dns, truncated or checksum."""
    statuses: tuple[f.Status, ...] | None = None
    """HTTP statuses that are answered by a retry; others from 400 on fail at once (408, 425, 429, 500, 502, 503, 504, 520 to 524, 529)."""
    backoff: Backoff | None = None
    """How long to wait before a retry."""
    max_retry_after: f.Duration | None = None
    """The longest Retry-After that is obeyed; a longer one fails the download (5m)."""


class Proxies(Model):
    """The proxy for each scheme."""

    http: f.Proxy | None = None
    """Proxy for http URLs, or none for a direct connection."""
    https: f.Proxy | None = None
    """Proxy for https URLs, or none for a direct connection."""


class Auth(Model):
    """User name and password."""

    username: f.Username | None = None
    """User name."""
    password: f.Password | None = None
    """Password; best taken from the environment, as ${PASSWORD} (empty, as where the user name is a token)."""
    scheme: f.AuthScheme | None = None
    """basic sends both with every request; digest proves that they are known; auto waits for what the server asks for (basic)."""


class Certificate(Model):
    """A client certificate in PEM files."""

    cert: f.Text
    """Path of the certificate."""
    key: f.Text | None = None
    """Path of its private key, where the certificate's file does not hold it."""
    password: f.Password | None = None
    """Password of the private key, where it is encrypted; best taken from the environment, as ${PASSWORD}."""


class Unpack(Model):
    """What is done with an archive once it is in place: tar, plain or as gz, bz2, xz or zst, and zip."""

    into: f.Text | None = None
    """Folder for its entries, under output_dir (the archive's path without its suffixes)."""
    strip: f.Strip | None = None
    """Leading parts that the names of entries lose; entries without so many are left out (0)."""
    only: Annotated[tuple[f.Glob, ...], BeforeValidator(read_list), f.Also(_ONE_TEXT)] | None = None
    """Globs of names in the archive; whatever none of them names, or has below it, is left out (all)."""
    keep: f.YesNo | None = None
    """Whether the archive stays once it is unpacked; one that went still counts as there (true)."""

    @field_validator("into")
    @classmethod
    def _stays_inside(cls, into: str | None, info: ValidationInfo) -> str | None:
        # A template is checked once it is filled in.
        if into is not None and "{" not in into:
            check_output(into)
        return into


NO_RANGE = "must be a list of values, or a mapping with from and to"


class Range(Model):
    """Whole numbers from one to another, both included."""

    from_: f.Whole = Field(alias="from")
    """First number."""
    to: f.Whole
    """Last number."""

    @model_validator(mode="before")
    @classmethod
    def _is_range(cls, data: Any) -> Any:
        if not isinstance(data, Mapping | Range):
            raise ValueError(NO_RANGE)
        return data

    @field_validator("to")
    @classmethod
    def _counts_up(cls, to: int, info: ValidationInfo) -> int:
        if to < info.data.get("from_", to):
            raise ValueError("must not be less than from")
        return to


class ListSource(Model):
    """Where a publisher's list of checksums is."""

    url: f.Text
    """URL of the list, or its path relative to the manifest's own folder; {url} stands for the download's URL, {name} for names in each."""
    mirrors: tuple[f.Text, ...] | None = None
    """Other URLs of the same list, asked in this order when the first one fails."""
    checksum: Annotated[tuple[f.ChecksumText, ...], BeforeValidator(read_list), f.Also(_ONE_TEXT)] | None = None
    """What the list itself must have: algorithm:hex or sha256-BASE64."""


class PublishedChecksum(Model):
    """A checksum that a publisher's list names: SHA256SUMS, file.sha256 and the like."""

    from_: Annotated[ListSource, BeforeValidator(short.list_source), f.Also(_ONE_TEXT)] | None = Field(default=None, alias="from")
    """URL or path of the list, or a mapping with url, mirrors and the list's checksum. Each is fetched once a run (that of defaults)."""
    algorithm: f.Algorithm | None = None
    """Which of several digests counts: md5, sha1, sha256, sha384, sha512 or blake2b (what the list says, or the digest's length)."""
    name: f.Text | None = None
    """What the list calls the file (the last part of the URL's path)."""


_FROM = frozenset({"from", "form", "frm", "fom", "froms", "from_"})

# Which of a union's two types a value is for; `problems` takes these tags out of the paths again.


def _list_or_range(value: object) -> str:
    return "(one)" if isinstance(value, list | tuple) else "(mapping)"


def _word_or_mapping(value: object) -> str:
    return "(mapping)" if isinstance(value, Mapping | Auth) else "(one)"


def _no_or_mapping(value: object) -> str:
    return "(mapping)" if isinstance(value, Mapping | Unpack) else "(one)"


def _text_or_mapping(value: object) -> str:
    return "(mapping)" if isinstance(value, Mapping | PublishedChecksum) else "(one)"


def _entry_or_list(value: object) -> str:
    is_list = isinstance(value, ListEntry) or (isinstance(value, Mapping) and names_a_file_of_rows(value))
    return "(list)" if is_list else "(entry)"


def names_a_file_of_rows(keys: Iterable[object]) -> bool:
    """Whether an entry with these keys has `from`, maybe misspelt: read as a download, every column that it names would be wrong too."""
    return any(isinstance(key, str) and key.lower() in _FROM for key in keys)


def _unless_plain(value: object, handler: Callable[[object], object]) -> object:
    return value if type(value) is PlainEntry else handler(value)


def _entry(value: object) -> object:
    if isinstance(value, str):
        return {"url": value}
    if isinstance(value, Mapping | DownloadEntry | ListEntry):
        return value
    raise ValueError("must be a URL, or a mapping with url")


AuthWord: TypeAlias = Annotated[Literal["netrc", "none"], BeforeValidator(short.auth_word), Tag("(one)")]
AnyAuth: TypeAlias = Annotated[AuthWord | Annotated[Auth, Tag("(mapping)")], Discriminator(_word_or_mapping)]
AnyUnpack: TypeAlias = Annotated[
    Annotated[Literal[False], Tag("(one)")] | Annotated[Unpack, Tag("(mapping)")],
    Discriminator(_no_or_mapping),
    BeforeValidator(short.unpack),
]
Values: TypeAlias = Annotated[tuple[f.EachValue, ...], Field(min_length=1), Tag("(one)")]
Argv: TypeAlias = Annotated[f.Argv, BeforeValidator(short.argv)]
EachOf: TypeAlias = Annotated[Values | Annotated[Range, Tag("(mapping)")], Discriminator(_list_or_range)]


OneChecksum: TypeAlias = Annotated[
    Annotated[f.ChecksumText, Tag("(one)")] | Annotated[PublishedChecksum, Tag("(mapping)")], Discriminator(_text_or_mapping)
]
_Checksums: TypeAlias = Annotated[tuple[OneChecksum, ...], BeforeValidator(read_list), f.Also(_ONE_TEXT), Tag("(one)")]
AnyChecksum: TypeAlias = Annotated[_Checksums | Annotated[PublishedChecksum, Tag("(mapping)")], Discriminator(_text_or_mapping)]


class DownloadOptions(Model):
    """How to fetch: what `defaults` and a download both take."""

    headers: f.Headers | None = None
    """Header fields of every request, sent to the URL's own origin only; null removes one that defaults set."""
    forward_headers: tuple[f.HeaderName, ...] | None = None
    """Names of headers that a redirect may carry to another origin; all others stay at the URL's own (none)."""
    threads: f.Connections | None = None
    """Most connections for one file (4)."""
    timeout: Annotated[Timeout, BeforeValidator(short.ends), f.Also(*f.DURATION)] | None = None
    """How long to wait: one duration for connect and read, or a mapping (30s)."""
    retry: Retry | None = None
    """When to try again, and how often."""
    proxies: Annotated[Proxies, BeforeValidator(short.schemes), f.Also(_ONE_TEXT)] | None = None
    """One proxy URL, one for each scheme, or none for direct connections (those of the environment)."""
    auth: AnyAuth | None = None
    """User name and password, netrc to look them up in ~/.netrc, or none (none)."""
    verify: f.Verify | None = None
    """Whether to check the server's certificate: true, false, or the path of a CA bundle to check it with (true)."""
    cert: Annotated[Certificate, BeforeValidator(short.cert), f.Also(_ONE_TEXT)] | None = None
    """Client certificate: the path of a PEM file, or a mapping with cert and key."""
    min_speed: f.Size | None = None
    """Bytes a second; slower than this for 30 s counts as a failure of kind too_slow (no limit)."""
    max_size: f.Size | None = None
    """Never write more than this, whatever the server says (no limit)."""
    if_exists: f.IfExists | None = None
    """What to do about a file that is there: keep it if it is right, refresh it from the server, replace it, or fail (keep)."""
    mode: f.Mode | None = None
    """Permission bits of the finished file in octal, as text: "0755" (what the user's umask gives)."""
    mtime: f.Mtime | None = None
    """Modification time of the finished file: the server's Last-Modified where it gives one, or now, when it was written (server)."""
    unpack: Annotated[AnyUnpack, f.Also({"type": "boolean"})] | None = None
    """Unpack the file once it is in place: true, false, or a mapping that says how (false)."""
    tags: tuple[f.Tag, ...] | None = None
    """Words by which --only finds this download."""


class DownloadEntry(DownloadOptions):
    """One file, or with `each` many of them."""

    from_: ClassVar[None] = None

    # First, since the validators of the templates ask whether there is one.
    each: Annotated[dict[f.EachName, EachOf], Field(min_length=1)] | None = None
    """Makes one entry many downloads: names, each with a list of values or {from, to}, written {name} in url, path and so on."""
    url: f.Url
    """Where the file is."""
    path: f.Text | None = None
    """Where it goes, under output_dir, with / between its parts (the last part of the URL's path)."""
    mirrors: tuple[f.Url, ...] | None = None
    """Other URLs of the same file, asked in this order when the first one fails."""
    checksum: AnyChecksum | None = None
    """algorithm:hex with md5, sha1, sha256, sha384, sha512 or blake2b, or sha256-BASE64; {from: LIST}; or a list of them, all must hold."""
    size: f.Size | None = None
    """Exact size of the file; a mismatch fails before the body is read."""

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str | None, info: ValidationInfo) -> str | None:
        # A template is checked once it is filled in.
        if path is not None and info.data.get("each") is None:
            check_output(path)
        return path


class RowSource(Model):
    """Where a file of rows is, and how it is asked for where it is elsewhere."""

    url: f.ListFile
    """Path relative to the manifest's own folder, or URL of http, https, s3, gs or az; its name ends as that of a file of rows does."""
    checksum: Annotated[tuple[f.ChecksumText, ...], BeforeValidator(read_list), f.Also(_ONE_TEXT)] | None = None
    """What the file itself must have: algorithm:hex or sha256-BASE64."""
    headers: f.Headers | None = None
    """Header fields of its requests. Of those of downloads and defaults it gets User-Agent, and what forward_headers names."""
    auth: AnyAuth | None = None
    """User name and password for it, netrc, or none; it gets none of downloads and defaults (none)."""
    max_size: f.Size | None = None
    """Most bytes that the file may have; a larger one ends the run before its rows are read (4GiB)."""

    @model_validator(mode="after")
    def _is_asked_for(self) -> RowSource:
        given = next((name for name in ("checksum", "headers", "auth", "max_size") if getattr(self, name) is not None), None)
        if given is not None and not is_elsewhere(self.url):
            raise ValueError(f"must be a URL where it has {given}: a file of this machine is read as it is")
        if given in ("headers", "auth") and not self.url.lower().startswith(("http:", "https:")):
            raise ValueError(f"must have no {given}, as an object store's own variables (AWS_ACCESS_KEY_ID, ...) say who asks")
        if isinstance(self.auth, Auth) and self.auth.username is None:
            raise ValueError("must have a username in auth")
        return self


class ListEntry(DownloadOptions):
    """The downloads of a file's rows, of a table or of JSON Lines. As the only entry, it may stand for the list of downloads."""

    each: ClassVar[None] = None

    from_: Annotated[RowSource, BeforeValidator(short.list_source), f.Also(_ONE_TEXT)] = Field(alias="from")
    """Path or URL of a file (.csv, .tsv, .jsonl, .ndjson, also with .gz; .parquet), or a mapping; each row is a download."""
    url: f.Text
    """The column that holds the URLs; or a template with names of columns in braces, as in https://example.com/{id}.bin."""
    path: f.Text | None = None
    """Template of the path under output_dir; {key} is a hash of the URL, {key:2} its beginning (the last part of the URL's path)."""
    mirrors: tuple[f.Text, ...] | None = None
    """Columns or templates of other URLs of the same file."""
    checksum: AnyChecksum | None = None
    """Column of algorithm:hex or sha256-BASE64; or a template such as sha256:{digest}; {from: LIST}; or a list of them, all must hold."""
    size: f.Text | None = None
    """The column that holds the exact sizes."""
    on_bad_row: f.OnBadRow = "fail"
    """What a row does in which something is wrong: fail ends all before anything starts, skip makes a failed download of it."""


AnyEntry: TypeAlias = Annotated[
    Annotated[DownloadEntry, Tag("(entry)")] | Annotated[ListEntry, Tag("(list)")], Discriminator(_entry_or_list)
]


class Execution(Model):
    """How the whole run uses the machine and the network."""

    processes: f.Processes = "auto"
    """Worker processes: auto, or how many; 1 starts no child process."""
    threads: f.Connections = 8
    """Connections that one process may hold open."""
    per_host: f.PerHost = 16
    """Connections to one host and port, over all processes."""
    max_rate: f.Rate | None = None
    """Bytes a second for the whole run (no limit)."""
    buffer_size: f.Memory = 10 * 1024 * 1024
    """Most bytes that one file may hold in memory, over its threads."""
    chunk_size: f.Memory = 1024 * 1024
    """Bytes of one read from a socket, at most buffer_size."""
    deadline: f.Limit | None = None
    """Longest time for the whole run (no limit)."""
    lane: f.Lane = "auto"
    """What speaks HTTP: auto, libcurl where it is installed, else requests; or requests."""
    http: f.Http = "auto"
    """Versions of HTTP: auto is HTTP/2 where TLS negotiates it, for files that take one request, and 1.1 elsewhere; or 1.1, 2 or 3."""
    fail_fast: f.FailFast = "never"
    """Whether the first failure ends the run: never or first_failure."""

    @field_validator("chunk_size")
    @classmethod
    def _at_most_buffer(cls, chunk: int, info: ValidationInfo) -> int:
        if chunk > info.data.get("buffer_size", chunk):
            raise ValueError("must not be more than buffer_size")
        return chunk

    @field_validator("http")
    @classmethod
    def _is_spoken(cls, http: str, info: ValidationInfo) -> str:
        if http in ("2", "3") and info.data.get("lane") == "requests":
            raise ValueError("must be auto or 1.1 with lane: requests, which speaks nothing else")
        return http

    @model_validator(mode="after")
    def _chunk_fits(self) -> Execution:
        if "chunk_size" not in self.model_fields_set:
            # The model is frozen to its readers; here it is still being made.
            object.__setattr__(self, "chunk_size", min(self.chunk_size, self.buffer_size))
        return self


class Security(Model):
    """What servers may not make the run do."""

    private_addresses: f.PrivateAddresses = "allow"
    """Whether a redirect may lead to a loopback, private or otherwise not public address: allow or refuse."""


class Cache(Model):
    """A cache of finished files by their sha256, shared by runs and manifests."""

    dir: f.Text | None = None
    """Its folder, relative to the manifest's own (the platform's folder for caches)."""
    link: f.CacheLink = "auto"
    """How files get to their places: auto shares blocks where the file system can, else copies; copy; hard makes links (auto)."""
    match: f.CacheMatch = "url"
    """url: for a URL that brought this digest before, so that no changed URL passes with an old checksum; digest: for any (url)."""
    max_size: f.Size | None = None
    """Bytes that are kept; what was used longest ago goes first, at the end of a run (no limit)."""


class Defaults(DownloadOptions):
    """Options of every download that does not say otherwise; mappings are merged by key."""

    checksum: PublishedChecksum | None = None
    """The list that names the checksum of every download that has none of its own."""


class Manifest(Model):
    """What to download, and how."""

    @model_validator(mode="wrap")
    @classmethod
    def _without_input(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        """What pydantic's errors hold of the input may be a secret: only who quotes it with care is given it (`QUOTING`)."""
        try:
            return handler(data)
        except ValidationError as error:
            if info.context is QUOTING:
                raise
            lines: list[InitErrorDetails] = [
                {"type": PydanticCustomError(one["type"], one["msg"]), "loc": one["loc"], "input": "***"}
                for one in error.errors(include_url=False, include_input=False)
            ]
            raise ValidationError.from_exception_data(error.title, lines, hide_input=True) from None

    version: f.Version
    """Version of this format: 1."""
    name: f.Text | None = None
    """A label for log and report."""
    output_dir: f.Text = "output"
    """Folder for the files, relative to the manifest's own; or an object store's bucket and prefix: s3://bucket/prefix, gs:// or az://."""
    public: Annotated[tuple[f.VariableName, ...], BeforeValidator(read_list), f.Also(_ONE_TEXT)] = ()
    """Names of variables of the environment whose values are no secrets and may be shown, such as REGION (those that stand in a path)."""
    execution: Execution = Execution()
    """How the whole run uses the machine and the network."""
    cache: Cache | None = None
    """Where finished files are kept for other runs and manifests (nowhere)."""
    mirrors: f.Mirrors = {}
    """Prefixes of URLs and what they are asked at instead, in this order; the URL itself only if it is among them (no others)."""
    security: Security = Security()
    """What servers may not make the run do."""
    on_success: Argv | None = None
    """A program and its arguments, run once, without a shell, when every download is in place and the report is written (none)."""
    on_failure: Argv | None = None
    """The same, when a download has failed or the machine stood in the way (none)."""
    defaults: Defaults = Defaults()
    """Options of every download that does not say otherwise."""
    downloads: tuple[Annotated[AnyEntry, BeforeValidator(_entry), f.Also(_ONE_TEXT), WrapValidator(_unless_plain)], ...]
    """The files: bare URLs, or mappings with url and options."""
