"""Lists in other programs' formats, written in the shape of real ones: what becomes of each, and what is said of the rest."""

from __future__ import annotations

import os

import pytest

from marscore.lists.imported import import_list
from marscore.lists.model import ListError
from marscore.resolve.expand import load

A, B = "a1" * 32, "b2" * 32
MD5 = "0f" * 16


def imported(text, name="list", form=None, base=None, secrecy="named", environment=None):
    """The downloads of the manifest that a list becomes, by path, the warnings, and how many entries are missing."""
    made = import_list(text, name, form, base, secrecy)
    if not made.downloads:
        return {}, list(made.warnings), made.left_out
    _, downloads = load("".join(made.text), "m.yaml", environment or {})
    assert len(downloads) == made.downloads
    return {download.path: download for download in downloads}, list(made.warnings), made.left_out


def sums(download):
    return [str(checksum) for checksum in download.checksums]


def test_a_list_of_urls_is_taken_line_by_line():
    text = "\ufeff# models\nhttps://e.com/a.zip\r\n\n  https://e.com/dir/b%20c.zip   # not now\nhttps://e.com/a.zip\n"
    found, warnings, left_out = imported(text)
    assert [d.url for d in found.values()] == ["https://e.com/a.zip", "https://e.com/dir/b%20c.zip"]
    assert list(found) == ["a.zip", "b c.zip"]
    assert warnings == ["list:5: says the same as line 2"]
    assert left_out == 0


def test_what_a_list_of_urls_cannot_have_is_left_out_at_its_line():
    text = "https://e.com/a\nhttps://e.com/b x\nftp://e.com/c\nhttps://e.com/\nhttps://e.com/x/a\nhttps://e.com/..%2fup\nhttps://e.com/ok\n"
    found, warnings, left_out = imported(text, form="urls")
    assert list(found) == ["a", "ok"]
    assert left_out == 5
    assert [line.split(": ")[0] for line in warnings] == ["list:2", "list:3", "list:4", "list:5", "list:6"]
    assert "the same file as line 1" in warnings[3]


def test_dollars_and_braces_of_a_list_mean_themselves():
    found, _, _ = imported("https://e.com/$HOME/${A}/{i}/$$x.bin\n", environment={"A": "wrong", "HOME": "wrong"})
    assert [d.url for d in found.values()] == ["https://e.com/$HOME/${A}/{i}/$$x.bin"]


def test_an_aria2_input_file_has_mirrors_and_options():
    text = (
        "# images\n"
        "https://a.e.com/x.iso\thttps://b.e.com/x.iso\tftp://c.e.com/x.iso\n"
        "  dir=./images/\n"
        "  out=sub/y.iso\n"
        f"  checksum=sha-256={A.upper()}\n"
        "  header=X-One: 1\n  header=X-One: 2\n  header=Accept: */*\n"
        "  # a comment\n"
        "  split=16\n  max-connection-per-server=3\n  connect-timeout=5\n  all-proxy=http://proxy:80\n  lowest-speed-limit=20K\n"
        "  max-download-limit=1M\n  continue=true\n  bt-seed=1\n  nonsense\n"
        "https://a.e.com/z.iso https://b.e.com/z.iso\n"
    )
    found, warnings, left_out = imported(text)
    x, z = found["images/sub/y.iso"], found["z.iso"]
    assert x.sources == ("https://a.e.com/x.iso", "https://b.e.com/x.iso")
    assert sums(x) == [f"sha256:{A}"]
    assert dict(x.options.headers) == {"X-One": "1, 2", "Accept": "*/*"}
    assert (x.options.threads, x.options.min_speed, x.options.timeouts.connect) == (3, 20480, 5)
    assert x.options.proxies is not None
    assert x.options.proxies.https == "http://proxy:80"
    assert z.sources == ("https://a.e.com/z.iso", "https://b.e.com/z.iso")
    assert left_out == 0
    assert [line.split(": ")[0] for line in warnings] == ["list:2", "list:15", "list:17", "list:18"]


