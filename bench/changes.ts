import { createEmbeddedPresence } from '../src/adapters/embedded/presence.ts';
import { kinds } from '../src/changes/kinds.ts';
import { createReadChanges } from '../src/changes/read-changes.ts';
import { alternate, valuesOf } from './harness/alternate.ts';
import type { BenchPath } from './harness/bench.ts';
import { getRequest, loadWindow, startHttpLoad } from './harness/http.ts';
import { asConfabConnects, pgbench, statementOf, withValues } from './harness/pgbench.ts';
import { chatId, populate, settleDatabase, signTokens, userId } from './harness/population.ts';
import { startConfab } from './harness/process.ts';
import { spreadText } from './harness/report.ts';
import type { BenchDatabase } from './harness/servers.ts';
import { spreadOf } from './harness/statistics.ts';

/** Of one chat, and as many later changes of them. */
const messages = 100_000;
/** Who read it. */
const readers = 10;
/** Of the other chat, whose gateways read a gap. */
const crowd = 100_000;
/** As api and gateway read them. */
const pageRows = 100;
/** From the end: the cursors of a page. */
const cursors = {
  'of the first message': readers,
  'in the middle of the messages': readers + messages / 2,
  'where messages end and changes begin': readers + messages - pageRows / 2,
  'in the middle of the changes': readers + (messages * 3) / 2,
  'of the last ones': readers + 2 * messages - pageRows,
};

/** What a client, or a gateway, has missed. */
export const changes: BenchPath = {
  name: 'changes',
  title: `pages of the changes of a chat with ${messages} messages and as many changes; a gap among ${crowd} participants`,
  async run(bench) {
    const { report, servers, defer, rounds, seconds } = bench;
    report.progress('servers and data');
    const { database, environment } = await populate(bench, {
      users: crowd,
      rooms: [
        { firstChat: 1, chats: 1, size: readers },
        { firstChat: 2, chats: 1, size: crowd },
      ],
    });
    await fill(database);
    const api = await startConfab(bench, 'api', environment);
    const load = await startHttpLoad();
    defer(() => load.end());
    const [token = ''] = await signTokens(environment, 1, 1);

    const statement = (reader?: string) =>
      statementOf((recorder) =>
        createReadChanges(kinds, { database: recorder, presence: createEmbeddedPresence() })(
          [{ chatId: '', after: 0 }],
          pageRows,
          reader,
        ),
      );
    const [ofReader, ofAll] = [await statement(''), await statement()];
    const url = asConfabConnects(database.url);
    const inPostgres = (text: string, chat: number, after: string) => async () => {
      const values = [`ARRAY['${chatId(chat)}']::uuid[]`, `ARRAY[${after}]::bigint[]`, String(pageRows)];
      const script = `\\set anywhere random(0, ${2 * messages})\n${withValues(text, [...values, `'${userId(1)}'`])}`;
      return { ms: (await pgbench(servers, url, { script, clients: 1, amount: { seconds: 1 } })).latencyMs };
    };
    const overApi = (after: number) => async () => {
      const { p50Ms, cpuUs } = await loadWindow(load, api, {
        ...{ port: api.port, connections: 1, seconds: seconds(1), status: 200 },
        requests: [getRequest(api.port, `/chats/${chatId(1)}/changes?after=${after}`, token)],
      });
      return { ms: p50Ms, cpuUs };
    };
    const pages = Object.entries(cursors).map(([name, after]) => ({
      name: `${name}: ${pageRows} rows`,
      run: inPostgres(ofReader, 1, String(after)),
    }));
    const anywhere = { name: 'anywhere', run: inPostgres(ofReader, 1, ':anywhere') };
    const gap = {
      name: `a gap of one message, ${crowd} participants`,
      run: inPostgres(ofAll, 2, String(crowd)),
    };
    const answers = Object.entries(cursors).map(([name, after]) => ({
      name: `${name}: GET /changes`,
      run: overApi(after),
    }));
    const contenders = [...pages, anywhere, gap, ...answers];
    const samples = await alternate(contenders, Math.min(rounds, 3), report.progress);

    const ms = (name: string) => valuesOf(samples, name, 'ms');
    report.table({
      title: 'A page of changes: PostgreSQL on one connection; the api, one request at a time',
      columns: ['after the number', 'ms'],
      rows: contenders.map(({ name }) => [name, spreadText(ms(name))]),
    });
    for (const { name } of contenders) report.figure(`${name}, ms`, ms(name));
    const slowest = (some: readonly { name: string }[]) =>
      Math.max(...some.map(({ name }) => spreadOf(ms(name)).median));
    report.atMost('the slowest page, ms of PostgreSQL', slowest([...pages, anywhere]), 3);
    report.atMost('the gap, ms of PostgreSQL', spreadOf(ms(gap.name)).median, 1);
  },
};

async function fill({ sql }: BenchDatabase): Promise<void> {
  await sql.unsafe(
    `INSERT INTO messages
       (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence, version, edited_at)
     SELECT $1::text::uuid, s, gen_random_uuid(), $2::text::uuid, gen_random_uuid(), 'Shall we meet at the harbour at seven?', now(),
       s + ${readers}, s + ${readers + messages}, now()
     FROM generate_series(1, ${messages}) s`,
    [chatId(1), userId(1)],
  );
  await sql.unsafe(
    `INSERT INTO chat_changes (chat_id, event_sequence, kind, key)
     SELECT $1::text::uuid, s + ${readers + messages}, 'message', s FROM generate_series(1, ${messages}) s`,
    [chatId(1)],
  );
  await sql.unsafe(
    `INSERT INTO messages (chat_id, sequence, id, sender_id, client_message_id, content, sent_at, event_sequence)
     VALUES ($1::text::uuid, 1, gen_random_uuid(), $2::text::uuid, gen_random_uuid(), 'Hello', now(), ${crowd + 1})`,
    [chatId(2), userId(1)],
  );
  await sql.unsafe(
    `UPDATE chats SET last_sequence = said.messages, last_event_sequence = said.events
     FROM (VALUES ($1::text::uuid, ${messages}, ${readers + 2 * messages}), ($2::text::uuid, 1, ${crowd + 1}))
       AS said (chat_id, messages, events)
     WHERE said.chat_id = chats.id`,
    [chatId(1), chatId(2)],
  );
  await settleDatabase(sql);
}
