import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { findBinaries } from '../src/commands/servers/binaries.ts';

/** A real browser without a window. */
export async function launchBrowser(): Promise<Browser> {
  const { chromium: executablePath } = findBinaries();
  if (executablePath === undefined) throw new Error('Chromium is not on this machine');
  // Root has no sandbox, and containers little shared memory.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}

/** What a page holds once all garbage is collected. */
export interface Holdings {
  readonly heapBytes: number;
  readonly nodes: number;
}

export async function holdingsOf(page: Page): Promise<Holdings> {
  const devTools = await page.context().newCDPSession(page);
  const collect = async () => {
    await devTools.send('HeapProfiler.collectGarbage');
    return (await devTools.send('Memory.getDOMCounters')).nodes;
  };
  // What one collection frees lets go of more.
  let nodes = await collect();
  for (let before = Number.POSITIVE_INFINITY; nodes < before; ) {
    before = nodes;
    nodes = await collect();
  }
  const { usedSize: heapBytes } = await devTools.send('Runtime.getHeapUsage');
  await devTools.detach();
  return { heapBytes, nodes };
}

/** As a browser does with a tab in the background: no timer and no script runs in it, until it is thawed. */
export async function freeze(page: Page): Promise<{ thaw(): Promise<void> }> {
  const devTools = await page.context().newCDPSession(page);
  await devTools.send('Page.setWebLifecycleState', { state: 'frozen' });
  return {
    async thaw() {
      await devTools.send('Page.setWebLifecycleState', { state: 'active' });
      await devTools.detach();
    },
  };
}

/**
 * A page of the server's origin with a program of ours in it, and without the rules that the web client has.
 * @param entry from the repository's root
 */
export async function openProgram(page: Page, serverUrl: string, entry: string): Promise<void> {
  const { outputs, logs, success } = await Bun.build({
    entrypoints: [join(import.meta.dir, '..', entry)],
    target: 'browser',
    minify: true,
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  if (!success) throw new AggregateError(logs, `${entry} does not build.`);
  const url = `${serverUrl}/program`;
  const body = '<!doctype html><title>Program</title><body></body>';
  await page.route(url, (route) => route.fulfill({ contentType: 'text/html', body }));
  await page.goto(url);
  await page.unroute(url);
  // A module runs some time after it was added.
  const content = `${await outputs[0]?.text()}\nglobalThis.hasRun = true;`;
  await page.addScriptTag({ type: 'module', content });
  await page.waitForFunction('globalThis.hasRun');
}
