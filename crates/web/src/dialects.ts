// Dialects that the hub understands: which topics whoever speaks one needs, and what it is to be told.

import type { Door } from './new'

export interface Dialect {
  id: string
  title: string
  /** For which devices it is. */
  what: string
  /** The gateway that comes in, if there is one: all its devices come through it. Without one each device does. */
  gateway?: string
  /** Which topics it uses, if its name is this. */
  topics: (name: string) => string[]
  /** Where the following is typed. */
  where: string
  says: (door: Door, user: string, password: string, name: string) => string
  /** What starts the announcement. */
  then: string
}

const HOME_ASSISTANT = 'homeassistant/#'

export const DIALECTS: Dialect[] = [
  {
    id: 'zigbee2mqtt',
    title: 'Zigbee2MQTT',
    what: 'Lamps, switches and sensors with Zigbee, through a stick',
    gateway: 'zigbee2mqtt',
    topics: () => ['zigbee2mqtt/#', HOME_ASSISTANT],
    where: 'configuration.yaml of Zigbee2MQTT',
    says: ({ host, port, isSecure }, user, password) => `mqtt:\n  base_topic: zigbee2mqtt\n  server: mqtt${isSecure ? 's' : ''}://${host}:${port}\n  user: ${user}\n  password: ${password}`,
    then: 'Start Zigbee2MQTT again: it lists its devices at once. New ones come when they are paired.',
  },
  {
    id: 'tasmota',
    title: 'Tasmota',
    what: 'Plugs, relays and lamps with the Tasmota firmware',
    topics: (name) => [`cmnd/${name}/#`, `stat/${name}/#`, `tele/${name}/#`, HOME_ASSISTANT, 'tasmota/#'],
    where: 'the console of the device',
    says: ({ host, port }, user, password, name) => `Backlog MqttHost ${host}; MqttPort ${port}; MqttUser ${user}; MqttPassword ${password}; Topic ${name}; SetOption19 1`,
    then: 'The device starts anew and announces itself by Home Assistant’s discovery (SetOption19), if its firmware has that.',
  },
  {
    id: 'esphome',
    title: 'ESPHome',
    what: 'Boards whose firmware ESPHome makes',
    topics: (name) => [`${name}/#`, HOME_ASSISTANT],
    where: 'the YAML of the device',
    says: ({ host, port }, user, password, name) => `mqtt:\n  broker: ${host}\n  port: ${port}\n  username: ${user}\n  password: ${password}\n  topic_prefix: ${name}\n  discovery: true`,
    then: 'Install it on the device: it announces itself when it starts.',
  },
  {
    id: 'discovery',
    title: 'Home Assistant’s discovery',
    what: 'Whatever announces itself for Home Assistant over MQTT: OpenMQTTGateway, Theengs, and many more',
    topics: (name) => [`${name}/#`, HOME_ASSISTANT],
    where: 'the MQTT settings of the device',
    says: ({ host, port }, user, password, name) => `Host: ${host}\nPort: ${port}\nUser name: ${user}\nPassword: ${password}\nTopics begin with: ${name}\nDiscovery prefix: homeassistant`,
    then: 'Turn discovery on, and start the device anew.',
  },
  {
    id: 'homie',
    title: 'Homie 5',
    what: 'Devices of the Homie convention',
    topics: (name) => [`homie/5/${name}/#`, 'homie/5/$broadcast/#'],
    where: 'the MQTT settings of the device',
    says: ({ host, port }, user, password, name) => `Host: ${host}\nPort: ${port}\nUser name: ${user}\nPassword: ${password}\nDevice id: ${name}\nDomain: homie`,
    then: 'The device announces itself when it connects.',
  },
  {
    id: 'sparkplug',
    title: 'Sparkplug B',
    what: 'Machines and gateways in industry: Ignition, PLC gateways',
    gateway: 'edge',
    topics: () => ['spBv1.0/#'],
    where: 'the MQTT server settings of the edge node',
    says: ({ host, port, isSecure }, user, password) => `URL: ${isSecure ? 'ssl' : 'tcp'}://${host}:${port}\nUser name: ${user}\nPassword: ${password}\nPrimary host id: quartet`,
    then: 'The node is born as soon as it connects, and its devices with it.',
  },
  {
    id: 'chirpstack',
    title: 'ChirpStack 4',
    what: 'Sensors with LoRaWAN',
    gateway: 'chirpstack',
    topics: () => ['application/#'],
    where: 'chirpstack.toml',
    says: ({ host, port, isSecure }, user, password) => `[integration]\n  enabled = ["mqtt"]\n\n  [integration.mqtt]\n  server = "${isSecure ? 'ssl' : 'tcp'}://${host}:${port}"\n  username = "${user}"\n  password = "${password}"\n  json = true`,
    then: 'A sensor becomes a thing with its first uplink.',
  },
  {
    id: 'the-things-stack',
    title: 'The Things Stack 3',
    what: 'Sensors with LoRaWAN, also those of The Things Network',
    gateway: 'the-things-stack',
    topics: () => ['v3/#'],
    where: 'mosquitto.conf of a mosquitto that carries messages from there to here',
    says: ({ host, port }, user, password) =>
      `listener 1885 127.0.0.1\n\nconnection the-things-stack\naddress eu1.cloud.thethings.network:8883\nbridge_capath /etc/ssl/certs\nbridge_protocol_version mqttv311\nremote_username my-application@my-tenant\nremote_password NNSXS.… (an API key)\ntopic v3/+/devices/# in 0\ntopic v3/+/devices/+/down/push out 0\n\nconnection quartet\naddress ${host}:${port}\nremote_username ${user}\nremote_password ${password}\nnotifications false\ntry_private false\ntopic v3/+/devices/# out 0\ntopic v3/+/devices/+/down/push in 0`,
    then: 'A sensor becomes a thing with its first uplink.',
  },
]
