import { afterAll, expect, test } from 'bun:test';
import { join } from 'node:path';
import { createElement, type FunctionComponent, StrictMode } from 'react';
import { startEmbedded } from '../support/deployment.ts';
import { openPage, type Part } from '../support/page.ts';
import { testProcesses } from '../support/processes.ts';
import { repository } from '../support/repository.ts';

const processes = testProcesses();
const page = await openPage();
afterAll(page.close);
// A second socket of one user would be refused, and seen to be.
const deployment = await startEmbedded(processes, {
  env: { RATE_LIMIT_ENABLED: 'false', MAX_SOCKETS_PER_USER: '1' },
});
const url = deployment.apiUrl;
// With the types of a page, which the tests have not: checked where it is built.
const { App } = (await import(join(repository, 'examples/react/app.tsx'))) as {
  App: FunctionComponent<{ url: string }>;
};

async function signUp(name: string): Promise<Part & { email: string }> {
  const email = `${name}-${crypto.randomUUID()}@example.com`;
  const part = page.show(createElement(StrictMode, null, createElement(App, { url })));
  await part.sees('Sign up');
  part.type('Email', email);
  part.type('Password', 'correct horse battery staple');
  part.click('Sign up');
  await part.sees(name, '(ready)');
  return { ...part, email };
}

test('two people talk in the example, each over one connection', async () => {
  const [ada, bob] = await Promise.all([signUp('ada'), signUp('bob')]);
  ada.type('Chat with (email)', bob.email);
  ada.enter('Chat with (email)');
});
