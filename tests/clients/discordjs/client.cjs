// A bot on @discordjs/ws. It reports what it gets on STDOUT, one JSON object a line, and ends when STDIN does.

'use strict';

const { REST } = require('@discordjs/rest');
const { CompressionMethod, WebSocketManager, WebSocketShardEvents } = require('@discordjs/ws');

const { GATEWAY_API, GATEWAY_COMPRESSION, GATEWAY_INTENTS, GATEWAY_TOKEN } = process.env;

const report = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const problem = (error) => report({ report: 'problem', text: error?.stack ?? String(error) });

const manager = new WebSocketManager({
  token: GATEWAY_TOKEN,
  intents: Number(GATEWAY_INTENTS),
  rest: new REST({ api: GATEWAY_API }).setToken(GATEWAY_TOKEN),
  compression: GATEWAY_COMPRESSION === 'zlib' ? CompressionMethod.ZlibNative : null,
  useIdentifyCompression: GATEWAY_COMPRESSION === 'payload',
});

manager.on(WebSocketShardEvents.Dispatch, ({ s, t }, shard) =>
  report({ report: 'dispatch', shard, sequence: s, name: t }),
);
manager.on(WebSocketShardEvents.HeartbeatComplete, (_, shard) => report({ report: 'ack', shard }));
manager.on(WebSocketShardEvents.Error, problem);
manager.on(WebSocketShardEvents.SocketError, problem);

process.on('unhandledRejection', problem);
process.stdin.resume().on('end', async () => {
  await manager.destroy();
  process.exit();
});

manager.connect().catch(problem);
