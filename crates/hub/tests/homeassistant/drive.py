"""Home Assistant, steered step by step: drive.py PORT [STEPS], with the Python that has it.

Starts it with a new configuration that knows only the broker at 127.0.0.1:PORT and listens on a
free port of this machine; makes its first user; ends it with the steps. STEPS is a JSON array;
without it, each line of standard input is a step. Each step leads to one line of JSON, the step
with its `value` or its `error`; the first line says that it is ready.

    {"do": "states"}                                     all entities that came by MQTT
    {"do": "wait", "entity": ID}                         waits until there is such an entity,
                                                         with `state`, until it is in this state
    {"do": "wait gone", "entity": ID}                    waits until there is none
    {"do": "state", "entity": ID}                        its state and attributes
    {"do": "call", "service": "switch.turn_on", "data": {"entity_id": ID}}
    {"do": "device", "entity": ID}                       the device that it belongs to

Environment: USER_NAME and PASSWORD for the broker, if it asks.
"""

import ctypes
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

PATIENCE_S = 30
START_PATIENCE_S = 180
USER = {"name": "test", "username": "test", "password": "only-for-a-test", "language": "en"}


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def die_with_parent():
    """However a test ends, Home Assistant ends with it, where the system can do that."""
    if sys.platform == "linux":
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class HomeAssistant:
    def __init__(self, folder, broker_port):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.headers = {}
        self.configure(broker_port)
        command = [sys.executable, "-m", "homeassistant", "--skip-pip", "--config", folder]
        with (self.folder / "said").open("wb") as said:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, preexec_fn=die_with_parent)

    def configure(self, broker_port):
        (self.folder / "configuration.yaml").write_text(f"""\
homeassistant:
  name: test
  latitude: 0
  longitude: 0
  elevation: 0
  unit_system: metric
  time_zone: UTC
http:
  server_host: 127.0.0.1
  server_port: {self.port}
api:
onboarding:
""")
        broker = {"broker": "127.0.0.1", "port": broker_port, "discovery": True}
        if name := os.environ.get("USER_NAME"):
            broker |= {"username": name, "password": os.environ.get("PASSWORD", "")}
        entry = {
            "entry_id": "0" * 32, "version": 1, "domain": "mqtt", "title": "hub", "data": broker,
            "options": {}, "source": "user", "unique_id": None, "disabled_by": None,
            "pref_disable_new_entities": False, "pref_disable_polling": False,
        }
        storage = self.folder / ".storage"
        storage.mkdir()
        (storage / "core.config_entries").write_text(json.dumps({
            "version": 1, "minor_version": 1, "key": "core.config_entries", "data": {"entries": [entry]},
        }))

    def ask(self, path, body=None, form=False):
        data, headers = None, dict(self.headers)
        if form:
            data = urllib.parse.urlencode(body).encode()
        elif body is not None:
            data, headers["content-type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(self.url + path, data, headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            text = response.read().decode()
        return json.loads(text) if response.headers.get_content_type() == "application/json" else text

    def begin(self):
        """Makes the first user and waits until everything runs."""
        wait(lambda: self.answers(), "its first answer", START_PATIENCE_S, self)
        code = self.ask("/api/onboarding/users", USER | {"client_id": self.url})["auth_code"]
        grant = {"grant_type": "authorization_code", "code": code, "client_id": self.url}
        token = self.ask("/auth/token", grant, form=True)["access_token"]
        self.headers = {"authorization": f"Bearer {token}"}
        return wait(lambda: self.runs(), "mqtt in it", START_PATIENCE_S, self)

    def answers(self):
        try:
            return self.ask("/api/onboarding")
        except (urllib.error.URLError, ConnectionError):
            return None

    def runs(self):
        config = self.ask("/api/config")
        return config["version"] if config["state"] == "RUNNING" and "mqtt" in config["components"] else None

    def state(self, entity):
        try:
            state = self.ask(f"/api/states/{entity}")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise
        return {key: state[key] for key in ("state", "attributes")}

    def template(self, text):
        return json.loads(self.ask("/api/template", {"template": text}))

    def carry_out(self, step):
        entity = step.get("entity")
        match step["do"]:
            case "states":
                entities = self.template("{{ integration_entities('mqtt') | sort | to_json }}")
                return {entity: self.state(entity)["state"] for entity in entities}
            case "wait":
                def is_there():
                    state = self.state(entity)
                    return state if state and step.get("state", state["state"]) == state["state"] else None
                return wait(is_there, f"{entity}, which is {self.state(entity)}", PATIENCE_S, self)
            case "wait gone":
                wait(lambda: self.state(entity) is None, f"the end of {entity}", PATIENCE_S, self)
            case "state":
                return self.state(entity)
            case "call":
                domain, service = step["service"].split(".")
                self.ask(f"/api/services/{domain}/{service}", step.get("data", {}))
            case "device":
                names = ("name", "manufacturer", "model", "sw_version", "suggested_area")
                of = f"device_attr(device_id('{entity}'), name)"
                pairs = f"{{% set ns = namespace(all=[]) %}}{{% for name in {names} %}}" \
                    f"{{% set ns.all = ns.all + [(name, {of})] %}}{{% endfor %}}{{{{ dict(ns.all) | to_json }}}}"
                return self.template(pairs)
            case other:
                raise ValueError(f'there is no step "{other}"')

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def wait(holds, what, patience_s, home):
    deadline = time.monotonic() + patience_s
    while not (result := holds()):
        if home.process.poll() is not None:
            raise RuntimeError("it ended:\n" + (home.folder / "said").read_text(errors="replace"))
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited in vain for {what}")
        time.sleep(0.05)
    return result


def say(step, **result):
    print(json.dumps(step | {key: value for key, value in result.items() if value is not None}), flush=True)


def steps():
    if len(sys.argv) > 2:
        yield from json.loads(sys.argv[2])
    else:
        yield from (json.loads(line) for line in sys.stdin if line.strip())


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as folder:
        home = HomeAssistant(folder, int(sys.argv[1]))
        try:
            say({"do": "start"}, value=home.begin())
            for step in steps():
                try:
                    say(step, value=home.carry_out(step))
                except Exception as error:
                    say(step, error=str(error) or type(error).__name__)
        finally:
            home.end()


main()
