"""Lists of downloads in other programs' formats: read into a manifest, and written from one. Nothing here opens a file.

text --guess--> format --read--> Listing --checked--> entries --manifest_text--> YAML          (`imported`)
Downloads --exported--> text of another format

url_list aria2 curl metalink sums pooch osbuild json_list    a module for each format that is read
words json_text curl_lines secret_names                       what they have in common
"""