@pytest.mark.parametrize("folder", ["/etc", "..", "a/../../b", "C:/x"])
def test_a_folder_outside_is_not_taken_and_a_name_outside_leaves_the_entry_out(folder):
    text = f"https://e.com/a\n  dir={folder}\nhttps://e.com/b\n  out=../b\nhttps://e.com/c\n  out=/etc/c\n"
    found, warnings, left_out = imported(text)
    assert list(found) == ["a"]
    assert left_out == 2
    assert warnings[0].startswith("list:2: the folder is not taken")


def test_options_below_what_was_left_out_belong_to_nothing():
    found, warnings, left_out = imported("ftp://e.com/a\n  out=x\nhttps://e.com/b\n", form="aria2")
    assert list(found) == ["b"]
    assert left_out == 1
    assert len(warnings) == 2


def test_a_config_of_curl_has_sections():
    text = (
        '# two files\nurl = "https://e.com/a?x=1&y=\\"q\\""\noutput = "dir/a b.bin"\n--url https://e.com/b\n-O\n'
        'header = "Accept: x/y"\n-H "X-Empty;"\nuser-agent: probe/1\n-sSL\ncompressed\nmax-time = 60\nretry 4\n'
        "next\nurl=e.com/c.bin\n-o./c.bin\ncookie a=b\nproxy = proxy:3128\nlimit-rate = 1M\n--unheard\n"
    )
    found, warnings, left_out = imported(text, "downloads.curl", form="curl", environment={"E_COM_COOKIE": "a=b"})
    assert set(found) == {"dir/a b.bin", "b", "c.bin"}
    assert left_out == 0
    assert found["dir/a b.bin"].url == 'https://e.com/a?x=1&y="q"'
    b, c = found["b"], found["c.bin"]
    assert dict(b.options.headers) == {"Accept": "x/y", "X-Empty": "", "User-Agent": "probe/1"}
    assert (b.options.timeouts.total, b.options.retry.max_retries) == (60, 4)
    assert c.url == "http://e.com/c.bin"
    assert c.options.proxies is not None
    assert c.options.proxies.http == "http://proxy:3128"
    assert not any(name == "Accept" for name, _ in c.options.headers)
    assert any("rate" in line for line in warnings)
    assert any("unheard" in line for line in warnings)


@pytest.mark.parametrize(
    "line",
    [
        "data = x",
        "-X POST",
        "form = a=b",
        "upload-file = x",
        "range = 0-5",
        "head",
        "json = {}",
        "url-query = a=b",
        "expand-url = x",
        "-C 5",
    ],
)
def test_what_is_no_download_of_a_file_is_left_out(line):
    found, warnings, left_out = imported(f"url = https://e.com/a\n-O\n{line}\nnext\nurl = https://e.com/b\n-O\n", form="curl")
    assert list(found) == ["b"]
    assert left_out == 1
    assert warnings[0].startswith("list:1: left out: ")


def test_a_glob_of_curl_is_left_out_unless_it_is_off():
    found, _, left_out = imported('url = "https://[::1]/a"\n-O\nnext\nurl = "https://e.com/[1-3]"\n-O\n', form="curl")
    assert (list(found), left_out) == (["a"], 1)
    found, _, left_out = imported('url = "https://e.com/[1-3]"\n-O\n-g\n', form="curl")
    assert (list(found), left_out) == (["[1-3]"], 0)


def test_values_without_quotes_end_at_a_space_as_in_curl():
    _, warnings, _ = imported("url = https://e.com/a\noutput = two words\n", form="curl")
    assert any(line.startswith("list:2: what stands behind the first space") for line in warnings)


