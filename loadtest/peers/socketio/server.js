// A fan-out server on Socket.IO, as loadtest peers starts it: node server.js PORT SCHEDULE SIZE
'use strict';
const http = require('node:http');
const { Server } = require('socket.io');
const pace = require('./pace');

const [port, schedule, size] = process.argv.slice(2);
const server = http.createServer();
const io = new Server(server, {
  transports: ['websocket'],
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
});
// Frees the memory of the first request, as Socket.IO's page on memory usage says.
io.engine.on('connection', (socket) => {
  socket.request = null;
});
io.on('connection', (client) => {
  client.on('subscribe', (wanted, done) => {
    client.join(wanted.map(String));
    done(wanted.length);
  });
});
server.listen({ host: '127.0.0.1', port: Number(port), backlog: 4096 });

// A room's message is encoded once and shared by all of its clients.
pace.run(schedule, Number(size), (due) => {
  for (const { topic, message } of due) io.to(String(topic)).emit('m', message);
});
