import { expect, test } from 'bun:test';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import {
  act,
  begin,
  chatOf,
  field,
  messageOf,
  openBrowser,
  refuseWebSockets,
  say,
  stateOf,
  textsIn,
  visit,
  write,
} from '../support/browser.ts';
import { startEmbedded } from '../support/deployment.ts';
import { makeLongChat } from '../support/long-chat.ts';
import { testProcesses } from '../support/processes.ts';
import { serviceToken, webClientTroubles } from './web-client-troubles.ts';

/** Where pictures for the docs go; without it none are made. */
const picturesTo = process.env.CONFAB_PICTURES;

const processes = testProcesses();
const dataDir = join(await processes.folder(), 'data');
const [browser, longChat] = await Promise.all([openBrowser(), makeLongChat(dataDir, 2_500)]);
const running = await startEmbedded(processes, {
  dataDir,
  env: { JWT_ACCESS_TTL: '15m', SERVICE_TOKEN: serviceToken },
});
const url = `${running.apiUrl}/`;

const visitors = Promise.all([visit(browser, url, 'Ada Lovelace'), visit(browser, url, 'Bob Brown')]);
/** The two of them, each with a tab of their own for one test, in the chat that they share. */
async function inChat<Result>(talk: (ada: Page, bob: Page) => Promise<Result>): Promise<void> {
  const [ada, bob] = await visitors;
  const [one, other] = await Promise.all([ada.tab(), bob.tab()]);
  await begin(one, [bob.email]);
  await chatOf(other, 'Ada Lovelace').click();
  await talk(one, other);
  await Promise.all([one.close(), other.close()]);
}

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
    const at = polling ? refuseWebSockets(running.apiUrl) : running.apiUrl;
    const [ada, bob] = polling
      ? await Promise.all([visit(browser, at, 'Ada Lovelace'), visit(browser, at, 'Bob Brown')])
      : await visitors;
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
    await messageOf(bob.page, 'Hello Ada')
      .getByRole('button', { name: /^❤️ 1: Ada Lovelace$/ })
      .click();
    await messageOf(ada.page, 'Hello Ada').getByRole('button', { name: '❤️ 2' }).waitFor();

    await act(bob.page, 'Hello Ada', 'Edit');
    await write(bob.page, 'Good morning Ada');
    await say(ada.page, 'Good morning Ada');
    await act(ada.page, 'Good morning Ada', 'Reply');
    await write(ada.page, 'To you, too');
    await messageOf(bob.page, 'To you, too')
      .getByRole('button', { name: 'Bob Brown Good morning Ada' })
      .waitFor();
    if (!polling) await picture(bob.page, 'web-client');
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
    const complaints = [...ada.complaints, ...bob.complaints];
    // The browser's own of what the proxy refuses.
    expect(complaints.filter((text) => !text.startsWith('WebSocket connection to'))).toEqual([]);
    await Promise.all([ada.page.close(), bob.page.close()]);
  }, 120_000);
}

test('offline, three messages wait, are kept by a closed tab, and go in their order', async () => {
  const [{ context }] = await visitors;
  await inChat(async (ada, bob) => {
    await write(ada, 'zero');
    await say(bob, 'zero');
    await context.setOffline(true);
    for (const text of ['one', 'two', 'three']) {
      await write(ada, text);
      await stateOf(ada, text, 'waiting to be sent');
    }
    const chatUrl = ada.url();
    await ada.close();
    await context.setOffline(false);
    const again = await context.newPage();
    await again.goto(chatUrl);
    for (const text of ['one', 'two', 'three']) await stateOf(again, text, 'read');
    expect((await textsIn(bob)).slice(-4)).toEqual(['zero', 'one', 'two', 'three']);
    await again.close();
  });
}, 120_000);

