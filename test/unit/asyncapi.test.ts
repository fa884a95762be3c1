import { expect, test } from 'bun:test';
import { Parser } from '@asyncapi/parser';
import { createEventsDocument } from '../../src/api/events-document.ts';
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
}, 20_000);

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
