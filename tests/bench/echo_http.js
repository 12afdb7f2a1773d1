// The yardstick: node:http and nothing else. Reads the body and answers as much JSON as an execution document has.
// PORT in the environment; 127.0.0.1 only.
'use strict';
const http = require('node:http');

const answer = Buffer.from(JSON.stringify({ filler: 'x'.repeat(729) }));

const server = http.createServer((request, response) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    Buffer.concat(pieces);
    response.writeHead(201, { 'Content-Type': 'application/json', 'Content-Length': answer.length });
    response.end(answer);
  });
});
server.keepAliveTimeout = 60000;
server.listen(Number(process.env.PORT), '127.0.0.1', 1024);
