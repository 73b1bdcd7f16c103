// A fan-out server on ws, as loadtest peers starts it: node server.js PORT SCHEDULE SIZE
'use strict';
const { WebSocketServer } = require('ws');
const pace = require('./pace');

// A client that has not read so much is not sent more: memory stays bounded, and loss is seen.
const MAX_BUFFERED = 1 << 20;

const [port, schedule, size] = process.argv.slice(2);
const topics = [];
const subscribers = (topic) => (topics[topic] ??= new Set());

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: Number(port),
  perMessageDeflate: false,
  backlog: 4096,
});
server.on('connection', (client, request) => {
  client.on('error', () => client.terminate());
  client.on('close', () => topics.forEach((topic) => topic.delete(client)));
  client.on('message', (text) => {
    const wanted = JSON.parse(text).subscribe;
    wanted.forEach((topic) => subscribers(topic).add(client));
    client.send(JSON.stringify({ subscribed: wanted.length }));
  });
});

// What is due at once is written corked: one system call a client, not one a message.
pace.run(schedule, Number(size), (due) => {
  if (due.length === 1) {
    const { topic, message } = due[0];
    subscribers(topic).forEach((client) => send(client, message));
    return;
  }
  const corked = new Set();
  for (const { topic, message } of due) {
    for (const client of subscribers(topic)) {
      if (!corked.has(client)) {
        client._socket?.cork();
        corked.add(client);
      }
      send(client, message);
    }
  }
  corked.forEach((client) => client._socket?.uncork());
});

function send(client, message) {
  if (client.bufferedAmount < MAX_BUFFERED) client.send(message);
}
