// Writes down what is said at a broker: record.cjs PORT FILTER FILE, until its input ends.
//
// A line of JSON per message: `topic`, `retain` as it was published, and the payload as `text` if it
// is text without control characters, else as `hex`. It listens at QoS 0, because handshakes of
// higher ones would change the order.

const { createWriteStream } = require('node:fs')
const mqtt = require('mqtt')

const [port, filter, file] = process.argv.slice(2)
const out = createWriteStream(file)
const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5 })

function payloadOf(bytes) {
  const text = bytes.toString()
  const isText = Buffer.from(text).equals(bytes) && !/[\u0000-\u001f]/.test(text)
  return isText ? { text } : { hex: bytes.toString('hex') }
}

client.on('message', (topic, bytes, { retain }) => {
  out.write(`${JSON.stringify({ topic, retain, ...payloadOf(bytes) })}\n`)
})
client.subscribe(filter.split(' '), { qos: 0, rap: true }, (error) => {
  if (error) throw error
  console.log('ready')
})
process.stdin.resume().on('end', () => client.end(() => out.end()))
