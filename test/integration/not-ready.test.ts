import { expect, test } from 'bun:test';
import { createLocalRegistry } from '../../src/adapters/embedded/registry.ts';
import { createDocument } from '../../src/api/document.ts';
import { json } from '../../src/process/http/answer.ts';
import { createHttpApp } from '../../src/process/http/http-app.ts';
import { route } from '../../src/process/http/route.ts';
import { createMembership } from '../../src/process/membership.ts';
import type { ChangeEvents } from '../../src/shared/contract.ts';
import { createLog } from '../../src/shared/log.ts';
import { process } from '../conformance/registry.ts';
import { eventually } from '../support/eventually.ts';

const log = createLog({ logLevel: 'silent' }, 'test');
const closed = 'chat.poll.closed' as keyof ChangeEvents;
const closing = route({
  method: 'POST',
  path: '/polls/close',
  makes: [closed],
  operation: { operationId: 'closePoll', summary: 'Close', tag: 'chats', responses: {} },
  handle: () => json({ closed: true }),
});

test('a route answers 503 not_ready until every live process can load what it makes, and says so', async () => {
  const registry = createLocalRegistry();
  const fingerprints = async () => ({});
  const membership = createMembership({ registry, fingerprints, kinds: [closed], log, beatMs: 5 });
  const { everyoneLoads } = membership;
  const app = createHttpApp({ routes: [closing], log, everyoneLoads });
  const ask = () => app.fetch(new Request('http://localhost/polls/close', { method: 'POST' }));
  // Nobody has been asked yet.
  expect((await ask()).status).toBe(503);

  const old = process({ roles: ['gateway'], kinds: ['chat.message.new'] });
  await registry.beat(old);
  const { leave } = await membership.join('api');
  const refused = await ask();
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('2');
  expect(await refused.json()).toMatchObject({ code: 'not_ready', type: 'urn:confab:error:not_ready' });

  await registry.leave(old.id);
  await eventually('the old one is gone', async () => (await ask()).status === 200);
  await leave();
});

test('where nobody can say what the others load, it is not ready', async () => {
  const app = createHttpApp({ routes: [closing], log });
  expect((await app.fetch(new Request('http://localhost/polls/close', { method: 'POST' }))).status).toBe(503);
});

test('the document names it for these routes, and for no others', () => {
  const { makes: _, ...other } = closing;
  const shown = createDocument([closing, { ...other, path: '/polls' }]) as { paths: Record<string, object> };
  expect(JSON.stringify(shown.paths['/polls/close'])).toContain('`not_ready`');
  expect(JSON.stringify(shown.paths['/polls'])).not.toContain('`not_ready`');
});