METALINK = f"""<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink" xmlns:x="urn:other">
  <generator>Mirrors/1</generator><published>2020-03-04T01:11:48Z</published>
  <publisher><name>Example</name><url>https://download.e.com</url></publisher>
  <file name="iso/image.iso">
    <identity>Image</identity><version>1</version>
    <size>651</size>
    <hash type="md5">{MD5}</hash>
    <hash type="sha-256">{A.upper()}</hash>
    <hash type="sha-224">00</hash>
    <pieces length="262144" type="sha-1"><hash>00</hash><hash>11</hash></pieces>
    <x:thing><hash type="sha-256">{B}</hash></x:thing>
    <metaurl mediatype="torrent" priority="1">https://e.com/image.torrent</metaurl>
    <url location="cn" priority="3">https://three.e.com/image.iso</url>
    <url priority="1">https://one.e.com/image.iso?a=1&amp;b=2</url>
    <url>ftp://last.e.com/image.iso</url>
    <url location="de" priority="2">https://two.e.com/image.iso</url>
  </file>
  <file name="only.torrent"><metaurl mediatype="torrent">https://e.com/x</metaurl></file>
</metalink>
"""


def test_a_metalink_4_keeps_all_digests_and_the_order_of_priorities():
    found, warnings, left_out = imported(METALINK)
    image = found["iso/image.iso"]
    assert image.sources == ("https://one.e.com/image.iso?a=1&b=2", "https://two.e.com/image.iso", "https://three.e.com/image.iso")
    assert sums(image) == [f"md5:{MD5}", f"sha256:{A}"]
    assert image.size == 651
    assert left_out == 1
    told = "\n".join(warnings)
    assert "list:10: a checksum is not taken: sha-224" in told
    assert "list:11: checksums of pieces" in told
    assert "list:13: torrents are not fetched" in told
    assert "list:14: where a mirror is (location)" in told
    assert "(and 1 more times below)" in told
    assert "list:19: left out" in told


METALINK_3 = f"""<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" type="dynamic" xmlns:mm0="http://fedorahosted.org/mirrormanager">
 <files>
  <file name="repomd.xml">
   <mm0:timestamp>1580890456</mm0:timestamp>
   <size>4000</size>
   <verification><hash type="sha1">{"1" * 40}</hash><hash type="sha512">{"5" * 128}</hash></verification>
   <mm0:alternates><mm0:alternate><size>1</size><verification><hash type="md5">{MD5}</hash></verification></mm0:alternate></mm0:alternates>
   <resources maxconnections="1">
    <url protocol="http" type="http" location="US" preference="98">http://us.e.com/repomd.xml</url>
    <url protocol="rsync" type="rsync" location="US" preference="99">rsync://us.e.com/repomd.xml</url>
    <url protocol="https" type="https" location="DE" preference="100">https://de.e.com/repomd.xml</url>
   </resources>
  </file>
 </files>
</metalink>
"""


def test_a_metalink_3_prefers_the_larger_number_and_ignores_what_extends_it():
    found, warnings, left_out = imported(METALINK_3)
    repomd = found["repomd.xml"]
    assert repomd.sources == ("https://de.e.com/repomd.xml", "http://us.e.com/repomd.xml")
    assert sums(repomd) == [f"sha1:{'1' * 40}", f"sha512:{'5' * 128}"]
    assert repomd.size == 4000
    assert left_out == 0
    assert any("rsync" in line for line in warnings)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('<?xml version="1.0"?>\n<!DOCTYPE metalink [<!ENTITY a "b">]>\n<metalink/>', 2),
        ('<?xml version="1.0"?>\n<!DOCTYPE metalink SYSTEM "file:///etc/passwd">\n<metalink/>', 2),
        ("<rss>\n</rss>", 1),
        ("<metalink>\n<file>\n</metalink>", 3),
        ("<metalink>" + "\n<a>" * 40, 33),
        ("<metalink", 1),
    ],
)
def test_xml_that_is_no_metalink_or_more_than_one_is_refused_at_its_line(text, line):
    with pytest.raises(ListError) as error:
        import_list(text, "x.meta4", "metalink", None)
    assert error.value.line == line


