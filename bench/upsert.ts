import type { BenchPath } from './harness/bench.ts';
import { populate } from './harness/population.ts';
import { startConfab } from './harness/process.ts';
import { spreadText } from './harness/report.ts';
import { spreadOf } from './harness/statistics.ts';

const users = 1_000;
/** There before, of the same issuer: whoever is looked for among all of them is found late. */
const known = 20_000;
const timesOfRound = 3;
const serviceToken = 'the token of a host for this bench alone';

/** What the host's backend waits for when it tells of its users. */
export const upsert: BenchPath = {
  name: 'upsert',
  title: `PUT /users/external of ${users} users, beside ${known} that are there`,
  async run(bench) {
    const { report, rounds } = bench;
    report.progress('servers and data');
    const { environment } = await populate(bench, { users: 1, rooms: [] });
    const { port } = await startConfab(bench, 'api', environment, { SERVICE_TOKEN: serviceToken });

    /** @returns how long it took, in ms */
    async function put(batch: number, plan: string): Promise<number> {
      const given = Array.from({ length: users }, (_, at) => ({
        externalId: `auth0|${Bun.hash(`${batch} ${at}`).toString(16)}`,
        displayName: `User ${at} of ${batch}`,
        email: `user-${batch}-${at}@example.com`,
        avatarUrl: `https://example.com/avatars/${batch}/${at}.png`,
        metadata: { plan, at },
      }));
      const body = JSON.stringify({ users: given });
      const startedAt = performance.now();
      const answer = await fetch(`http://127.0.0.1:${port}/users/external`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${serviceToken}`, 'content-type': 'application/json' },
        body,
      });
      const text = await answer.text();
      const ms = performance.now() - startedAt;
      if (answer.status !== 200) throw new Error(`unexpected answer: ${text.slice(0, 500)}`);
      return ms;
    }

    let batch = 0;
    while (batch < known / users) await put(batch++, 'free');
    const times: Record<'made' | 'changed', number[]> = { made: [], changed: [] };
    for (let turn = 0; turn < rounds * timesOfRound; turn += 1) {
      report.progress(`turn ${turn + 1}`);
      times.made.push(await put(batch, 'free'));
      times.changed.push(await put(batch++, 'paid'));
    }
    report.table({
      title: `${users} users in one request`,
      columns: ['', 'ms'],
      rows: Object.entries(times).map(([name, values]) => [name, spreadText(values)]),
    });
    for (const [name, values] of Object.entries(times)) {
      report.figure(`${name}, ms`, values);
      report.atMost(`${users} users ${name}, ms`, spreadOf(values).median, 500);
    }
  },
};
