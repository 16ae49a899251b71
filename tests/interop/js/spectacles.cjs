// A consumer and producer on @spectacles/brokers, of the version that BROKERS names.

'use strict';

const { once } = require('node:events');
const Redis = require('ioredis');
const brokers = require(process.env.BROKERS);
const { bodyOf, failed, received, serve, setup } = require('./lines.cjs');

const { transport, address, group, subgroup } = setup;
let acknowledging = true;

const connect = async () => {
  if (transport === 'redis') {
    const client = new Redis(address);
    await once(client, 'ready');
    return new brokers.Redis(group, client);
  }
  const broker = new brokers.Amqp(group, subgroup ?? undefined);
  broker.on('close', failed);
  await broker.connect(address);
  return broker;
};

const main = async () => {
  const broker = await connect();
  const waiting = [];
  broker.on('error', failed);
  await serve({
    async subscribe({ events }) {
      for (const event of events) {
        broker.on(event, (body, message) => {
          received(event, body);
          if (acknowledging) message.ack();
          else waiting.push(message);
        });
      }
      await broker.subscribe(events);
    },
    // Messages wait for the order `acknowledge` from here on.
    hold() {
      acknowledging = false;
    },
    async acknowledge() {
      await Promise.all(waiting.splice(0).map((message) => message.ack()));
    },
    async publish(order) {
      await broker.publish(order.event, bodyOf(order), order.options);
    },
    // Publishes, and waits for a reply.
    call: async (order) => {
      try {
        return { reply: await broker.call(order.event, bodyOf(order), order.options) };
      } catch (error) {
        return { error: error.message };
      }
    },
    // Replies to the oldest message that is held.
    reply: async ({ body }) => {
      const message = waiting.shift();
      await message.reply(body);
      await message.ack();
    },
  });
};

main().catch((error) => {
  failed(error);
  process.exitCode = 1;
});
