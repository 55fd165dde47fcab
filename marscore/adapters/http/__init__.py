"""HTTP, behind `ports.Transport`: one transport by libcurl, one by requests, and what both say of answers, redirects and failures."""