def test_debian_s_checksums_name_files_below_the_base():
    text = f"{A}  images/one.iso\n{B} *two  words.iso\n\\{A}  a\\\\nb\n# comment\n; other\n"
    found, _, left_out = imported(text, "SHA256SUMS", base="https://cd.e.com/current/SHA256SUMS")
    assert [d.url for d in found.values()] == ["https://cd.e.com/current/images/one.iso", "https://cd.e.com/current/two%20%20words.iso"]
    assert left_out == 1, "a backslash is none that a path may hold"
    assert sums(found["images/one.iso"]) == [f"sha256:{A}"]


def test_fedora_s_checksums_are_signed_and_tell_sizes():
    text = (
        "nothing that is signed\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
        f"# Fedora-1.iso: 2048 bytes\nSHA256 (Fedora-1.iso) = {A}\nMD5 (Fedora-1.iso) = {MD5}\n- SHA512 (b.iso) = {'c' * 128}\n"
        f"-----BEGIN PGP SIGNATURE-----\n\nSHA256 (evil) = {B}\n-----END PGP SIGNATURE-----\n"
    )
    found, warnings, left_out = imported(text, "Fedora-CHECKSUM", form="sha256sums", base="https://e.com/f")
    assert sums(found["Fedora-1.iso"]) == [f"sha256:{A}", f"md5:{MD5}"]
    assert found["Fedora-1.iso"].size == 2048
    assert sums(found["b.iso"]) == [f"sha512:{'c' * 128}"]
    assert "evil" not in found
    assert left_out == 0
    assert "signature" in warnings[0]


def test_a_checksum_beside_its_file_names_it():
    found, _, _ = imported(f"{A}\n", "image.iso.sha256", base="https://e.com/")
    assert sums(found["image.iso"]) == [f"sha256:{A}"]


@pytest.mark.parametrize("line", [f"{A}  -", f"{A} *-", f"SHA256(stdin)= {A}", f"sha256:{A}"])
def test_a_checksum_of_standard_input_is_named_after_its_list(line):
    found, _, _ = imported(f"{line}\n", "image.iso.sha256", form="sha256sums", base="https://e.com/")
    assert sums(found["image.iso"]) == [f"sha256:{A}"]


def test_only_a_list_that_is_named_so_has_digests_of_blake2b():
    for title, algorithm in (("B2SUMS", "blake2b"), ("lib2to3-SHA512SUMS", "sha512"), ("web2.sha512", "sha512")):
        found, _, _ = imported(f"{'c' * 128}  a\n", title, base="https://e.com/")
        assert sums(found["a"]) == [f"{algorithm}:{'c' * 128}"], title


def test_two_digests_of_one_kind_both_have_to_hold_and_are_told():
    found, warnings, _ = imported(f"{A}  a\n{B}  a\n", "SHA256SUMS", base="https://e.com/")
    assert sums(found["a"]) == [f"sha256:{A}", f"sha256:{B}"]
    assert "both have to hold" in warnings[0]


def test_a_registry_of_pooch_has_hashes_of_all_kinds_and_urls():
    text = (
        "# MNE\n\n"
        f"data/skin.tif            {A}\n"
        f"sample.tgz               md5:{MD5}\n"
        f'"two words.bin"          sha1:{"1" * 40} https://other.e.com/two\n'
        f"odd.bin                  crc32:aabbccdd\n"
        "short\n"
    )
    found, warnings, left_out = imported(text, "registry.txt", base="https://e.com/v1")
    assert {path: (d.url, sums(d)) for path, d in found.items()} == {
        "data/skin.tif": ("https://e.com/v1/data/skin.tif", [f"sha256:{A}"]),
        "sample.tgz": ("https://e.com/v1/sample.tgz", [f"md5:{MD5}"]),
        "two words.bin": ("https://other.e.com/two", [f"sha1:{'1' * 40}"]),
        "odd.bin": ("https://e.com/v1/odd.bin", []),
    }
    assert [line.split(": ")[0] for line in warnings] == ["registry.txt:6", "registry.txt:7"]
    assert left_out == 1


