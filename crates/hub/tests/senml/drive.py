"""A device that speaks SenML (RFC 8428) over MQTT and CoAP, steered step by step: drive.py PORT [STEPS].

With the Python that has kpn-senml, paho-mqtt and aiocoap, at the broker at 127.0.0.1:PORT. STEPS is
a JSON array; without it, each line of standard input is a step. Each step leads to one line of JSON.

    {"do": "publish", "topic": …, "format": "json" or "cbor"}   a pack of records
    {"do": "coap", "method": "GET", "uri": …, "payload": …}     code, content format and payload;
                                                                `format` is the content format to send,
                                                                `accept` the one to get; `if_match`
                                                                and `etag` are in hex
    {"do": "observe", "uri": …, "count": 3}                     the first so many notifications
    {"do": "watch", "uri": …}                                   observes; the first answer
    {"do": "await", "uri": …, "text": …}                        until a notification says so; all heard
    {"do": "leave", "uri": …}                                   observes no more
    {"do": "post", "uri": …, "format": "json" or "cbor"}        the same pack over CoAP
"""

import asyncio
import json
import sys

import aiocoap
import paho.mqtt.client as mqtt
from aiocoap.numbers.contentformat import ContentFormat
from kpn_senml import SenmlPack, SenmlRecord, SenmlUnits, senml_record

PATIENCE_S = 20
FORMATS = {"json": "application/senml+json", "cbor": "application/senml+cbor"}
AT = 1_767_225_600  # 2026-01-01

senml_record.basestring = str  # the library is of the time of Python 2


def pack(form):
    made = SenmlPack("urn:dev:mac:0024befffe804ff1:")
    made.base_time = AT
    temperature = SenmlRecord("temperature", unit=SenmlUnits.SENML_UNIT_DEGREES_CELSIUS, value=21.5)
    earlier = SenmlRecord("temperature", unit=SenmlUnits.SENML_UNIT_DEGREES_CELSIUS, value=21.25)
    earlier.time = AT - 60
    for record in (
        earlier,
        temperature,
        SenmlRecord("humidity", unit=SenmlUnits.SENML_UNIT_RELATIVE_HUMIDITY, value=45),
        SenmlRecord("open", value=False),
        SenmlRecord("label", value="door"),
        SenmlRecord("energy", unit=SenmlUnits.SENML_UNIT_JOULE, sum=1200),
    ):
        made.add(record)
    if form == "cbor":  # the library makes no JSON of bytes
        made.add(SenmlRecord("raw", value=bytearray(b"\x01\x02\xff")))
    return made.to_cbor() if form == "cbor" else made.to_json().encode()


def publish(port, topic, form):
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "senml")
    client.connect("127.0.0.1", port)
    client.loop_start()
    client.publish(topic, pack(form), 1).wait_for_publish(PATIENCE_S)
    client.disconnect()
    client.loop_stop()


def shown(response):
    form = response.opt.content_format
    payload = response.payload
    text = {"text": payload.decode()} if payload.isascii() else {"hex": payload.hex()}
    more = {"etag": response.opt.etag.hex()} if response.opt.etag else {}
    if response.opt.location_path:
        more["location"] = "/" + "/".join(response.opt.location_path)
    return {"code": response.code.dotted, "format": None if form is None else int(form)} | text | more


async def ask(context, step):
    request = aiocoap.Message(code=aiocoap.numbers.codes.Code[step.get("method", "GET")], uri=step["uri"])
    if "payload" in step:
        request.payload = step["payload"].encode()
    if "format" in step:
        request.opt.content_format = step["format"]
    if "accept" in step:
        request.opt.accept = step["accept"]
    if "if_match" in step:
        request.opt.if_match = [bytes.fromhex(step["if_match"])]
    if "etag" in step:
        request.opt.etags = [bytes.fromhex(step["etag"])]
    request.opt.if_none_match = step.get("if_none_match", False)
    return shown(await asyncio.wait_for(context.request(request).response, PATIENCE_S))


async def post(context, step):
    form = step.get("format", "json")
    request = aiocoap.Message(code=aiocoap.POST, uri=step["uri"], payload=pack(form))
    request.opt.content_format = ContentFormat.by_media_type(FORMATS[form])
    return shown(await asyncio.wait_for(context.request(request).response, PATIENCE_S))


async def observe(context, step):
    request = context.request(aiocoap.Message(code=aiocoap.GET, uri=step["uri"], observe=0))
    heard = [shown(await asyncio.wait_for(request.response, PATIENCE_S))]

    async def follow():
        async for response in request.observation:
            heard.append(shown(response))
            if len(heard) >= step["count"]:
                return

    if len(heard) < step["count"]:
        await asyncio.wait_for(follow(), PATIENCE_S)
    request.observation.cancel()
    return heard


class Watch:
    def __init__(self, context, uri):
        self.heard = []
        self.more = asyncio.Event()
        self.request = context.request(aiocoap.Message(code=aiocoap.GET, uri=uri, observe=0))
        self.request.observation.register_callback(self.hear)

    def hear(self, response):
        self.heard.append(shown(response))
        self.more.set()

    async def until(self, text):
        while not any(one.get("text") == text for one in self.heard):
            self.more.clear()
            await self.more.wait()
        heard, self.heard = self.heard, []
        return heard


watches = {}


async def watch(context, step):
    watches[step["uri"]] = one = Watch(context, step["uri"])
    return shown(await asyncio.wait_for(one.request.response, PATIENCE_S))


async def carry_out(step, port, context):
    match step["do"]:
        case "publish":
            return await asyncio.to_thread(publish, port, step["topic"], step.get("format", "json"))
        case "coap":
            return await ask(context, step)
        case "observe":
            return await observe(context, step)
        case "watch":
            return await watch(context, step)
        case "await":
            return await asyncio.wait_for(watches[step["uri"]].until(step["text"]), PATIENCE_S)
        case "leave":
            return watches.pop(step["uri"]).request.observation.cancel()
        case "post":
            return await post(context, step)
        case other:
            raise ValueError(f'there is no step "{other}"')


async def steps():
    if len(sys.argv) > 2:
        for step in json.loads(sys.argv[2]):
            yield step
    else:
        while line := await asyncio.to_thread(sys.stdin.readline):
            if line.strip():
                yield json.loads(line)


async def main():
    context = await aiocoap.Context.create_client_context()
    if len(sys.argv) < 3:
        print('{"do": "start"}', flush=True)
    async for step in steps():
        try:
            value = await carry_out(step, int(sys.argv[1]), context)
            result = {} if value is None else {"value": value}
        except Exception as error:
            result = {"error": str(error) or type(error).__name__}
        print(json.dumps(step | result), flush=True)
    await context.shutdown()


asyncio.run(main())
