import { expect, test } from 'bun:test';
import { eventually } from '../support/eventually.ts';
import { connectClient, createWorld, openClient, startTestGateway } from '../support/gateway-world.ts';
import { twoEnds } from '../support/two-ends.ts';

const base = await twoEnds();

test('a user’s sockets are counted over all gateways', async () => {
  const world = await createWorld(base);
  const [ada, bob] = await world.newUsers(2);
  const [one, other] = await Promise.all(
    base.ends.map((end) => startTestGateway({ ...base, ...end, maxSocketsPerUser: 3 })),
  );
  const clients = [await connectClient(one!.url, ada!), await connectClient(one!.url, ada!)];
  const online = () => base.ends[0]!.presence.elsewhere([ada!.id]);
  await eventually(
    'the other gateway can know',
    async () => (await base.ends[1]!.presence.elsewhere([ada!.id]))[0]?.length === 2,
  );
  clients.push(await connectClient(other!.url, ada!));
  const fourth = openClient(other!.url, ada!.token);
  await eventually('it is refused', () => fourth.errors.length > 0);
  expect(fourth.errors[0].data.code).toBe('too_many_sockets');
  clients.push(await connectClient(other!.url, bob!));
  await eventually('the first gateway knows of the third', async () => (await online())[0]?.length === 1);
  const fifth = openClient(one!.url, ada!.token);
  await eventually('it is refused there too', () => fifth.errors.length > 0);
  expect(fifth.errors[0].data.code).toBe('too_many_sockets');

  for (const client of clients.splice(0, 2)) client.close();
  await eventually(
    'they are gone',
    async () => (await base.ends[1]!.presence.elsewhere([ada!.id]))[0]?.length === 0,
  );
  clients.push(await connectClient(other!.url, ada!));
  for (const client of [...clients, fourth, fifth]) client.close();
  for (const gateway of [one!, other!]) await gateway.stop();
});
