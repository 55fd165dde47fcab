"""Publishers' lists as they are found in the world, and what they say of a file."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marscore.resolve.awaited import names_of
from marscore.resolve.checksum_lines import read_line
from marscore.resolve.checksum_list import ChecksumList, Missing, read_list
from marscore.resolve.model import Awaited, ListSource
from marscore.values import DIGEST_BYTES, Checksum


def digest(of: str, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, of.encode()).hexdigest()


A, B = digest("a"), digest("b")


def find(text: str, *names: str, algorithm: str | None = None, title: str = "SHA256SUMS") -> str:
    found = read_list(text.encode(), title)
    if isinstance(found, ChecksumList):
        found = found.find(names, algorithm)  # type: ignore[assignment]
    return found.message if isinstance(found, Missing) else str(found)


@pytest.mark.parametrize(
    "line",
    [
        f"{A}  a.bin",
        f"{A} *a.bin",
        f"{A.upper()}  a.bin",
        f"{A}\ta.bin",
        f"{A} a.bin",
        f"{A}  ./a.bin",
        f"{A}  dist/x86/a.bin",
        f"{A}  a.bin\r",
        f"SHA256 (a.bin) = {A}",
        f"SHA256(a.bin)= {A}",
        f"SHA2-256(./a.bin)= {A}",
        f"sha256:{A}  a.bin",
        A,
        f"{A}  -",
        f"sha256:{A}",
        f"SHA256(stdin)= {A}",
        f"\ufeff{A}  a.bin",
    ],
)
def test_lines_as_tools_write_them(line: str) -> None:
    assert find(f"{line}\n", "a.bin") == f"sha256:{A}"
    assert find(line, "a.bin") == f"sha256:{A}"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (f"{A}   a", " a"),
        (f"{A} *\ta ", "\ta "),
        (f"{A}  a ", "a "),
        (f"  {A}  a", "a"),
        (f"{A} \ta", "a"),
        (f"{A}\t\ta", "a"),
        (f"{A}\t*a", "a"),
        (f"\\{A}  a\\nb\\\\c\\r", "a\nb\\c\r"),
        (f"\\SHA256 (a\\nb) = {A}", "a\nb"),
        (f"SHA256 ( a ) = {A}", " a "),
        (f"{A}  a\\nb", "a\\nb"),
        (f"{A}  ", None),
        (f"{A}     \t", None),
        (f"sha256:{A}  ", None),
    ],
)
def test_a_name_is_what_coreutils_take_it_for(line: str, name: str | None) -> None:
    said = read_line(line)
    assert said is not None
    assert (said.name, said.hex) == (name, A)


@pytest.mark.parametrize("name", ["a\\x", "a\\", "\\"])
def test_an_escape_that_nobody_writes_names_nothing(name: str) -> None:
    assert read_line(f"\\{A}  {name}") is None


def test_blanks_at_the_ends_of_a_name_are_minded_only_where_a_name_without_them_is_there_too() -> None:
    assert find(f"{A}    a.bin\n{B}  b.bin \n", "a.bin") == f"sha256:{A}"
    assert find(f"{A}    a.bin\n{B}  b.bin \n", "b.bin") == f"sha256:{B}"
    assert find(f"{B}   a.bin\n{A}  a.bin\n", "a.bin") == f"sha256:{A}"


def test_a_line_of_blanks_takes_no_time() -> None:
    assert find(f"{A}{' ' * 8000}\n" * 100 + f"{B}  b.bin\n", "b.bin") == f"sha256:{B}"


@pytest.mark.parametrize("algorithm", sorted(DIGEST_BYTES))
def test_every_algorithm_that_a_manifest_may_name(algorithm: str) -> None:
    value = digest("a", algorithm)
    assert find(f"{algorithm.upper()} (a.bin) = {value}", "a.bin") == f"{algorithm}:{value}"
    assert find(f"{value}  a.bin", "a.bin", algorithm=algorithm) == f"{algorithm}:{value}"
    if algorithm != "blake2b":
        assert find(f"{value}  a.bin", "a.bin") == f"{algorithm}:{value}"


def test_the_name_of_a_list_tells_blake2b_from_sha512() -> None:
    value = digest("a", "blake2b")
    for title in ("B2SUMS", "a.bin.b2", "blake2bsums.txt", "x-BLAKE2"):
        assert find(f"{value}  a.bin", "a.bin", title=title) == f"blake2b:{value}"
    for title in ("SHA512SUMS", "lib-b2-1.0.tar.gz.sha512", "b2-tool"):
        assert find(f"{value}  a.bin", "a.bin", title=title) == f"sha512:{value}"


def test_of_several_algorithms_one_counts() -> None:
    text = "\n".join(f"{name.upper()} (a.bin) = {digest('a', name)}" for name in ("md5", "sha512", "sha256", "sha1"))
    assert find(text, "a.bin") == f"sha256:{A}"
    assert find(text, "a.bin", algorithm="sha512") == f"sha512:{digest('a', 'sha512')}"
    assert find(text, "a.bin", algorithm="sha384") == "has no sha384 of a.bin"
    assert find(f"SHA512 (a.bin) = {digest('a', 'sha512')}", "a.bin", algorithm="blake2b") == "has no blake2b of a.bin"


def test_a_whole_name_goes_before_the_end_of_one() -> None:
    text = f"{B}  x/a.bin\n{A}  a.bin\n"
    assert find(text, "a.bin") == f"sha256:{A}"
    assert find(text, "x/a.bin") == f"sha256:{B}"
    assert find(text, "./x/a.bin") == f"sha256:{B}"
    assert find(text, "y/a.bin", "a.bin") == f"sha256:{A}"


def test_the_end_of_a_name_counts_where_it_is_the_only_one() -> None:
    text = f"{A}  x/a.bin\n{B}  y/a.bin\n{B}  y/b.bin\n"
    assert find(text, "b.bin") == f"sha256:{B}"
    assert find(text, "a.bin") == "names a.bin in several folders, such as x/a.bin (line 1) and y/a.bin (line 2): `name` can say which"
    assert find(text, "z/b.bin") == "does not name z/b.bin"


def test_twice_the_same_is_no_contradiction_and_two_digests_are() -> None:
    assert find(f"{A}  a.bin\n{A.upper()} *a.bin\n", "a.bin") == f"sha256:{A}"
    assert find(f"# x\n{A}  a.bin\n{B}  a.bin\n", "a.bin") == "has two different sha256 digests of a.bin, in lines 2 and 3"
    assert find(f"{A}\n{B}\n", "a.bin") == "has two different sha256 digests of a.bin, in lines 1 and 2"


def test_what_is_not_named() -> None:
    assert find(f"{A}  a.bin\n{B}  b.bin\n", "c.bin") == "does not name c.bin"
    assert find(f"{A}  a.bin\n", "c.bin") == "does not name c.bin, but only a.bin: `name` can say that it is the same"
    assert find(f"{A}\n{B}  b.bin\n", "c.bin").startswith("does not name")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no checksum"),
        ("# nothing\n; here\n\n", "holds no checksum"),
        (f"{A[:-1]}  a.bin\n", "holds no checksum"),
        (f"{A}\n".replace("a", "z"), "holds no checksum"),
        (f"SHA3-256 (a.bin) = {A}", "holds no checksum"),
        (f"SHA512 (a.bin) = {A}", "holds no checksum"),
        (f"<!DOCTYPE html><html><body>{A}  a.bin</body></html>", "is an HTML page, and no list of checksums"),
        ("\n <html>\n", "is an HTML page, and no list of checksums"),
        (f"<!DOCTYPE html>\n<pre>\n{A}  a.bin\n</pre>\n", "is an HTML page, and no list of checksums"),
    ],
)
def test_what_is_no_list(text: str, why: str) -> None:
    assert find(text, "a.bin") == why


def test_comments_and_strange_lines_say_nothing() -> None:
    text = f"# {B}  a.bin\n; {B}  a.bin\nName  Hash\n{A}  a.bin\n{'x' * 10_000}\n{B[:10]}  a.bin\n"
    assert find(text, "a.bin") == f"sha256:{A}"


SIGNED = f"""{B}  a.bin
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

