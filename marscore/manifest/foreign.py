"""Words that people bring from other tools, and what to write here in their place.

    mapping -> what to write: the words of curl, aria2, wget, pooch, requests, Ansible, Compose and GitHub Actions for it

The first part of what to write is the key that was meant.
"""

from __future__ import annotations

from marscore.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Meant:
    """A key of the same mapping that was meant, None where it stands elsewhere, and what to write.

    Keys with the same `where` that stand in one wrong mapping are one mistake.
    """

    key: str | None
    help: str
    where: str | None = None


_NO_KEY = "-"
#: The mapping ("" is the top) -> key and what to write -> words.
_WORDS: dict[str, dict[tuple[str, str], str]] = {
    "": {
        (
            "downloads",
            "the list of files is called downloads",
        ): "download urls url uri uris files file items links sources assets artifacts targets resources fetch entries list",
        ("output_dir", "the folder for all files is called output_dir"): "output out outdir out_dir dir directory folder dest destination "
        "output_directory output_folder download_dir save_to target_dir root prefix path",
        (
            _NO_KEY,
            "the connections of a process are execution: {threads: 8}, those of one file defaults: {threads: 4}",
        ): "concurrency parallel "
        "parallelism jobs connections max_connections max_concurrent max_concurrent_downloads concurrent num_threads thread threads",
        (_NO_KEY, "worker processes are execution: {processes: 4}"): "process workers num_workers nproc cores cpus",
        (
            _NO_KEY,
            "the rate of the whole run is execution: {max_rate: 10MiB}",
        ): "limit_rate rate_limit max_speed speed_limit bandwidth rate max_overall_download_limit",
        (_NO_KEY, "write defaults: {retry: {max_retries: 3}}"): "retries retry_count max_tries tries attempts",
        (_NO_KEY, "write defaults: {verify: false}, which trusts any server"): "insecure verify_ssl ssl_verify check_certificate "
        "no_check_certificate tls_verify ssl",
        (_NO_KEY, "write defaults: {proxies: http://proxy:8080}"): "proxy http_proxy https_proxy all_proxy",
        (_NO_KEY, 'write defaults: {auth: {username: NAME, password: "${PASSWORD}"}}'): "user username password login credentials",
        (_NO_KEY, 'write defaults: {headers: {Authorization: "Bearer ${TOKEN}"}}'): "token bearer access_token api_key",
        (
            "defaults",
            "options of all downloads stand in defaults",
        ): "default options global globals common settings shared download_defaults",
        ("execution", "how the run uses the machine stands in execution"): "config runtime engine run performance limits",
        ("name", "a label of the manifest is its name"): "title label description id project",
        ("version", "the version of the format is version: 1"): "schema schema_version format_version api_version apiversion ver",
        ("on_failure", "a program for failed runs is on_failure: [PROGRAM, ARGUMENT]"): "on_error onerror after_failure",
        ("on_success", "a program for successful runs is on_success: [PROGRAM, ARGUMENT]"): "on_finish on_complete on_done post after hook",
    },
    "entry": {
        ("checksum", 'write checksum: "{word}:HEX"'): "sha256 sha1 sha384 sha512 md5 blake2b",
        (
            "checksum",
            'write checksum: "sha256:HEX"; other algorithms are md5, sha1, sha384, sha512, blake2b',
        ): "hash digest sum integrity sha "
        "sha256sum sha512sum md5sum md5_hash hashes checksums file_hash known_hash expected_checksum sri sha_256 sha_512",
        (
            "path",
            "where the file goes, under output_dir, is its path",
        ): "output out outfile out_file filename file_name fname file target name "
        "dest destination output_filename output_file output_path save_as saveas save_to as to local_path local localpath filepath rename",
        ("path", "the folder is a part of path: FOLDER/NAME; that of all files is output_dir at the top"): "dir directory folder subdir "
        "output_dir outdir output_directory download_dir",
        ("url", "each file is an entry of its own, with one url; other addresses of the same file are its mirrors"): "urls uris links",
        ("url", "the address of the file is its url"): "uri href link source src address location download_url remote",
        ("mirrors", "other addresses of the same file are mirrors: [URL, URL]"): "mirror alternates alternatives fallback fallbacks backup "
        "backup_url alternate_urls mirror_urls",
        ("size", "the exact size of the file is its size"): "length filesize file_size bytes content_length expected_size",
    },
    "options": {
        (
            "retry",
            "write retry: {max_retries: 3}",
        ): "retries retry_count max_tries tries attempts retry_num max_retry num_retries max_attempts",
        ("retry", "write retry: {backoff: {initial: 1s}}"): "retry_delay retry_wait delay wait sleep waitretry",
        ("retry", "write retry: {statuses: [429, 503]}"): "retry_on status_forcelist retry_on_http_error retry_statuses",
        ("verify", "write verify: false, which trusts any server"): "insecure verify_ssl ssl_verify check_certificate no_check_certificate "
        "tls_verify skip_tls_verify validate_certs ssl tls k verify_tls no_verify",
        ("verify", "write verify: FILE, the path of a CA bundle"): "cacert ca_cert ca_certificate ca_bundle ca_file ca cafile",
        ("auth", 'write auth: {username: NAME, password: "${PASSWORD}"}'): "user username password passwd pass login credentials userpwd "
        "basic_auth http_user http_password http_passwd basicauth authentication",
        ("auth", "write auth: netrc"): "netrc use_netrc",
        ("headers", 'write headers: {Authorization: "Bearer ${TOKEN}"}'): "token bearer access_token api_key apikey authorization oauth",
        ("headers", 'write headers: {User-Agent: "NAME/1.0"}'): "user_agent useragent agent",
        ("headers", "write headers: {NAME: VALUE}"): "header http_headers request_headers cookie cookies referer referrer accept",
        ("proxies", "write proxies: http://proxy:8080"): "proxy http_proxy https_proxy all_proxy",
        (
            "threads",
            "the connections for one file are threads: 4; those of a process are execution: {threads: 8} at the top",
        ): "concurrency "
        "parallel jobs workers connections max_connections num_threads split max_connection_per_server segments parts chunks x thread",
        (
            "if_exists",
            "write if_exists: keep, refresh, replace or fail",
        ): "overwrite force skip_existing exists on_exists exist_ok no_clobber allow_overwrite skip_if_exists clobber",
        ("if_exists", "nothing has to be written: what an earlier run left is resumed"): "continue resume",
        ("unpack", "write unpack: true"): "extract unzip untar decompress unarchive unpack_archive extract_to unpack_to",
        ("mode", 'write mode: "0755"'): "permissions chmod executable permission perms",
        (
            "timeout",
            "write timeout: 30s, or timeout: {connect: 10s, read: 30s, total: 1h}",
        ): "connect_timeout read_timeout max_time timeouts "
        "connection_timeout request_timeout timeout_s timeout_ms timeout_seconds time_limit deadline",
        ("tags", "write tags: [WORD]"): "tag labels label groups group category",
        ("cert", "write cert: {cert: FILE, key: FILE}"): "client_cert certificate key private_key client_certificate ssl_cert",
        ("min_speed", "write min_speed: 10KiB"): "lowest_speed_limit speed_limit_min low_speed_limit lowest_speed",
        (_NO_KEY, "a rate holds for the whole run: execution: {max_rate: 10MiB} at the top"): "limit_rate rate_limit max_speed speed_limit "
        "bandwidth rate max_download_limit",
        (_NO_KEY, "requests are always GET"): "method request",
        (_NO_KEY, "parameters are a part of the url: ?NAME=VALUE"): "params query parameters",
        ("mtime", "write mtime: server or now"): "remote_time timestamp timestamping last_modified",
    },
    "execution": {
        ("threads", "the connections of a process are its threads"): "concurrency parallel jobs connections max_connections max_concurrent "
        "max_threads num_threads max_concurrent_downloads concurrent",
        ("processes", "worker processes are processes: auto, or how many"): "process workers num_workers nproc cores cpus",
        (
            "per_host",
            "connections to one host are per_host",
        ): "per_server max_connection_per_server per_domain host_limit connections_per_host",
        ("max_rate", "write max_rate: 10MiB"): "limit_rate rate_limit max_speed speed_limit bandwidth rate",
        ("deadline", "the longest time of the run is its deadline"): "timeout max_time time_limit total_timeout",
        ("fail_fast", "write fail_fast: first_failure"): "stop_on_error fail_on_error abort_on_error",
        (_NO_KEY, "write defaults: {retry: {max_retries: 3}} at the top"): "retries max_retries retry",
    },
    "retry": {
        ("max_retries", "write max_retries: 3"): "retries count max attempts limit tries times total num retry max_attempts max_tries",
        ("backoff", "write backoff: {initial: 1s, factor: 2, max: 60s}"): "delay wait sleep interval initial factor jitter retry_delay",
        ("statuses", "write statuses: [429, 503]"): "codes status on_status status_codes http_codes on status_forcelist",
    },
    "backoff": {
        ("initial", "the first wait is initial"): "start base min delay first",
        ("factor", "each wait is factor times the one before"): "multiplier exponent rate",
        ("max", "the longest wait is max"): "maximum cap limit max_delay",
    },
    "timeout": {
        ("total", "the longest time of a download is total"): "max overall all max_time",
        ("connect", "the longest wait for a connection is connect"): "connection connect_timeout open",
        ("read", "the longest wait for the next bytes is read"): "receive response idle read_timeout socket",
    },
    "auth": {
        ("username", "write username: NAME"): "user login name usr id",
        ("password", 'write password: "${PASSWORD}"'): "pass passwd pw pwd secret",
        ("scheme", "write scheme: basic, digest or auto"): "type method kind",
        (_NO_KEY, 'a token goes into headers: {Authorization: "Bearer ${TOKEN}"}'): "token bearer access_token api_key",
    },
    "checksum": {
        ("from", "the list of checksums is from: URL or path"): "url file list source href path",
        ("algorithm", "write algorithm: sha256"): "algo type alg hash",
        ("name", "what the list calls the file is its name"): "filename file as",
        (_NO_KEY, 'a known digest is text: checksum: "sha256:HEX"'): "sha256 sha1 sha384 sha512 md5 blake2b value digest hex",
    },
    "from": {("url", "where the list is, is its url"): "uri href path file link"},
    "cert": {
        ("cert", "the certificate's file is cert"): "certificate file path pem crt",
        ("key", "the file of the private key is key"): "private_key keyfile key_file",
        ("password", 'write password: "${PASSWORD}"'): "passphrase pass",
    },
    "unpack": {
        ("into", "the folder for what is unpacked is into"): "dest to dir target destination folder path directory output extract_to",
        ("strip", "write strip: 1"): "strip_components strip_components_count components skip",
        ("only", "write only: [GLOB]"): "include members files pattern match",
        ("keep", "write keep: false, which removes the archive once it is unpacked"): "delete remove delete_archive keep_archive",
    },
    "range": {
        ("from", "the first number is from"): "start begin min first",
        ("to", "the last number is to, and is included"): "end stop max last until through",
        (_NO_KEY, "numbers go up by one; others are written as a list: [0, 5, 10]"): "step by increment",
    },
    "proxies": {
        ("http", "one proxy for both schemes is proxies: http://proxy:8080"): "url proxy all both server",
        (_NO_KEY, "the environment's no_proxy is obeyed; a download without a proxy is proxies: none"): "no_proxy exclude bypass",
    },
    "cache": {
        ("dir", "the cache's folder is dir"): "path directory folder location",
        ("max_size", "write max_size: 50GiB"): "size limit maximum",
        ("link", "write link: auto, copy or hard"): "mode type method",
    },
    "headers": {},
}
#: Values that other tools know for a key -> the word here.
_VALUES: dict[str, dict[str, str]] = {
    "if_exists": {
        "replace": "overwrite force always clobber true yes delete",
        "keep": "skip ignore never no_clobber false no leave continue resume",
        "refresh": "update newer timestamp timestamping if_newer check",
        "fail": "error raise abort",
    },
    "fail_fast": {"first_failure": "true yes on always first", "never": "false no off"},
    "mtime": {"server": "remote true yes preserve", "now": "local false no current"},
    "processes": {"auto": "max all cores cpus"},
    "lane": {"auto": "curl libcurl pycurl default"},
    "http": {"1.1": "http1 http/1.1 1", "2": "http2 http/2 h2 2.0", "3": "http3 http/3 h3 3.0 quic"},
    "link": {"hard": "hardlink", "copy": "reflink clone", "auto": "symlink soft"},
    "scheme": {"basic": "http-basic basic_auth"},
    "jitter": {"full": "true yes random", "none": "false no off"},
    "version": {"1": "1.0 v1 2 3"},
}


def meant(kind: str, word: str) -> Meant | None:
    """What somebody means who writes this key into a mapping of this kind."""
    kinds = {"downloads": ("entry", "options"), "defaults": ("options",)}.get(kind, (kind,))
    word = normal(word)
    for words in (_WORDS.get(each, {}) for each in kinds):
        for (key, help_), known in words.items():
            if word in known.split():
                return Meant(None if key == _NO_KEY else key, help_.replace("{word}", word))
    return None


def meant_value(key: str, value: str) -> str | None:
    """The word that somebody means who writes this value."""
    value = value.strip().lower()
    return next((word for word, known in _VALUES.get(key, {}).items() if value in known.split()), None)


def words_of(kind: str) -> list[str]:
    """All words that are known for a mapping of this kind."""
    kinds = {"downloads": ("entry", "options"), "defaults": ("options",)}.get(kind, (kind,))
    return [word for each in kinds for known in _WORDS.get(each, {}).values() for word in known.split()]


def normal(word: str) -> str:
    """A key without what differs from tool to tool: case, hyphens, dashes in front."""
    return word.strip().lstrip("-").lower().replace("-", "_").replace(" ", "_")
