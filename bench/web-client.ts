import type { Page } from 'playwright-core';
import { freeze } from '../harness/browser.ts';
import { scrollUp } from '../harness/scroll-up.ts';
import { cpuMicroseconds } from '../harness/usage.ts';
import type { Bench, BenchPath } from './harness/bench.ts';
import { spreadText } from './harness/report.ts';
import { percentile, spreadOf } from './harness/statistics.ts';
import { newProfile, startTalk, type Talk } from './harness/talk.ts';

const messages = 50;
const aSecond = 100;

/** What a person waits for, and what an open page costs them. */
export const webClient: BenchPath = {
  name: 'web-client',
  title:
    'the web client in Chromium: first paint, sent to shown, 100 messages a second, a minute in the background',
  async run(bench) {
    const { report, seconds } = bench;
    const talk = await startTalk(bench);
    await talk.send(600);
    const signedOut = await firstPaints(bench, talk, false);
    const signedIn = await firstPaints(bench, talk, true);

    const bob = await openChat(talk);
    const shown = await sentToShown(bench, talk, bob);
    const load = await underLoad(bench, talk, bob);

    report.progress('in the background');
    const { thaw } = await freeze(bob);
    const last = await talk.send(seconds(60), 1);
    const thawedAt = performance.now();
    await thaw();
    await untilShown(bob, last);
    const backAfter = (performance.now() - thawedAt) / 1_000;

    report.progress('10,000 messages');
    await untilShown(bob, await talk.send(10_000));
    const { full, top } = await scrollUp(bob);

    const rows: [string, readonly number[]][] = [
      ['first paint, nobody signed in, ms', signedOut.map(({ paintMs }) => paintMs)],
      ['first paint, signed in, ms', signedIn.map(({ paintMs }) => paintMs)],
      ['the messages of the open chat shown, ms', signedIn.map(({ messagesMs }) => messagesMs)],
      ['from the Enter key to the other’s screen, ms', shown],
      [`the page at ${aSecond} messages a second, % of a core`, load.map(({ page }) => page)],
      ['its drawing beside it (no graphics processor here), % of a core', load.map(({ drawing }) => drawing)],
      [`${seconds(60)} s frozen: what came meanwhile is shown after, s`, [backAfter]],
      ['the heap with 2,000 messages in the page, MB', [full.heapBytes / 2 ** 20]],
      ['the same at the first of more than 10,000, MB', [top.heapBytes / 2 ** 20]],
    ];
    report.table({
      title: 'The web client',
      columns: ['', 'median (min … max)'],
      rows: rows.map(([name, values]) => [name, spreadText(values)]),
    });
    for (const [name, values] of rows) report.figure(name, values);
    const paints = [...signedOut, ...signedIn].map(({ paintMs }) => paintMs);
    report.atMost('first paint, ms, the slowest', spreadOf(paints).max, 1_000);
    report.atMost(
      'sent to shown, ms, p95',
      percentile(
        shown.toSorted((a, b) => a - b),
        0.95,
      ),
      100,
    );
    report.atMost(
      `at ${aSecond} messages a second, % of a core`,
      spreadOf(load.map(({ page }) => page)).median,
      50,
    );
  },
};

async function firstPaints({ rounds, report }: Bench, talk: Talk, isSignedIn: boolean) {
  const paints: { paintMs: number; messagesMs: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    report.progress(`first paint, round ${round + 1}/${rounds}`);
    const page = await newProfile(talk, isSignedIn ? talk.bob : undefined);
    const startedAt = performance.now();
    await page.goto(`${talk.url}/#${talk.chatId}`);
    await (isSignedIn ? page.locator('.message').first() : page.getByLabel('Email')).waitFor();
    const messagesMs = performance.now() - startedAt;
    paints.push({ paintMs: await once<number>(page, paintScript), messagesMs });
    await page.context().close();
  }
  return paints;
}

const paintScript = `performance.getEntriesByName('first-contentful-paint')[0]?.startTime`;

/** Once there is such a value. The page's own rules let nobody wait for that inside of it. */
async function once<Value>(page: Page, script: string): Promise<Value> {
  for (;;) {
    const value = await page.evaluate<Value | undefined>(script);
    if (value !== undefined) return value;
    await Bun.sleep(20);
  }
}

/** Bob's page, with as many messages as it holds. */
async function openChat(talk: Talk): Promise<Page> {
  const page = await newProfile(talk, talk.bob);
  await page.goto(`${talk.url}/#${talk.chatId}`);
  await page.locator('.message').first().waitFor();
  for (let held = 0; held < 500; held = await page.locator('.message').count())
    await page.evaluate(`document.querySelector('.scroller').scrollTo(0, -1e6)`);
  await page.getByRole('button', { name: 'Latest messages' }).click();
  return page;
}

const untilShown = (page: Page, text: string): Promise<void> =>
  page.getByText(text, { exact: true }).filter({ visible: true }).first().waitFor({ timeout: 60_000 });

/** From the key to what is painted, by the clock that both pages share. */
async function sentToShown({ report }: Bench, talk: Talk, bob: Page): Promise<number[]> {
  report.progress('sent to shown');
  const ada = await newProfile(talk, talk.ada);
  await ada.goto(`${talk.url}/#${talk.chatId}`);
  const field = ada.getByRole('textbox', { name: 'Message' });
  await ada.locator('.message').first().waitFor();
  await ada.evaluate(`addEventListener('keydown', () => { pressedAt = Date.now(); }, true)`);
  await bob.evaluate(noteShown);
  const took: number[] = [];
  for (let at = 0; at < messages; at += 1) {
    const text = `From the keyboard ${at}`;
    await field.fill(text);
    await field.press('Enter');
    const shownAt = await once<number>(bob, `shownAt.get('${text}')`);
    took.push(shownAt - (await ada.evaluate<number>('pressedAt')));
  }
  await bob.evaluate('observer.disconnect()');
  await ada.context().close();
  return took;
}

/** A frame is painted before a message comes that was posted when it began. */
const noteShown = `
  shownAt = new Map();
  observer = new MutationObserver(() => {
    const text = [...document.querySelectorAll('.message .text')].at(-1)?.textContent;
    if (shownAt.has(text)) return;
    shownAt.set(text, undefined);
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        shownAt.set(text, Date.now());
        port1.close();
      };
      port2.postMessage(undefined);
    });
  });
  observer.observe(document.body, { subtree: true, childList: true });
`;

async function underLoad({ rounds, seconds, report }: Bench, talk: Talk, page: Page) {
  const devTools = await talk.browser.newBrowserCDPSession();
  /** Of the processes of this kind, all in all. */
  const used = async (kind: string) => {
    const { processInfo } = await devTools.send('SystemInfo.getProcessInfo');
    const own = processInfo.filter(({ type }) => type === kind);
    return own.reduce((sum, { id }) => sum + cpuMicroseconds(id), 0);
  };
  const samples: { page: number; drawing: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    report.progress(`${aSecond} messages a second, round ${round + 1}/${rounds}`);
    const [pageBefore, drawingBefore, startedAt] = [
      await used('renderer'),
      await used('GPU'),
      performance.now(),
    ];
    await untilShown(page, await talk.send(aSecond * seconds(10), aSecond));
    const percent = (us: number) => us / (performance.now() - startedAt) / 10;
    samples.push({
      page: percent((await used('renderer')) - pageBefore),
      drawing: percent((await used('GPU')) - drawingBefore),
    });
  }
  await devTools.detach();
  return samples;
}
