import { afterAll, describe, expect, test } from 'bun:test';
import { mkdir } from 'node:fs/promises';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { act, begin, chatOf, field, messageOf, openBrowser, stateOf, visit, write } from '../support/browser.ts';
import { startEmbedded } from '../support/deployment.ts';
import { testProcesses } from '../support/processes.ts';

/** Where pictures for the docs go; without it none are made. */
const picturesTo = process.env.CONFAB_PICTURES;

const processes = testProcesses();
const [browser, running] = await Promise.all([
  openBrowser(),
  startEmbedded(processes, { env: { JWT_ACCESS_TTL: '15m' } }),
]);
const url = `${running.apiUrl}/`;
const say = (page: Page, text: string) => page.getByText(text, { exact: true }).first().waitFor();

/** What axe-core finds that is serious or worse. */
async function seriousOn(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate('axe.run()')) as axe.AxeResults;
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

async function picture(page: Page, name: string): Promise<void> {
  if (picturesTo === undefined) return;
  await mkdir(picturesTo, { recursive: true });
  await page.mouse.move(0, 0);
  await page.screenshot({ path: `${picturesTo}/${name}.png` });
}

for (const polling of [false, true]) {
  test(`two people in two windows, by ${polling ? 'polling' : 'websocket'}`, async () => {
    const [ada, bob] = await Promise.all([
      visit(browser, url, { name: 'Ada Lovelace', polling }),
      visit(browser, url, { name: 'Bob Brown', polling }),
    ]);
    await begin(ada.page, [bob.email]);
    await write(ada.page, 'Hello Bob');
    await stateOf(ada.page, 'Hello Bob', 'saved');

    // It comes into his list, unread, and she is online.
    const row = chatOf(bob.page, 'Ada Lovelace');
    await row.getByRole('img', { name: '1 unread' }).waitFor();
    await row.getByText(', online').waitFor({ state: 'attached' });
    expect(await bob.page.title()).toBe('(1) Confab');
    await row.click();
    await say(bob.page, 'Hello Bob');
    await stateOf(ada.page, 'Hello Bob', 'read');
    await row.getByRole('img', { name: '1 unread' }).waitFor({ state: 'detached' });

    await field(bob.page).pressSequentially('Hel');
    await say(ada.page, 'Bob Brown is typing …');
    await field(bob.page).fill('');
    await write(bob.page, 'Hello Ada');
    await say(ada.page, 'Hello Ada');
    await act(ada.page, 'Hello Ada', 'React', 'heart');
    await messageOf(bob.page, 'Hello Ada').getByRole('button', { name: /^❤️ 1: Ada Lovelace$/ }).click();
    await messageOf(ada.page, 'Hello Ada').getByRole('button', { name: '❤️ 2' }).waitFor();

    await act(bob.page, 'Hello Ada', 'Edit');
    await write(bob.page, 'Good morning Ada');
    await say(ada.page, 'Good morning Ada');
    await act(ada.page, 'Good morning Ada', 'Reply');
    await write(ada.page, 'To you, too');
    await messageOf(bob.page, 'To you, too').getByRole('button', { name: 'Bob Brown Good morning Ada' }).waitFor();
    await act(ada.page, 'To you, too', 'Delete', 'Delete for everybody');
    await say(bob.page, 'This message was deleted.');
    if (!polling) {
      await write(ada.page, '<img src=x onerror="document.title=1"><script>document.title=1</script>');
      await say(bob.page, '<img src=x onerror="document.title=1"><script>document.title=1</script>');
      expect(await bob.page.locator('.messages img, .messages script').count()).toBe(0);
      const long = 'x'.repeat(8_000);
      await write(ada.page, long);
      await stateOf(ada.page, long, 'read');
      const wide = 'document.documentElement.scrollWidth > document.documentElement.clientWidth';
      expect(await bob.page.evaluate(wide)).toBe(false);
    }
    expect([...ada.complaints, ...bob.complaints].filter((text) => !polling || !text.includes('WebSocket'))).toEqual([]);
    await Promise.all([ada.context.close(), bob.context.close()]);
  }, 60_000);
}