test('two tabs of one user agree', async () => {
  const [ada, bob] = await visitors;
  const [first, second, other] = await Promise.all([ada.tab(), ada.tab(), bob.tab()]);
  await begin(other, [ada.email]);
  await write(other, 'to both');
  for (const page of [first, second])
    await chatOf(page, 'Bob Brown').getByRole('img', { name: '1 unread' }).waitFor();
  await chatOf(second, 'Bob Brown').click();
  for (const page of [first, second])
    await chatOf(page, 'Bob Brown').getByRole('img', { name: '1 unread' }).waitFor({ state: 'detached' });
  // Whichever of them sends for both.
  for (const [page, text] of [
    [second, 'from the second'],
    [first, 'from the first'],
  ] as const) {
    if (page === first) await chatOf(first, 'Bob Brown').click();
    await write(page, text);
    await say(other, text);
  }
  await say(second, 'from the first');

  // What is refused stays in the field, with the reason.
  await act(first, 'from the first', 'Edit');
  await act(second, 'from the first', 'Delete', 'Delete for everybody');
  await say(first, 'This message was deleted.');
  await write(first, 'too late');
  await first.locator('.composer').getByRole('alert').waitFor();
  expect(await field(first).inputValue()).toBe('too late');
  await Promise.all([first.close(), second.close(), other.close()]);
}, 120_000);

test('a second person is one click away', async () => {
  const [ada] = await visitors;
  const page = await ada.tab();
  const opened = ada.context.waitForEvent('page');
  await page.getByRole('button', { name: 'Open a window as a second person' }).click();
  const second = await opened;
  await write(page, 'Hello me');
  await chatOf(second, 'Ada Lovelace').click();
  await say(second, 'Hello me');
  await write(second, 'Hello you');
  await say(page, 'Hello you');
  // Each keeps what is theirs: a reload of either shows the same person.
  for (const [one, title] of [
    [page, 'Second person'],
    [second, 'Ada Lovelace'],
  ] as const) {
    await one.reload();
    await one.getByRole('main', { name: title }).waitFor();
    await say(one, 'Hello you');
  }
  await Promise.all([page.close(), second.close()]);
}, 120_000);

test('groups: roles, mentions, people who come and go', async () => {
  const [{ tab: ofAda }, { tab: ofBob, email }] = await visitors;
  const [ada, bob, cyd] = await Promise.all([ofAda(), ofBob(), visit(browser, url, 'Cyd')]);
  await begin(ada, [email], 'The engine');
  const details = async (page: Page) => {
    await page.getByRole('button', { name: 'Details' }).click();
    return page.getByRole('dialog');
  };
  const dialog = await details(ada);
  await dialog.getByLabel('Email of somebody to add').fill(cyd.email);
  await dialog.getByRole('button', { name: 'Add' }).click();
  await dialog.getByLabel('Role of Bob Brown').selectOption('admin');
  await dialog.getByLabel('Name of the group').fill('The analytical engine');
  await dialog.getByRole('button', { name: 'Rename' }).click();
  await chatOf(bob, 'The analytical engine').waitFor();
  await ada.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });

  await field(ada).pressSequentially('Look @cy');
  await field(ada).press('Enter');
  await field(ada).press('Enter');
  await chatOf(cyd.page, 'The analytical engine').getByRole('img', { name: 'mentions you' }).waitFor();
  await chatOf(cyd.page, 'The analytical engine').click();
  await cyd.page.locator('mark').getByText('@Cyd', { exact: true }).waitFor();

  await chatOf(bob, 'The analytical engine').click();
  const led = await details(bob);
  await led.getByRole('button', { name: 'Remove Cyd' }).click();
  await chatOf(cyd.page, 'The analytical engine').waitFor({ state: 'detached' });
  // An admin is not let touch an owner.
  expect(await led.getByRole('button', { name: 'Remove Ada Lovelace' }).count()).toBe(0);
  await led.getByRole('button', { name: 'Leave' }).click();
  await chatOf(bob, 'The analytical engine').waitFor({ state: 'detached' });
  await say(ada, '1 people');
  await Promise.all([ada.close(), bob.close(), cyd.context.close()]);
}, 120_000);

