import type { Page } from 'playwright-core';
import { holdingsOf, openProgram } from '../harness/browser.ts';
import type { Bench, BenchPath } from './harness/bench.ts';
import { spreadText } from './harness/report.ts';
import { percentile } from './harness/statistics.ts';
import { newProfile, startTalk, type Talk } from './harness/talk.ts';

const items = 1_000;
const arriving = 200;

/** What an app pays for `@confab/client`. */
export const client: BenchPath = {
  name: 'client',
  title: `the client in Chromium: useMessages of ${items} items in React, and memory after many events`,
  async run(bench) {
    const { report, quick } = bench;
    const talk = await startTalk(bench);
    const { took, taskMs } = await arrivals(bench, talk);
    const [few, many] = quick ? [2_000, 20_000] : [10_000, 100_000];
    const { before, after } = await memoryAfter(bench, talk, few, many);

    const mb = (bytes: number) => bytes / 2 ** 20;
    const rows: [string, readonly number[]][] = [
      [`a message that arrives in ${items} items, from the socket until it is laid out, ms`, took],
      ['the same with drawing and garbage collection, ms of the main thread', [taskMs]],
      [`the heap after ${few} events, MB`, [mb(before)]],
      [`the heap after ${many} events, MB`, [mb(after)]],
    ];
    report.table({
      title: 'The client',
      columns: ['', 'median (min … max)'],
      rows: rows.map(([name, values]) => [name, spreadText(values)]),
    });
    for (const [name, values] of rows) report.figure(name, values);
    report.atMost(`a message in ${items} items, ms, p95`, percentile(took, 0.95), 5);
    report.atMost(`the heap after ${many} events / after ${few}`, after / before, 1.1);
  },
};

async function arrivals({ report }: Bench, talk: Talk) {
  report.progress(`${items} messages in React`);
  await talk.send(items);
  const page = await newProfile(talk);
  // Before the client looks for it.
  await page.addInitScript(`
    globalThis.frameAt = 0;
    globalThis.WebSocket = class extends WebSocket {
      constructor(...given) {
        super(...given);
        this.addEventListener('message', () => { globalThis.frameAt = performance.now(); });
      }
    };
  `);
  await openProgram(page, talk.url, 'bench/pages/react-list.ts');
  const { accessToken: token } = talk.bob;
  await page.evaluate((options) => reactListPage.open(options), { token, chatId: talk.chatId, items });
  const untilLast = (text: string) =>
    page.waitForFunction((last) => reactListPage.last() === last, text, { timeout: 60_000 });
  // What has run a few times is compiled.
  await untilLast(await talk.send(arriving, 50));
  await page.evaluate(() => reactListPage.took());
  const taskSeconds = await countTasks(page);
  const before = await taskSeconds();
  await untilLast(await talk.send(arriving, 50));
  const taskMs = (((await taskSeconds()) - before) * 1_000) / arriving;
  const took = (await page.evaluate(() => reactListPage.took())).sort((a, b) => a - b);
  await page.context().close();
  return { took, taskMs };
}

/** @returns what the page's main thread has done since it is counted */
async function countTasks(page: Page): Promise<() => Promise<number>> {
  const devTools = await page.context().newCDPSession(page);
  await devTools.send('Performance.enable');
  return async () => {
    const { metrics } = await devTools.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN;
  };
}

/** With one chat that is shown, whose window is 500 messages. */
async function memoryAfter({ report }: Bench, talk: Talk, few: number, many: number) {
  const page = await newProfile(talk);
  await openProgram(page, talk.url, 'harness/pages/client.ts');
  const { accessToken: token } = talk.bob;
  await page.evaluate((options) => clientPage.open(options), {
    ...{ token, chatId: talk.chatId },
    keptIn: 'memory' as const,
  });
  const heapAfter = async (events: number) => {
    const last = await talk.send(events);
    await page.waitForFunction((text) => clientPage.seen().messages.at(-1)?.content === text, last, {
      ...{ polling: 200, timeout: 120_000 },
    });
    return (await holdingsOf(page)).heapBytes;
  };
  report.progress(`${few} events`);
  const before = await heapAfter(few);
  report.progress(`${many} events`);
  const after = await heapAfter(many - few);
  await page.context().close();
  return { before, after };
}