def test_names_without_a_base_are_an_error_that_says_what_to_do():
    with pytest.raises(ListError, match="--base") as error:
        imported(f"\n{A}  a\n{B}  b\n", "SHA256SUMS")
    assert error.value.line == 2


OSBUILD = f"""{{
  "version": "2",
  "pipelines": [{{"name": "tree"}}],
  "sources": {{
    "org.osbuild.curl": {{
      "items": {{
        "sha256:{A}": "https://repo.e.com/Packages/a-1.rpm",
        "sha256:{B}": {{
          "url": "https://cdn.e.com/Packages/b-1.rpm",
          "secrets": {{"name": "org.osbuild.rhsm"}}
        }},
        "md5:{MD5}": {{
          "url": "https://m.e.com/c-1.rpm", "mirror": "https://n.e.com/c-1.rpm", "insecure": true,
          "secrets": {{"name": "org.osbuild.mtls"}}
        }}
      }}
    }},
    "org.osbuild.inline": {{"items": {{}}}},
    "org.osbuild.skopeo": {{"items": {{}}}}
  }}
}}
"""


def test_sources_of_osbuild_are_files_by_their_digests():
    environment = {"OSBUILD_SOURCES_CURL_SSL_CLIENT_CERT": "/c.pem", "OSBUILD_SOURCES_CURL_SSL_CLIENT_KEY": "/k.pem"}
    found, warnings, left_out = imported(OSBUILD, "manifest.json", environment=environment)
    assert {path: sums(d) for path, d in found.items()} == {
        "a-1.rpm": [f"sha256:{A}"],
        "b-1.rpm": [f"sha256:{B}"],
        "c-1.rpm": [f"md5:{MD5}"],
    }
    c = found["c-1.rpm"]
    assert c.sources == ("https://m.e.com/c-1.rpm", "https://n.e.com/c-1.rpm")
    assert c.options.verify is False
    assert c.options.cert is not None
    assert c.options.cert.key == "/k.pem"
    told = "\n".join(warnings)
    assert "manifest.json:10: the secrets of org.osbuild.rhsm are not taken" in told
    assert "verify: false" in told
    assert left_out == 1, "what skopeo fetches is no file by URL"


def test_json_is_found_wherever_it_stands():
    text = f"""{{
 "default_model": "m.safetensors",
 "checkpoint_downloads": {{"m.safetensors": "https://hub.e.com/resolve/main/m.safetensors"}},
 "files": [
  "https://e.com/plain.bin",
  {{"url": "https://e.com/a", "sha256": "{A.upper()}", "size": 12, "filename": "models/a.bin", "desc": "x"}},
  {{"url": ["https://e.com/b", "https://m.e.com/b"], "hash": "md5:{MD5}", "bytes": "7"}},
  {{"url": "https://e.com/c", "checksum": {{"algorithm": "sha-256", "value": "{B}"}}, "size": "4.2 GB", "name": "A label"}},
  {{"url": "https://e.com/d.bin", "hashes": {{"sha1": "{"1" * 40}", "crc": "x"}}, "name": "A label", "tags": ["big"]}},
  {{"urls": ["magnet:?x", "ftp://e.com/e"]}}
 ]
}}"""
    found, warnings, left_out = imported(text)
    assert list(found) == ["m.safetensors", "plain.bin", "models/a.bin", "b", "A label", "d.bin"]
    assert sums(found["models/a.bin"]) == [f"sha256:{A}"]
    assert (found["models/a.bin"].size, found["b"].size) == (12, 7)
    assert found["b"].sources == ("https://e.com/b", "https://m.e.com/b")
    assert sums(found["b"]) == [f"md5:{MD5}"]
    assert sums(found["A label"]) == [f"sha256:{B}"]
    assert sums(found["d.bin"]) == [f"sha1:{'1' * 40}"]
    assert found["d.bin"].options.tags == ("big",)
    assert left_out == 1
    assert [line.split(": ")[0] for line in warnings] == ["list:6", "list:8", "list:9", "list:9", "list:10"]


