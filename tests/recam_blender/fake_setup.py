"""A set-up process that sets nothing up: it speaks as backend/environment/serve.py does, and behaves as it is told.

It stands in a package of its own, as ``python -m backend.environment serve``. What it was asked goes to asked.jsonl,
its process id to pid; how to behave stands in behaviour. It needs no more than Python.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BEHAVIOUR = json.loads((HERE / "behaviour").read_text(encoding="utf-8"))

cancelled = threading.Event()
sending = threading.Lock()


def send(**message):
    with sending:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def tell(task, **progress):
    told = {"phase": "installing", "step": 0, "total": 0, **progress}
    send(method="progress", params={"id": task, "progress": told})


def fail(task, kind, message):
    send(id=task, error={"code": -32003, "message": message, "data": {"kind": kind}})


def work(task, method):
    if BEHAVIOUR.get("says"):
        print(BEHAVIOUR["says"], file=sys.stderr, flush=True)
    for progress in BEHAVIOUR.get("progress", []) if method == "install" else []:
        tell(task, **progress)
        time.sleep(0.06)
    if BEHAVIOUR.get("crash"):
        os.kill(os.getpid(), signal.SIGKILL) if BEHAVIOUR["crash"] == "kill" else os._exit(int(BEHAVIOUR["crash"]))
    if BEHAVIOUR.get("wait"):
        tell(task, phase="waiting")
        (HERE / "waiting").touch()
        if BEHAVIOUR["wait"] == "deaf":
            time.sleep(60)
        cancelled.wait(60)
        (HERE / "cancelled").touch()
        fail(task, "cancelled", "Set-up was cancelled.")
    elif BEHAVIOUR.get("fail"):
        fail(task, BEHAVIOUR["fail"], BEHAVIOUR.get("message", "It failed."))
    else:
        send(id=task, result=BEHAVIOUR["answers"].get(method, {}))


def main():
    assert sys.argv[1:] == ["serve"], sys.argv
    (HERE / "pid").write_text(str(os.getpid()))
    for line in sys.stdin:
        message = json.loads(line)
        with open(HERE / "asked.jsonl", "a", encoding="utf-8") as asked:
            asked.write(json.dumps(message) + "\n")
        if message["method"] == "hello":
            version = BEHAVIOUR.get("version", "0.0.0")
            about = {"protocol": 1, "version": version, "python": "3.11.0", "pid": os.getpid()}
            send(id=message["id"], result=about)
        elif message["method"] == "cancel":
            cancelled.set()
        elif message["method"] == "shutdown":
            if BEHAVIOUR.get("wait") != "deaf":
                time.sleep(0.1)
                os._exit(0)
        else:
            threading.Thread(target=work, args=(message["id"], message["method"]), daemon=True).start()


main()
