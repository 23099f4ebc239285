"""A package index on the loopback, with the faults of real ones, and wheels of a few bytes to fill it with."""

import base64
import contextlib
import hashlib
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


def wheel(folder, version, code, name="shot", *, more=0, size=0, needs=(), tag="py3-none-any"):
    """A package of one module as pip takes it; gives its path.

    ``more`` files lie beside the module, and one of ``size`` bytes that do not compress; it ``needs`` others.
    """
    info = f"{name}-{version}.dist-info"
    path = folder / f"{name}-{version}-{tag}.whl"
    needed = "".join(f"Requires-Dist: {each}\n" for each in needs)
    contents = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        **{f"{name}_data/{number}.txt": str(number) for number in range(more)},
    }
    if size:
        contents[f"{name}_data/large.bin"] = b"".join(
            hashlib.sha256(str(number).encode()).digest() for number in range(size // 32 + 1)
        )
    record = "".join(f"{each},,\n" for each in (*contents, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as opened:
        for each, content in contents.items():
            opened.writestr(each, content)
        opened.writestr(f"{info}/RECORD", record)
    return path


class Index:
    """Serves the wheels of a folder, as PEP 503 says. A context manager.

    Attributes:
        lies: names of files whose stated hash is another's.
        broken: names of files, and after how many bytes their transfer ends.
        status: what stands in a path, and the status that is answered for it.
        pause: names of files that stop in the middle until :attr:`go` is set.
        speed: bytes a second; none: as fast as can be.
        asked: the paths of all requests.
    """

    def __init__(self, folder):
        self.folder = folder
        self.lies, self.broken, self.status, self.pause = set(), {}, {}, set()
        self.speed = None
        self.password = ""
        self.asked = []
        self.paused, self.go = threading.Event(), threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self):
        """Of the index, for PIP_INDEX_URL."""
        return f"http://127.0.0.1:{self._server.server_port}/simple/"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def downloads(self):
        """The names of the wheels that were asked for."""
        return [path.rpartition("/")[2] for path in self.asked if path.endswith(".whl")]

    def answer(self, handler):
        """Serve one request."""
        path = unquote(urlsplit(handler.path).path)
        self.asked.append(path)
        for part, status in self.status.items():
            if part in path:
                handler.send_error(status)
                return
        if self.password and handler.headers.get("Authorization") != _basic(self.password):
            handler.send_error(401)
        elif path.startswith("/simple/"):
            self._list(handler, path.strip("/").rpartition("/")[2])
        else:
            self._send_wheel(handler, path.rpartition("/")[2])

    def _list(self, handler, name):
        files = [
            each
            for each in sorted(self.folder.glob("*.whl"))
            if each.name.split("-")[0].replace("_", "-").lower() == name
        ]
        if not files:
            handler.send_error(404)
            return
        links = []
        for each in files:
            digest = hashlib.sha256(b"another" if each.name in self.lies else each.read_bytes()).hexdigest()
            links.append(f'<a href="/files/{each.name.replace("+", "%2B")}#sha256={digest}">{each.name}</a>')
        page = ("<!DOCTYPE html><html><body>" + "\n".join(links) + "</body></html>").encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.send_header("Content-Length", str(len(page)))
        handler.end_headers()
        handler.wfile.write(page)

    def _send_wheel(self, handler, name):
        path = self.folder / name
        if not path.is_file():
            handler.send_error(404)
            return
        content = path.read_bytes()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/octet-stream")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        with contextlib.suppress(OSError):
            self._send_slowly(handler, name, content)

    def _send_slowly(self, handler, name, content):
        end = self.broken.get(name, len(content))
        step = 8192 if self.speed else 1 << 20
        for start in range(0, end, step):
            if name in self.pause and start >= end // 2 - step:
                handler.wfile.flush()
                self.paused.set()
                self.go.wait(60)
            handler.wfile.write(content[start : min(start + step, end)])
            if self.speed:
                self.go.wait(step / self.speed)
        if end < len(content):
            handler.close_connection = True
            handler.connection.close()


def _handler(index):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            index.answer(self)

        def log_message(self, *_):
            pass

    return Handler


def _basic(password):
    return "Basic " + base64.b64encode(password.encode()).decode()