def test_json_lines_are_told_by_their_lines():
    text = f'{{"url": "https://e.com/a", "sha256": "{A}"}}\n\n{{"url": "https://e.com/b", "sha256": "00"}}\n{{"href": "https://e.com/c"}}\n'
    found, warnings, left_out = imported(text)
    assert list(found) == ["a", "c"]
    assert left_out == 1
    assert warnings[0].startswith("list:3: left out: checksum")
    with pytest.raises(ListError) as error:
        imported('{"url": "https://e.com/a"}\n{"url"\n', form="jsonl")
    assert error.value.line == 2


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ('[\n{"url": }]', 2, "Expecting value"),
        ("[1,\n2\n,]", 3, "Expecting value"),
        ('{"a": 1,\n "a": 2}', 2, "twice"),
        ("[" * 100, 1, "deeper"),
        ("[1] 2", 1, "behind its end"),
        ('{"a" 1}', 1, "colon"),
        ("[1 2]", 1, "comma"),
        ("[" + "9" * 5000 + "]", 1, "too long"),
    ],
)
def test_json_that_is_none_is_told_at_its_line(text, line, why):
    with pytest.raises(ListError, match=why) as error:
        import_list(text, "x.json", "json", None)
    assert error.value.line == line


def test_a_secret_gets_a_name_and_the_manifest_means_the_same_with_it():
    text = (
        "https://bob:pa%24s@e.com/a?token=t1&x=1\thttps://bob:pa%24s@e.com/a2\n"
        "  header=Authorization: Bearer abc$1\n  header=X-Plain: plain\n  all-proxy=http://u:pw@proxy:1\n"
        "https://tok@e.com/b\n  http-user=bob\n  http-passwd=s3cret\n"
    )
    made = import_list(text, "-", None, None)
    written = "".join(made.text)
    for secret in ("pa%24s", "t1", "abc", "pw", "tok@", "s3cret"):
        assert secret not in written
        assert not any(secret in line for line in made.warnings)
    environment = {
        "E_COM_PASSWORD": "pa%24s",
        "E_COM_TOKEN": "t1",
        "E_COM_AUTHORIZATION": "abc$1",
        "PROXY_1_PASSWORD": "pw",
        "E_COM_USER": "tok",
        "E_COM_PASSWORD_2": "s3cret",
    }
    _, (a, b) = load(written, "m.yaml", environment)
    assert a.sources == ("https://bob:pa%24s@e.com/a?token=t1&x=1", "https://bob:pa%24s@e.com/a2")
    assert dict(a.options.headers) == {"Authorization": "Bearer abc$1", "X-Plain": "plain"}
    assert a.options.proxies is not None
    assert a.options.proxies.http == "http://u:pw@proxy:1"
    assert b.url == "https://tok@e.com/b"
    assert (b.options.auth.username, b.options.auth.password) == ("bob", "s3cret")
    kept = import_list(text, "-", None, None, "kept")
    _, (a2, b2) = load("".join(kept.text), "m.yaml", {})
    assert (a2.sources, a2.options, b2.options) == (a.sources, a.options, b.options)
    assert any("a secret stands in the manifest" in line for line in kept.warnings)


@pytest.mark.parametrize("base", ["e.com/x", "https://e.com/?x", "https://u:p@e.com/", "https://e.com/#x", "ftp://e.com/"])
def test_a_base_that_is_none_is_refused(base):
    with pytest.raises(ValueError, match="must"):
        import_list(f"{A}  a\n", "SHA256SUMS", None, base)


