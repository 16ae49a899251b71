// The bot of the original gateway's example (spec-tacles/example): its handler is unchanged, but what it posts to Discord is
// reported here.

'use strict';

const { once } = require('node:events');
const RedisClient = require('ioredis');
const { Redis } = require('brokers-0.9');
const { failed, received, serve, setup } = require('./lines.cjs');

const proxy = { post: async (path, body) => received('post', { path, body }) };

const main = async () => {
  const redis = new RedisClient(setup.address);
  await once(redis, 'ready');
  const gateway = new Redis('gateway', redis);
  gateway.on('error', failed);

  gateway.on('MESSAGE_CREATE', async (body) => {
    const message = JSON.parse(body);
    if (message.content === 'ping') {
      await proxy.post(`/channels/${message.channel_id}/messages`, {
        content: 'pong',
      });
    }
  });

  await gateway.subscribe(['MESSAGE_CREATE']);
  await serve({});
};

main().catch((error) => {
  failed(error);
  process.exitCode = 1;
});
