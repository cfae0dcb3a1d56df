// MQTT.js, from the folder that scripts/fetch.sh has put it into (MQTT_MODULES holds node_modules).
import { createRequire } from 'node:module';

export let mqtt;
try {
    const modules = process.env.MQTT_MODULES;
    mqtt = createRequire(modules ? `${modules}/` : import.meta.url)('mqtt');
} catch {
    console.log('the package mqtt is not installed: scripts/fetch.sh mqttjs fetches it');
    process.exit(process.env.CI === 'true' ? 1 : 77); // in CI nothing is left out
}