# Fedora: 100 bytes
SHA256 (a.bin) = {A}
- -----dashes-----
- {B}  b.bin
-----BEGIN PGP SIGNATURE-----

iQIzBAEBCAAdFiEE
{B}  c.bin
-----END PGP SIGNATURE-----
"""


def test_of_a_clearsigned_list_what_is_signed_counts() -> None:
    for text in (SIGNED, SIGNED.replace("\n", "\r\n")):
        assert find(text, "a.bin") == f"sha256:{A}"
        assert find(text, "b.bin") == f"sha256:{B}"
        assert find(text, "c.bin") == "does not name c.bin"


def test_all_texts_count_that_are_signed() -> None:
    other = SIGNED.replace("a.bin", "d.bin").replace("b.bin", "e.bin")
    for name, value in (("a.bin", A), ("b.bin", B), ("d.bin", A), ("e.bin", B)):
        assert find(f"{SIGNED}{B}  between\n{other}", name) == f"sha256:{value}"
    assert find(f"{SIGNED}{B}  between\n{other}", "between") == "does not name between"


def test_escaped_names_of_gnu() -> None:
    text = f"\\{A}  a\\nb\\\\c\\r.bin\n\\SHA256 (d\\\\e) = {B}\n{A}  f\\ng\n"
    assert find(text, "a\nb\\c\r.bin") == f"sha256:{A}"
    assert find(text, "d\\e") == f"sha256:{B}"
    assert find(text, "f\\ng") == f"sha256:{A}"


def test_utf_16_as_powershell_writes_it() -> None:
    found = read_list(f"{A}  ä.bin\r\n".encode("utf-16"), "x")
    assert isinstance(found, ChecksumList)
    assert found.find(["ä.bin"], None) == Checksum("sha256", A)


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30).filter(
    lambda name: name.strip("\n\r") == name and not name.startswith((" ", "\t", "./")) and name.strip() not in ("-", "stdin")
)


def escaped(name: str) -> tuple[str, str]:
    written = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return ("\\" if re.search(r"[\\\n\r]", name) else ""), written


@given(st.dictionaries(NAMES, st.binary(min_size=32, max_size=32).map(bytes.hex), min_size=1, max_size=5), st.sampled_from(["gnu", "tag"]))
def test_what_is_written_as_gnu_does_is_read(files: dict[str, str], style: str) -> None:
    lines = []
    for name, value in files.items():
        mark, written = escaped(name.rstrip(" \t") or "x")
        lines.append(f"{mark}{value}  {written}" if style == "gnu" else f"{mark}SHA256 ({written}) = {value}")
    found = read_list("".join(f"{line}\n" for line in lines).encode(), "SHA256SUMS")
    assert isinstance(found, ChecksumList)
    wanted = {name.rstrip(" \t") or "x": value for name, value in files.items()}
    if len(wanted) == len(files):
        for name, value in wanted.items():
            assert found.find([name], None) == Checksum("sha256", value)


@given(st.binary(max_size=300))
def test_nothing_is_too_strange(data: bytes) -> None:
    read_list(data, "list")


def test_a_long_line_takes_no_longer_than_it_is_long() -> None:
    for line in ("A (" + ") = 0" * 50_000, "a" * 100_000, f"{A} " + " " * 100_000, "-" * 100_000):
        read_list(line.encode(), "list")


def names(url: str, place: str, name: str | None = None) -> tuple[str, ...]:
    return names_of(url, Awaited(ListSource(place), None, name))


def test_what_a_list_may_call_a_file() -> None:
    assert names("https://a/x/y/f%20g.bin?k=1", "https://a/x/SHA256SUMS") == ("y/f g.bin", "f g.bin")
    assert names("https://a/x/f.bin", "https://a/x/SHA256SUMS") == ("f.bin",)
    assert names("https://a/x/y/f.bin", "https://b/x/SHA256SUMS") == ("f.bin",)
    assert names("https://a/x/y/f.bin", "SHA256SUMS") == ("f.bin",)
    assert names("https://a/x/y/f.bin", "https://a/x/SHA256SUMS", "z") == ("z",)
