// MQTT.js against the broker: all QoS, a will, a session over a broken connection, topic aliases.
//   mqttjs.mjs LIVE_BROKER    exit code 77: the package mqtt is not installed
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import assert from 'node:assert/strict';
import { mqtt } from './mqttjs_module.mjs';

const broker = spawn(process.argv[2], ['0'], { stdio: ['ignore', 'pipe', 'inherit'] });
const [line] = await once(broker.stdout, 'data');
const url = `mqtt://127.0.0.1:${Number(line.toString().split(' ')[1])}`;
const deadline = setTimeout(() => { console.error('too slow'); process.exit(1); }, 60000);

const connect = (clientId, more = {}) =>
    mqtt.connectAsync(url, { protocolVersion: 5, clientId, reconnectPeriod: 0, ...more });

// Messages as they come, each once.
function inbox(client) {
    const waiting = [];
    const here = [];
    client.on('message', (topic, payload, packet) => {
        const next = waiting.shift();
        const message = { topic, payload: payload.toString(), packet };
        if (next) next(message); else here.push(message);
    });
    return () => here.length ? Promise.resolve(here.shift()) : new Promise((done) => waiting.push(done));
}

const sub = await connect('sub', { properties: { topicAliasMaximum: 5 } });
const pub = await connect('pub', { autoAssignTopicAlias: true, autoUseTopicAlias: true });
const next = inbox(sub);
const granted = await sub.subscribeAsync('a/#', { qos: 2, properties: { subscriptionIdentifier: 9 } });
assert.equal(granted[0].qos, 2);
for (const qos of [0, 1, 2]) {
    await pub.publishAsync('a/b', `q${qos}`, { qos, properties: { userProperties: { k: 'v' } } });
    const message = await next();
    if (qos < 2) { // MQTT.js 5.16 tells of QoS 2 at its PUBREL, with the topic as it was sent: an alias
        assert.equal(message.topic, 'a/b');
    }
    assert.equal(message.payload, `q${qos}`);
    assert.equal(message.packet.qos, qos);
    assert.equal(message.packet.properties.userProperties.k, 'v');
    assert.equal(message.packet.properties.subscriptionIdentifier, 9);
}
await sub.unsubscribeAsync('a/#');
await sub.subscribeAsync('will', { qos: 1 });
const dying = await connect('dying', { will: { topic: 'will', payload: 'gone', qos: 1 } });
dying.stream.destroy();
assert.equal((await next()).payload, 'gone');

const session = { clean: false, properties: { sessionExpiryInterval: 60 } };
const away = await connect('away', session);
await away.subscribeAsync('later', { qos: 2 });
away.stream.destroy();
await once(away, 'close');
for (let index = 0; index < 10; index++) {
    await pub.publishAsync('later', String(index), { qos: 1 + index % 2 });
}
const back = mqtt.connect(url, { protocolVersion: 5, clientId: 'away', reconnectPeriod: 0, ...session });
const nextBack = inbox(back);
const [connack] = await once(back, 'connect');
assert.equal(connack.sessionPresent, true);
const seen = [[], [], []]; // order is that of each QoS
for (let count = 0; count < 10; count++) {
    const { payload, packet } = await nextBack();
    seen[packet.qos].push(payload);
}
assert.deepEqual(seen, [[], ['0', '2', '4', '6', '8'], ['1', '3', '5', '7', '9']]);
const taken = once(back, 'disconnect');
const again = await connect('away', session);
assert.equal((await taken)[0].reasonCode, 0x8e);

await Promise.all([sub, pub, again].map((client) => client.endAsync()));
clearTimeout(deadline);
broker.kill('SIGTERM');
const [code] = await once(broker, 'exit');
assert.equal(code, 0);
console.log('MQTT.js: all as it should be');
process.exit(0);
