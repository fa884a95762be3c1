import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { type Deployment, type Member, startEmbedded, startThreeProcesses } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { expressionsOfDashboard } from '../support/known-metrics.ts';
import { newPerson } from '../support/people.ts';
import { testProcesses } from '../support/processes.ts';
import { readYaml, repository } from '../support/repository.ts';
import { realServers } from '../support/servers.ts';

const servers = await realServers();
const processes = testProcesses();
const env = { METRICS_TOKEN: 'the token with which Prometheus comes to each process' };
const [three, one] = await Promise.all([
  startThreeProcesses({ processes, servers, env }),
  startEmbedded(processes, { env }),
]);

interface ScrapeConfig {
  scrape_configs: { job_name: string }[];
}

/** The example, each second, with these addresses for its jobs and no others. */
async function createPrometheus(targets: Record<string, string[]>): Promise<string> {
  const example = await readYaml<ScrapeConfig>('deploy/prometheus/prometheus.yml');
  const jobs = example.scrape_configs.filter(({ job_name }) => job_name in targets);
  const { url } = await servers.createPrometheus({
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [join(repository, 'deploy/prometheus/rules.yml')],
    scrape_configs: jobs.map((job) => ({
      ...job,
      authorization: { credentials: env.METRICS_TOKEN },
      static_configs: [{ targets: targets[job.job_name]?.map((address) => new URL(address).host) }],
    })),
  });
  return url;
}

/** Two people who write to each other, one of whom comes back all the time, and what goes wrong on an ordinary day. */
async function load(deployment: Deployment, signal: AbortSignal): Promise<void> {
  const [ada, bob] = await Promise.all([newPerson(deployment, 'ada'), newPerson(deployment, 'bob')]);
  const chat = await ada.newChat(bob);
  const adaHears = await ada.connect();
  let seen = chat.eventSequence;
  while (!signal.aborted) {
    const bobHears = await bob.connect({ cursors: { [chat.id]: seen } });
    for (let at = 0; at < 10; at += 1) await ada.send(chat.id, 'Hello');
    await eventually('bob hears', () => bobHears.news.length >= 10);
    seen = bobHears.news.at(-5)?.eventSequence ?? seen;
    bobHears.close();
    await ada.call('POST', '/auth/login', { email: 'ada@example.com', password: 'not the one of hers' });
    await ada.call('GET', `/chats/${crypto.randomUUID()}`);
    await Bun.sleep(100);
  }
  adaHears.close();
}

/** The answer of Prometheus to one query: its values now. */
async function valuesOf(prometheus: string, query: string): Promise<number[]> {
  const answer = await fetch(`${prometheus}/api/v1/query`, {
    method: 'POST',
    body: new URLSearchParams({ query: query.replaceAll('$__rate_interval', '10s') }),
  });
  const { status, data } = (await answer.json()) as {
    status: string;
    data: { result: { value: [number, string] }[] };
  };
  if (status !== 'success') throw new Error(`${query}: ${status}`);
  return data.result.map(({ value: [, text] }) => Number(text));
}

/** What is 0 as long as nothing is wrong, waits or is being done in the very moment. */
const mayBeZero = new RegExp(
  [
    'retries|dead_letter|newer_payload|backlog|gap_fills|reuse|refused|rate_limited|breaker|blocked',
    'queue_(messages|length)|oldest_message|pending_requests|in_flight|active_requests|sockets_connecting',
  ].join('|'),
);
/** What was measured, without the 0 that stands for it where nothing was. Of errors nothing is, until there is one: they are shown as a part of all. */
const measured = (query: string) => (errors.test(query) ? query : query.replace(' or vector(0)', ''));
const errors = /broker_unavailable/;

/** What of the dashboard has nothing to show, once all but these have; of what happens all the time more than 0. */
async function emptyQueries(
  deployment: Deployment,
  prometheus: string,
  expected: (expression: string) => boolean,
): Promise<string[]> {
  const loading = new AbortController();
  const loaded = load(deployment, loading.signal);
  let empty = await expressionsOfDashboard();
  const isShown = (query: string, value: number) =>
    value > 0 || (value === 0 && (mayBeZero.test(query) || errors.test(query)));
  const look = async () => {
    // There is nothing new between two scrapes.
    await Bun.sleep(250);
    const shown = await Promise.all(
      empty.map(async (query) =>
        (await valuesOf(prometheus, measured(query))).some((value) => isShown(query, value)),
      ),
    );
    empty = empty.filter((_, at) => !shown[at]);
    return empty.every(expected);
  };
  // What is missing says more than that something is.
  const looked = eventually('all of the dashboard has something to show', look, 40_000).catch(() => {});
  await Promise.race([looked, loaded]);
  loading.abort();
  await loaded;
  return empty;
}

const urls = (members: readonly Member[]) => members.map(({ url }) => url);

test.concurrent('of three processes all of the dashboard has something to show, and each rule is evaluated', async () => {
  const prometheus = await createPrometheus({
    'confab-api': urls(three.apis),
    'confab-gateway': urls(three.gateways),
    'confab-worker': urls(three.workers),
  });
  expect(await emptyQueries(three, prometheus, () => false)).toEqual([]);
  const answer = await fetch(`${prometheus}/api/v1/rules`);
  const { data } = (await answer.json()) as {
    data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
  };
  const unwell = data.groups.flatMap(({ rules }) => rules.filter(({ health }) => health !== 'ok'));
  expect(unwell).toEqual([]);
}, 60_000);

test.concurrent('of the single process all but what is about servers, which it does not have', async () => {
  const prometheus = await createPrometheus({ 'confab-api': [one.apiUrl] });
  const ofServers = (query: string) =>
    /messaging_client|db_client_connection|db_system_name="redis"|confab_(facts|redis|broker|publish)/.test(
      query,
    );
  const empty = await emptyQueries(one, prometheus, ofServers);
  expect(empty).toEqual((await expressionsOfDashboard()).filter(ofServers));
}, 60_000);
