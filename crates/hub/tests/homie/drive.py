"""Devices that speak Homie 5, steered step by step: drive.py PORT [STEPS].

Two trees of devices, with the Python that has ebus-panel-sim and ebus-sdk, at the broker at
127.0.0.1:PORT: `lamp-1` in the domain `homie`, with one property of each datatype and a child
`lamp-1-sensor`; and a fuse board in the domain `ebus`, with circuits as children, as its maker's
simulator has it. STEPS is a JSON array; without it, each line of standard input is a step. Each
step leads to one line of JSON; the first says that they are there.

    {"do": "report", "property": "light/level", "value": 42}    of the lamp
    {"do": "tick", "seconds": 60, "watts": 500}                 the fuse board measures
    {"do": "await", "property": "light/on"}                     waits until the lamp is told to set it
    {"do": "sleep"} {"do": "wake"}                              the lamp says $state sleeping, ready
    {"do": "lose"}                                              the connection of the lamp breaks: its will
    {"do": "stop"}                                              both say $state disconnected

What the lamp is told, it does: `$target` first, then the value.
"""

import json
import logging
import os
import queue
import sys
import time

from ebus_panel_sim import DeviceInstance, DeviceManifest, Emitter, SetterRegistry, TickInputs
from ebus_sdk import Device
from ebus_sdk.homie import DeviceState

PORT = int(sys.argv[1])
BROKER = {"host": "127.0.0.1", "port": PORT}
PATIENCE_S = 20
logging.getLogger("homie").setLevel(logging.ERROR)  # it warns of what is published before it is there

PROPERTIES = [
    {"id": "on", "name": "On", "datatype": "boolean", "settable": True},
    {"id": "level", "name": "Level", "datatype": "integer", "unit": "%", "format": "0:100:5", "settable": True},
    {"id": "power", "name": "Power", "datatype": "float", "unit": "W"},
    {"id": "mode", "name": "Mode", "datatype": "enum", "format": "steady,blink,off", "settable": True},
    {"id": "color", "name": "Colour", "datatype": "color", "format": "rgb,hsv", "settable": True},
    {"id": "label", "name": "Label", "datatype": "string", "settable": True},
    {"id": "since", "name": "Since", "datatype": "datetime"},
    {"id": "uptime", "name": "Uptime", "datatype": "duration"},
    {"id": "scene", "name": "Scene", "datatype": "json", "settable": True,
     "format": json.dumps({"type": "object", "properties": {"name": {"type": "string"}}})},
    {"id": "pressed", "name": "Pressed", "datatype": "string", "retained": False},
]
VALUES = {
    "on": False, "level": 40, "power": 4.25, "mode": "steady", "color": "rgb,255,128,0", "label": "",
    "since": "2026-01-01T00:00:00Z", "uptime": "PT12H5M46S", "scene": {"name": "evening"},
}


class Lamp:
    def __init__(self):
        self.device = Device("lamp-1", name="Lamp", type="lamp", homie_domain="homie", mqtt_cfg=BROKER)
        self.told = queue.Queue()
        light = self.device.add_node_from_dict({"id": "light", "name": "Light", "type": "light"})
        self.properties = {}
        for about in PROPERTIES:
            made = self.properties[f"light/{about['id']}"] = light.add_property_from_dict(about)
            if about.get("settable"):
                made.set_set_callback(lambda value, path=f"light/{about['id']}": self.set(path, value))
        self.sensor = Device("lamp-1-sensor", name="Sensor", type="sensor", parent=self.device)
        node = self.sensor.add_node_from_dict({"id": "air", "name": "Air", "type": "sensor"})
        about = {"id": "temperature", "name": "Temperature", "datatype": "float", "unit": "°C"}
        self.properties["air/temperature"] = node.add_property_from_dict(about)
        self.device.start_mqtt_client()
        for name, value in VALUES.items():
            self.properties[f"light/{name}"].set_value(value)
        self.properties["air/temperature"].set_value(21.5)

    def set(self, path, said):
        # The library has no $target yet [Homie 5, "Target"]: it is said here.
        text = said if isinstance(said, str) else json.dumps(said)
        self.device.get_mqtt_client().publish(f"homie/5/lamp-1/{path}/$target", text, 2, True)
        datatype = next(about["datatype"] for about in PROPERTIES if path.endswith(f"/{about['id']}"))
        value = {"boolean": json.loads, "integer": int}.get(datatype, lambda said: said)(said)
        self.properties[path].set_value(value)
        self.told.put((path, value))

    def awaited(self, path):
        while True:
            told, value = self.told.get(timeout=PATIENCE_S)
            if told == path:
                return value


