// Decodes the frames of a gateway's STDOUT, which comes as STDIN, and prints the data of each, without its filler.

'use strict';

const { createInterface } = require('node:readline');
const { decodeMultiStream } = require('@msgpack/msgpack');

const print = (data) => console.log(JSON.stringify({ ...data, filler: undefined }));

const readers = {
  async lines() {
    for await (const line of createInterface({ input: process.stdin })) print(JSON.parse(line).data);
  },
  async msgpack() {
    for await (const { data } of decodeMultiStream(process.stdin)) print(JSON.parse(data));
  },
};

readers[process.argv[2]]();
