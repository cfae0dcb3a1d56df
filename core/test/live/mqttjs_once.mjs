// MQTT.js publishes and subscribes with QoS 2, in two sessions whose connections break, and wants
// every message exactly once. MQTT.js 5.16 calls two things errors that are none: a message that it
// had not sent yet when its connection ended, and that it does not keep; and the PUBCOMP of a second
// PUBREL, which says 0x92.
//   mqttjs_once.mjs COUNT PUBLISHER_PORT SUBSCRIBER_PORT    exit code 77: mqtt is not installed
import { setTimeout as sleep } from 'node:timers/promises';
import { mqtt } from './mqttjs_module.mjs';

const [count, publisherPort, subscriberPort] = process.argv.slice(2).map(Number);
const GIVE_UP_MS = 50000;
const SETTLE_MS = 300;
const WINDOW = 16; // published, and not seen through
const TOPIC = 'once';

let connections = 0;
const came = new Array(count).fill(0);
const end = Date.now() + GIVE_UP_MS;
setTimeout(() => {
    const missing = came.filter((times) => times === 0).length;
    console.error(`too slow: ${missing} of ${count} missing`);
    process.exit(1);
}, GIVE_UP_MS).unref();

function open(name, port) {
    const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, {
        protocolVersion: 5, clientId: `${name}${process.pid}`, clean: false, keepalive: 5,
        reconnectPeriod: 20, resubscribe: false, properties: { sessionExpiryInterval: 600 },
    });
    client.on('connect', () => connections++);
    client.on('error', () => {}); // it connects anew
    return client;
}

const subscriber = open('subscriber', subscriberPort);
subscriber.on('message', (topic, payload) => came[Number(payload.toString())]++);
await new Promise((done) => {
    subscriber.on('connect', () => {
        subscriber.subscribe(TOPIC, { qos: 2 }, (error, granted) => {
            if (!error && granted[0].qos === 2) done();
        });
    });
});
const publisher = open('publisher', publisherPort);
async function publish(number) {
    for (;;) {
        try {
            return await publisher.publishAsync(TOPIC, String(number), { qos: 2 });
        } catch (error) {
            if (error.code === 0x92) return undefined;
            if (error.message !== 'Connection closed') throw error;
        }
    }
}

let next = 0;
await Promise.all(Array.from({ length: WINDOW }, async () => {
    while (next < count) await publish(next++);
}));
while (came.some((times) => times === 0) && Date.now() < end) await sleep(20);
await sleep(SETTLE_MS);
const missing = came.filter((times) => times === 0).length;
const twice = came.filter((times) => times > 1).length;
console.log(`${count} messages over ${connections} connections: ${missing} missing, ${twice} came again`);
await Promise.all([publisher.endAsync(true), subscriber.endAsync(true)]);
process.exit(missing + twice > 0 ? 1 : 0);