class Board:
    def __init__(self):
        circuit = {"breaker-rating-a": "20", "default-priority": "NEVER", "relay-behavior": "controllable",
                   "placement": "downstream-of-lugs"}
        panel = {
            "vendor-name": "Example", "serial-number": "board-1", "firmware-version": "example/v1",
            "hardware-version": "1", "panel-size": "8", "main-breaker-rating-a": "100", "panel-model": "B8",
            "postal-code": "00000", "time-zone": "UTC"}
        devices = [
            DeviceInstance("panel", "board-1", "Board", panel),
            DeviceInstance("lugs", "board-1-up", "Upstream", {"direction": "upstream"}),
            DeviceInstance("circuit", "board-1-kitchen", "Kitchen", circuit | {"tab-numbers": "1"}),
            DeviceInstance("circuit", "board-1-heating", "Heating", circuit | {"tab-numbers": "2,4"}),
        ]
        self.emitter = Emitter(DeviceManifest(devices), SetterRegistry(), mqtt_cfg=BROKER)
        self.now = 1_767_225_600.0  # 2026-01-01, and only `tick` moves it
        self.emitter.start()
        self.tick(0, 100)

    def tick(self, seconds, watts):
        self.now += seconds
        circuits = {"board-1-kitchen": watts, "board-1-heating": watts * 2}
        self.emitter.publish_tick(TickInputs(current_time=self.now, grid_online=True, circuits=circuits))


def carry_out(step, lamp, board):
    match step["do"]:
        case "report":
            lamp.properties[step["property"]].set_value(step["value"])
        case "tick":
            board.tick(step.get("seconds", 60), step.get("watts", 100))
        case "await":
            return lamp.awaited(step["property"])
        case "sleep":
            lamp.device.set_state(DeviceState.SLEEPING)
        case "wake":
            lamp.device.set_state(DeviceState.READY)
        case "lose":
            break_off(lamp.device)
        case "stop":
            lamp.device.stop()
            board.emitter.stop()
        case other:
            raise ValueError(f'there is no step "{other}"')


def break_off(device):
    """Closes the socket without a word, and does not come back. What was said before has arrived."""
    client = device.get_mqtt_client()
    paho = next(value for value in vars(client).values() if type(value).__module__.startswith("paho"))
    deadline = time.monotonic() + PATIENCE_S
    while (paho._out_messages or paho.want_write()) and time.monotonic() < deadline:
        time.sleep(0.01)
    paho.loop_stop()
    paho.socket().close()


def steps():
    if len(sys.argv) > 2:
        yield from json.loads(sys.argv[2])
    else:
        yield from (json.loads(line) for line in sys.stdin if line.strip())


def say(step, **result):
    print(json.dumps(step | {key: value for key, value in result.items() if value is not None}), flush=True)


def main():
    lamp, board = Lamp(), Board()
    say({"do": "start"})
    for step in steps():
        try:
            say(step, value=carry_out(step, lamp, board))
        except Exception as error:
            say(step, error=str(error) or type(error).__name__)
    sys.stdout.flush()
    os._exit(0)  # without a word: who says no `stop`, is lost


main()