def test_relative_urls_are_below_the_base():
    found, _, _ = imported("a.zip\n../b.zip\n/c.zip\nhttps://f.com/d.zip\n", form="urls", base="https://e.com/one/two")
    assert [d.url for d in found.values()] == [
        "https://e.com/one/two/a.zip",
        "https://e.com/one/b.zip",
        "https://e.com/c.zip",
        "https://f.com/d.zip",
    ]


def test_a_name_of_the_list_ends_no_comment():
    made = import_list("https://e.com/a\n", "x\ndownloads: []\n#.txt", None, None)
    _, downloads = load("".join(made.text), "m.yaml", os.environ)
    assert [download.url for download in downloads] == ["https://e.com/a"]


def test_a_list_of_nothing_is_a_manifest_of_nothing():
    made = import_list("# nothing\n", "x", "urls", None)
    assert "".join(made.text).endswith("downloads: []\n")
    assert made.warnings == ("x: names no file",)


def test_a_name_in_a_list_of_checksums_keeps_its_blanks_and_says_so():
    text = f"{A}   lead.bin\n{B}  trail.bin \n{B}  plain.bin\n\\{A}  back\\\\slash\n\\{A}  new\\nline\n\\{A}  odd\\x\n"
    found, warnings, left_out = imported(text, "SHA256SUMS", base="https://e.com/f")
    assert {path: download.url for path, download in found.items()} == {
        " lead.bin": "https://e.com/f/%20lead.bin",
        "plain.bin": "https://e.com/f/plain.bin",
    }
    assert left_out == 4
    assert [warning.partition(": ")[0] for warning in warnings] == [f"SHA256SUMS:{line}" for line in (1, 2, 4, 5, 6)]
    assert "ends in a dot or a space" in warnings[1]


@pytest.mark.parametrize("name", ["pass", "PASS", "user_pass", "passwd", "password", "Pass-Phrase", "pwd", "db.pwd", "pin", "passcode"])
def test_the_usual_words_for_passwords_in_a_query_are_given_names(name):
    made = import_list(f"https://e.com/a?{name}=hunter2&v=1\n", "list", None, None)
    assert "hunter2" not in "".join(made.text)
    assert "v=1" in "".join(import_list(f"https://e.com/a?{name}=hunter2&v=1\n", "list", None, None).text)


@pytest.mark.parametrize("name", ["compass", "passenger", "bypass", "spin", "passes", "v"])
def test_words_that_only_look_like_one_are_left_alone(name):
    assert f"{name}=north" in "".join(import_list(f"https://e.com/a?{name}=north\n", "list", None, None).text)


def test_what_stands_behind_a_hash_is_not_taken_and_told():
    text = "https://e.com/a.zip#pass=hunter2\nhttps://e.com/b.zip?v=1#\nhttps://e.com/a.zip\n"
    found, warnings, left_out = imported(text)
    assert [download.url for download in found.values()] == ["https://e.com/a.zip", "https://e.com/b.zip?v=1"]
    assert left_out == 0
    assert warnings[0] == "list:1: what stands behind # in a URL is sent to no server, and is not taken (and 1 more times below)"
    assert "says the same as line 1" in warnings[1]
    assert not any("hunter2" in warning for warning in warnings)


