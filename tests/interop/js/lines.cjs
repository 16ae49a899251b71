// The line protocol between these scripts and the tests that drive them: orders come on STDIN as lines of JSON; answers to
// them and what was received go to STDOUT. `process.argv[2]` holds the set-up as JSON.

'use strict';

const { createInterface } = require('node:readline');

const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** The set-up that the test gave. */
exports.setup = JSON.parse(process.argv[2]);

/** Reports a message. */
exports.received = (event, body, properties) => {
  const binary = body instanceof Uint8Array;
  const kind = binary ? 'bytes' : body === null ? 'null' : typeof body;
  write({ event, kind, body: binary ? Buffer.from(body).toString('hex') : (body ?? null), properties });
};

/** Reports that the client could make nothing of a message, or gave up. */
exports.failed = (error) => write({ event: '', kind: 'error', body: String(error?.message ?? error) });

/** Says that the script is ready, then carries out orders by their names until STDIN ends. */
exports.serve = async (orders) => {
  write({ answer: null });
  for await (const line of createInterface({ input: process.stdin })) {
    const { order, ...particulars } = JSON.parse(line);
    write({ answer: (await orders[order](particulars)) ?? null });
  }
  process.exit();
};

/** What an order says is to be published. */
exports.bodyOf = ({ body, bytes }) => (bytes === undefined ? body : Buffer.from(bytes, 'hex'));
