// A consumer and producer on amqplib. It shows bodies and properties as they are.

'use strict';

const amqp = require('amqplib');
const { bodyOf, failed, received, serve, setup } = require('./lines.cjs');

const { url, group } = setup;

const main = async () => {
  const connection = await amqp.connect(url);
  connection.on('error', failed);
  const channel = await connection.createConfirmChannel();
  channel.on('error', failed);
  await channel.assertExchange(group, 'direct', { durable: true });
  await serve({
    async subscribe({ events }) {
      for (const event of events) {
        const { queue } = await channel.assertQueue(`${group}:${event}`, { durable: true });
        await channel.bindQueue(queue, group, event);
        await channel.consume(queue, (message) => {
          const properties = Object.entries(message.properties).filter(([, value]) => value !== undefined);
          received(event, message.content, Object.fromEntries(properties));
          channel.ack(message);
        });
      }
    },
    async publish(order) {
      const body = bodyOf(order);
      channel.publish(group, order.event, Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)), order.options);
      await channel.waitForConfirms();
    },
  });
};

main().catch((error) => {
  failed(error);
  process.exitCode = 1;
});