test('everything by keys alone, and nothing serious that axe-core finds: light, dark, and as wide as a phone', async () => {
  const [, visitor] = await visitors;
  const bob = { ...visitor, page: await visitor.tab() };
  const context = await browser.newContext({
    viewport: { width: 380, height: 720 },
    colorScheme: 'dark',
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  await page.goto(url);
  const keys = async (...pressed: string[]) => {
    for (const key of pressed) await page.keyboard.press(key);
  };
  /** @param name how the name of what is looked for begins, or what is in it */
  const tabTo = async (name: string | RegExp) => {
    for (let presses = 0; presses < 20; presses += 1) {
      const focused = await focusedName(page);
      if (typeof name === 'string' ? focused.startsWith(name) : name.test(focused)) return;
      await page.keyboard.press('Tab');
    }
    throw new Error(`the tab key does not come to ${name}`);
  };
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  expect(await seriousOn(page)).toEqual([]);
  await tabTo('I am new here');
  await keys('Enter');
  await tabTo('Your name');
  await page.keyboard.type('Ada');
  await keys('Tab');
  await page.keyboard.type(`keys-${crypto.randomUUID()}@example.com`);
  await keys('Tab');
  await page.keyboard.type('correct horse battery staple');
  await keys('Enter');
  await page.getByRole('heading', { name: 'Ada' }).waitFor();
  await tabTo('New chat');
  await keys('Enter');
  await page.getByRole('dialog').waitFor();
  expect(await seriousOn(page)).toEqual([]);
  await tabTo('Emails');
  await page.keyboard.type(bob.email);
  await keys('Enter');
  await field(page).waitFor();
  expect(await focusedName(page)).toMatch('Message');
  await page.keyboard.type('with no mouse');
  await keys('Enter');
  await stateOf(page, 'with no mouse', 'saved');
  await chatOf(bob.page, 'Ada').filter({ hasText: 'with no mouse' }).click();
  await write(bob.page, 'I see');
  await say(page, 'I see');
  // Up from the field to the newest message, and on to the one before; its actions are the next stops.
  await keys('Shift+Tab');
  await tabTo(/I see/);
  await keys('ArrowUp');
  await tabTo('React');
  await keys('Enter');
  await page.locator('button:focus', { hasText: '👍' }).waitFor();
  await tabTo('party');
  await keys('Enter');
  await messageOf(bob.page, 'with no mouse').getByRole('button', { name: '🎉 1' }).waitFor();
  await keys('Escape', 'Escape');
  await field(page).focus();
  await keys('ArrowUp');
  await page.getByText('Editing: with no mouse').waitFor();
  await page.keyboard.type(' at all');
  await keys('Enter');
  await say(bob.page, 'with no mouse at all');
  expect(await seriousOn(page)).toEqual([]);
  expect(await seriousOn(bob.page)).toEqual([]);
  await bob.page.emulateMedia({ colorScheme: 'dark', reducedMotion: 'reduce' });
  expect(await seriousOn(bob.page)).toEqual([]);
  await page.getByRole('button', { name: 'Back to the chats' }).click();
  await chatOf(page, 'Bob Brown').waitFor();
  expect(await seriousOn(page)).toEqual([]);
  await Promise.all([context.close(), bob.page.close()]);
}, 120_000);

/** What has the focus, in the words of its label or its text. */
const focusedName = (page: Page): Promise<string> =>
  page.evaluate(
    '((one) => one ? (one.ariaLabel ?? one.labels?.[0]?.textContent ?? one.textContent) : "")(document.querySelector(":focus"))',
  );

test('the server is killed and comes back: nothing is lost, and nobody reloads', async () => {
  await inChat(async (ada, bob) => {
    await write(ada, 'before');
    await say(bob, 'before');
    await running.process.kill();
    await say(ada, 'Offline: what you write is sent later.');
    await write(ada, 'during');
    await stateOf(ada, 'during', 'waiting to be sent');
    await startEmbedded(processes, { dataDir: running.dataDir, env: running.env });
    await say(bob, 'during');
    await write(bob, 'after');
    await say(ada, 'after');
    await stateOf(ada, 'during', 'read');
  });
}, 120_000);

webClientTroubles({ browser, running, visitors, longChat });

test('where one signs out, so do their other tabs', async () => {
  const [ada] = await visitors;
  const tabs = await Promise.all([ada.tab(), ada.tab()]);
  await tabs[1].getByRole('button', { name: 'Sign out' }).click();
  for (const page of tabs) await page.getByRole('heading', { name: 'Sign in' }).waitFor();
}, 120_000);
