import { expect, test } from 'bun:test';
import { Parser } from '@asyncapi/parser';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import { createEventsDocument } from '../../src/api/events-document.ts';
import { embeddedBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';
import { connectClient, createWorld, startTestGateway } from '../support/gateway-world.ts';
import { readText } from '../support/repository.ts';

const document = createEventsDocument();
const { messages } = document.channels.chat;
/** What a socket gives and is refused with, which are no events. */
const [connect, refusal] = ['connect', 'connect_error'];

test('is AsyncAPI 3, with nothing to complain of', async () => {
  const { document: parsed, diagnostics } = await new Parser().parse(JSON.stringify(document));
  // Errors and warnings; what is left is that there is a later version.
  expect(diagnostics.filter(({ severity }) => severity < 2)).toEqual([]);
  expect(parsed?.version()).toBe('3.0.0');
  expect(parsed?.operations().filterBySend()).toHaveLength(1);
});

test('has every event of the contract, and no other', async () => {
  const contract = await readText('src/shared/contract.ts');
  const names = [...contract.matchAll(/^ {2}'([a-z]+(?:\.[a-z]+)+)'\??:/gm)].map(([, name]) => String(name));
  expect(names).toContain('chat.message.new');
  expect(names).toContain('chat.ready');
  const described = Object.keys(messages).filter((name) => name !== connect && name !== refusal);
  expect(described.toSorted()).toEqual(names.toSorted());
  for (const [key, { name, payload }] of Object.entries(messages)) {
    expect(name).toBe(key);
    expect(Object.keys(payload), key).not.toBeEmpty();
  }
});

test('what a socket is told is as described', async () => {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats(ajv);
  ajv.addSchema(document, 'document');
  const { database, facts, notifier, subscriber, presence } = await embeddedBase();
  const world = await createWorld({ database, facts, notifier });
  const gateway = await startTestGateway({ database, facts, subscriber, presence });
  const [ada, bob, eve] = await world.newUsers(3);
  const clients = await Promise.all([ada!, bob!, eve!].map((user) => connectClient(gateway.url, user)));
  const told: [string, unknown][] = [];
  for (const { socket } of clients) socket.onAny((event, payload) => told.push([event, payload]));

  // One after the other: of what has changed again nobody is told what it was.
  const isTold = (...names: string[]) =>
    eventually(names.join(), () => names.every((name) => told.some(([event]) => event === name)));
  const chat = await world.newGroup(ada!, bob!);
  await isTold('chat.created');
  const { message } = await world.send(ada!, chat.id, 'Hello');
  await isTold('chat.message.new', 'chat.message.saved');
  await world.edit(ada!, message, 'Hello again');
  await isTold('chat.message.updated');
  await world.own.markRead({ userId: bob!.id, chatId: chat.id, sequence: 1 });
  await world.delete(ada!, message);
  await isTold('chat.message.deleted', 'chat.membership', 'chat.read');
  await world.add(ada!, chat.id, eve!);
  await isTold('chat.participant.added');
  await world.remove(ada!, chat.id, eve!);
  await world.updateMe({ userId: bob!.id, readReceipts: false });
  const auth = { token: ada!.token, cursors: { [chat.id]: 99 } };
  const { socket, seen } = await connectClient(gateway.url, ada!, { auth });
  told.push(...seen.map(({ event, payload }): [string, unknown] => [event, payload]));
  await isTold('chat.participant.removed', 'user.updated', 'chat.sync.reset');
  for (const [event, payload] of told) {
    const valid = ajv.compile({ $ref: `document#/channels/chat/messages/${event}/payload` });
    expect(valid(payload), `${event} ${ajv.errorsText(valid.errors)}`).toBe(true);
  }
  for (const one of [...clients.map((client) => client.socket), socket]) one.disconnect();
  await gateway.stop();
});