ONE_SAID = f'{{"url": "https://e.com/a.zip", "sha256": "{A}"}}'
TWO_SAID = f'{{"url": "https://e.com/b.zip", "sha256": "{B}"}}'
TWO_FILES = "".join(
    f'<file name="{name}">\n<hash type="sha-256">{digest}</hash>\n<url>https://e.com/{name}</url>\n</file>\n'
    for name, digest in (("a.zip", A), ("b.zip", B))
)
SHAPES = {
    "urls": "# models\nhttps://e.com/a.zip\n\nhttps://e.com/b.zip\n",
    "aria2": f"# images\nhttps://e.com/a.zip\n  checksum=sha-256={A}\nhttps://e.com/b.zip\n  checksum=sha-256={B}\n",
    "curl": '# config\nurl = "https://e.com/a.zip"\noutput = "a.zip"\nnext\nurl = "https://e.com/b.zip"\noutput = b.zip\n',
    "metalink": f'<?xml version="1.0"?>\n<metalink xmlns="urn:ietf:params:xml:ns:metalink">\n{TWO_FILES}</metalink>\n',
    "sha256sums": f"# sums\n{A}  a.zip\n{B} *b.zip\n",
    "pooch": f"# registry\na.zip {A}\n\nb.zip sha256:{B} https://e.com/b.zip\n",
    "osbuild": f'{{"sources": {{"org.osbuild.curl": {{"items": {{\n"sha256:{A}": "https://e.com/a.zip",\n"sha256:{B}": "https://e.com/b.zip"}}}}}}}}\n',
    "json": f"[{ONE_SAID},\n{TWO_SAID}]\n",
    "jsonl": f"{ONE_SAID}\n{TWO_SAID}\n",
}
CHANGES = {
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "a byte order mark": lambda text: f"\ufeff{text}",
    "both": lambda text: "\ufeff" + text.replace("\n", "\r\n"),
    "CR alone": lambda text: text if text.startswith("{") and "}\n{" in text else text.replace("\n", "\r"),
    "digests in upper case": lambda text: text.replace(A, A.upper()).replace(B, B.upper()),
    "no end of the last line": lambda text: text.rstrip("\n"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("form", SHAPES)
def test_a_list_means_the_same_however_its_lines_end_and_its_text_begins(form, change):
    before, after = (imported(text, form=form, base="https://e.com/") for text in (SHAPES[form], CHANGES[change](SHAPES[form])))
    assert list(before[0]) == ["a.zip", "b.zip"]
    assert {path: (d.url, d.checksums) for path, d in after[0].items()} == {path: (d.url, d.checksums) for path, d in before[0].items()}
    assert before[1:] == after[1:] == ([], 0)


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff", " \r\n", "# only\n# comments\n"])
@pytest.mark.parametrize("form", ["urls", "aria2", "curl", "sha256sums", "pooch"])
def test_a_list_without_entries_says_so(form, text):
    made = import_list(text, "list", form, "https://e.com/")
    assert (made.downloads, made.left_out, made.warnings) == (0, 0, ("list: names no file",))


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff", "# only\n# comments\n"])
@pytest.mark.parametrize("form", ["metalink", "osbuild", "json"])
def test_a_text_that_is_no_document_is_none(form, text):
    with pytest.raises(ListError, match="is not"):
        import_list(text, "list", form, "https://e.com/")


MANY = 4_000


@pytest.mark.parametrize("form", ["urls", "sha256sums", "pooch", "jsonl", "metalink"])
def test_of_a_list_of_many_files_nothing_is_lost(form):
    lines = {
        "urls": "https://e.com/{0}.bin",
        "sha256sums": "{0:064X} *{0}.bin",
        "pooch": "{0}.bin {0:064x}",
        "jsonl": '{{"url": "https://e.com/{0}.bin", "sha256": "{0:064x}"}}',
        "metalink": '<file name="{0}.bin"><hash type="sha-256">{0:064x}</hash><url>https://e.com/{0}.bin</url></file>',
    }
    text = "\r\n".join(lines[form].format(number) for number in range(MANY))
    if form == "metalink":
        text = f'<metalink xmlns="urn:ietf:params:xml:ns:metalink">{text}</metalink>'
    made = import_list(text, "list", form, "https://e.com/")
    assert (made.downloads, made.left_out, made.warnings) == (MANY, 0, ())
    written = "".join(made.text)
    assert written.count("https://e.com/") == MANY + 1 - ("with files below" not in written)
    assert form == "urls" or f"sha256:{MANY - 1:064x}" in written
