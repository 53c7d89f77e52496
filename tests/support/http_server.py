#!/usr/bin/env python3
"""A file server for tests that can misbehave: http_server.py DIRECTORY PORT_FILE [CERTIFICATE]

Serves DIRECTORY on a port of 127.0.0.1 that it writes into PORT_FILE, with ETag, Range and If-Range. It writes one line
per request to DIRECTORY/requests.log: path, Range. With CERTIFICATE, a PEM file that holds its key too, it speaks TLS.
The query of a request asks for trouble:

  fail=N      the first N requests for this path and query get 503
  cut=N       the connection ends N bytes into each body
  stall=N     the first request stalls N bytes into the body
  lie=N       Content-Length says N bytes more than there are, always
  redirect=N  N redirects before the file (loop: never ends)
  to=URI      a redirect to there
  norange=1   Range is not understood
  always=1    If-Range is not understood: a part is sent whatever it says
  hollow=1    a part is sent without its bytes
  json=N      the first request for this path, which ends in .json, gets this code
  code=N      answers with this code
  noetag=1    nothing tells whether the file has changed
"""
import os
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

root, port_file = sys.argv[1:3]
seen = {}
lock = threading.Lock()


def visits(path):
    with lock:
        seen[path] = seen.get(path, 0) + 1
        return seen[path]


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def answer(self, code, **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def do_GET(self):
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        with lock, open(os.path.join(root, "requests.log"), "a", encoding="utf-8") as log:
            log.write(f"{url.path} {self.headers.get('Range', '-')}\n")
        visit = visits(self.path)
        if "code" in query:
            return self.answer(int(query["code"]), Content_Length=0)
        if "json" in query and url.path.endswith(".json") and visit == 1:
            return self.answer(int(query["json"]), Content_Length=0)
        if visit <= int(query.get("fail", 0)):
            return self.answer(503, Content_Length=0)
        if "to" in query:
            return self.answer(302, Location=query["to"], Content_Length=0)
        if "redirect" in query:
            left = query["redirect"]
            target = f"{url.path}?redirect=loop" if left == "loop" else (
                url.path if left == "1" else f"{url.path}?redirect={int(left) - 1}")
            return self.answer(302, Location=target, Content_Length=0)
        try:
            with open(os.path.join(root, url.path.lstrip("/")), "rb") as file:
                body = file.read()
        except OSError:
            return self.answer(404, Content_Length=0)
        tag = f'"{hash(body):x}"'
        start, code = 0, 200
        headers = {} if "noetag" in query else {"ETag": tag}
        wanted = self.headers.get("Range", "")
        same = self.headers.get("If-Range") == tag or "always" in query
        if wanted.startswith("bytes=") and same and "norange" not in query:
            start = int(wanted[6:].rstrip("-"))
            if start >= len(body):
                return self.answer(416, Content_Range=f"bytes */{len(body)}", Content_Length=0)
            code = 206
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        part = b"" if code == 206 and "hollow" in query else body[start:]
        self.answer(code, Content_Length=len(part) + int(query.get("lie", 0)), **headers)
        if "cut" in query:
            part = part[:int(query["cut"])]
        if "stall" in query and visit == 1:
            self.wfile.write(part[:int(query["stall"])])
            self.wfile.flush()
            time.sleep(5)
            return None
        self.wfile.write(part)
        return None


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
with open(port_file + ".new", "w", encoding="utf-8") as out:
    out.write(str(server.server_address[1]))
os.rename(port_file + ".new", port_file)
server.serve_forever()
