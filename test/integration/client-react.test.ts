import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { type FunctionComponent, createElement as h, StrictMode } from 'react';
import { startEmbedded } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { openPage } from '../support/page.ts';
import { testProcesses } from '../support/processes.ts';
import { repository } from '../support/repository.ts';

const processes = testProcesses();
const page = await openPage();
const deployment = await startEmbedded(processes, {
  // A second one of the same user would be refused, and seen to be.
  env: { MAX_SOCKETS_PER_USER: '1' },
});
const url = deployment.apiUrl;

test('two people talk in the example, under StrictMode each over one connection', async () => {
  // Its types are those of a page, which the tests have not: they are checked where it is built.
  const { App } = (await import(join(repository, 'examples/react/app.tsx'))) as {
    App: FunctionComponent<{ url: string }>;
  };
  async function signUp(name: string) {
    const email = `${name}-${crypto.randomUUID()}@example.com`;
    const part = page.show(h(StrictMode, null, h(App, { url })));
    await part.sees('Sign up');
    await part.type('Email', email);
    await part.type('Password', 'correct horse battery staple');
    part.click('Sign up');
    await part.sees(name, '(ready)');
    return { ...part, email };
  }
  const [ada, bob] = await Promise.all([signUp('ada'), signUp('bob')]);

  await ada.type('Chat with (email)', bob.email);
  ada.enter('Chat with (email)');
  await eventually('the chat is open', () => ada.has('Message'));
  await ada.type('Message', 'Hello');
  ada.enter('Message');
  await ada.sees('Hello', 'saved');

  // Unread until it is on the screen.
  await bob.sees('(ready) 1', 'ada', ' 1');
  bob.click('ada');
  await bob.sees('Hello');
  await eventually('it is read', () => !bob.text().includes('(ready) 1'));

  await bob.type('Message', 'H');
  await ada.sees('Somebody types');
  await bob.type('Message', 'Hi Ada');
  bob.enter('Message');
  await ada.sees('Hi Ada');
  await eventually('nobody types', () => !ada.text().includes('Somebody types'));

  bob.click('👍');
  await ada.sees('👍 1');
  ada.click('Edit');
  await eventually('it can be edited', () => ada.has('New text'));
  await ada.type('New text', 'Hello Bob');
  ada.enter('New text');
  await bob.sees('Hello Bob', '(edited)');
  ada.click('Delete');
  await bob.sees('(deleted)');
  expect(bob.text()).not.toContain('Hello Bob');
  for (const each of [ada, bob]) expect(each.text()).toContain('(ready)');
  // While there still is a server that answers.
  await page.close();
}, 60_000);
