import { afterAll, expect, test } from 'bun:test';
import { createClient } from '../../client/src/client.ts';
import { startEmbedded } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { newPerson } from '../support/people.ts';
import { testProcesses } from '../support/processes.ts';

const processes = testProcesses();
const deployment = await startEmbedded(processes);

test('smoke', async () => {
  const [ada, bob] = await Promise.all([newPerson(deployment), newPerson(deployment)]);
  const open = (who: typeof ada) => {
    const client = createClient({ url: deployment.apiUrl, getToken: () => who.token });
    client.connect();
    return client;
  };
  const [a, b] = [open(ada), open(bob)];
  await eventually(
    'ready',
    () => a.status.getSnapshot().state === 'ready' && b.status.getSnapshot().state === 'ready',
  );
  const made = await a.createChat({ participantUserIds: [bob.id] });
  await eventually('bob has it', () => b.chats.getSnapshot().items.length === 1);
  const chat = a.chat(made.id);
  const theirs = b.chat(made.id);
  const off = [chat.messages.subscribe(() => {}), theirs.messages.subscribe(() => {})];
  chat.send({ content: 'one' });
  chat.send({ content: 'two' });
  await eventually(
    'saved',
    () => chat.messages.getSnapshot().items.filter((m) => m.state === 'saved').length === 2,
  );
  await eventually('heard', () => theirs.messages.getSnapshot().items.length === 2);
  await eventually('unread', () => b.unread.getSnapshot().chats === 1);
  console.log(b.unread.getSnapshot(), theirs.membership.getSnapshot(), theirs.messages.getSnapshot().items);
  a.disconnect();
  b.disconnect();
  for (const each of off) each();
}, 20_000);
