import { expect, test } from 'bun:test';
import type { Browser, Page } from 'playwright-core';
import { freeze, holdingsOf, openProgram } from '../../harness/browser.ts';
import { mostMessages, scrollUp } from '../../harness/scroll-up.ts';
import type { TokenPair } from '../../src/shared/contract.ts';
import {
  begin,
  chatOf,
  messageOf,
  patienceMs,
  say,
  sessionOf,
  setSession,
  stateOf,
  textsIn,
  type Visitor,
  visit,
  write,
} from '../support/browser.ts';
import type { Embedded } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import type { LongChat } from '../support/long-chat.ts';

/** Of the server that is given. */
export const serviceToken = 'the service token of these tests';

/** What befalls a page, with none of it seen by whoever sits before it. */
export function webClientTroubles(world: {
  browser: Browser;
  running: Embedded;
  visitors: Promise<[Visitor, Visitor]>;
  longChat: LongChat;
}): void {
  const { browser, running, visitors, longChat } = world;
  const { apiUrl } = running;

  const ask = (path: string, body: object, headers: Record<string, string> = {}) =>
    fetch(apiUrl + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${serviceToken}`, ...headers },
      body: JSON.stringify(body),
    });
  /** So many messages from the backend, as this person; the last one after all others. */
  async function sendMany({ user }: TokenPair, chatId: string, count: number): Promise<string> {
    let sent = 0;
    const sendOne = async () => {
      sent += 1;
      const message = { content: `Number ${sent}`, clientMessageId: crypto.randomUUID() };
      const { status } = await ask(`/chats/${chatId}/messages`, message, { 'X-Act-As': user.id });
      expect(status).toBe(202);
      return message.content;
    };
    const sender = async () => {
      while (sent < count - 1) await sendOne();
    };
    await Promise.all(Array.from({ length: 16 }, sender));
    return sendOne();
  }
  /** @param ttl in seconds */
  const newToken = async (userId: string, ttl = 900) =>
    (await (await ask('/auth/tokens', { userId, ttl })).json()) as Omit<TokenPair, 'refreshToken'>;
  const chatIdOf = (page: Page): string => new URL(page.url()).hash.slice(1);
  /** A group of the two, open in a tab of each. */
  async function inGroup(name: string): Promise<[Page, Page]> {
    const [ada, bob] = await visitors;
    const [one, other] = await Promise.all([ada.tab(), bob.tab()]);
    await begin(one, [bob.email], name);
    await chatOf(other, name).click();
    return [one, other];
  }

  test.concurrent('a token that expires in the middle is refreshed once for all tabs, of which one sends', async () => {
    const [, bob] = await visitors;
    const eve = await visit(browser, apiUrl, 'Eve');
    const refreshed: string[] = [];
    const senders = new Set<Page>();
    eve.context.on('request', (request) => {
      const { pathname } = new URL(request.url());
      if (pathname === '/auth/refresh') refreshed.push(request.postData() ?? '');
      if (request.method() === 'POST' && pathname.endsWith('/messages')) senders.add(request.frame().page());
    });
    const session = await sessionOf(eve.page);
    await setSession(eve.page, { ...session, ...(await newToken(session.user.id, 4)) });
    await eve.page.reload();
    await begin(eve.page, [bob.email], 'Tabs');
    const tab = await eve.tab();
    await chatOf(tab, 'Tabs').click();
    await write(tab, 'before');
    await stateOf(eve.page, 'before', 'saved');
    await eventually('the token has expired', () => refreshed.length > 0, 30_000);
    await write(eve.page, 'after');
    await write(tab, 'after that');
    for (const page of [eve.page, tab])
      for (const text of ['before', 'after', 'after that']) await stateOf(page, text, 'saved');
    expect({ refreshed: refreshed.length, senders: senders.size }).toEqual({ refreshed: 1, senders: 1 });
    await eve.context.close();
  }, 120_000);

  test.concurrent('who signs out while a token is refreshed stays out, here and at the server', async () => {
    const cyd = await visit(browser, apiUrl, 'Cyd');
    const signedOut = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const tokens: string[] = [];
    let unanswered = 0;
    await cyd.context.route('**/auth/refresh', async (route) => {
      unanswered += 1;
      asked.resolve();
      await signedOut.promise;
      const answer = await route.fetch();
      if (answer.ok()) tokens.push(((await answer.json()) as TokenPair).accessToken);
      await route.fulfill({ response: answer });
      unanswered -= 1;
    });
    const session = await sessionOf(cyd.page);
    tokens.push(session.accessToken);
    await setSession(cyd.page, { ...session, accessToken: `${session.accessToken}x` });
    await cyd.page.reload();
    await asked.promise;
    await cyd.page.getByRole('button', { name: 'Sign out' }).click();
    await cyd.page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await cyd.page.evaluate(noteKept);
    signedOut.resolve();
    await eventually('no token is good any more', async () => {
      if (tokens.length < 2 || unanswered > 0) return false;
      const headers = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });
      const answers = await Promise.all(tokens.map((token) => fetch(`${apiUrl}/auth/me`, headers(token))));
      return answers.every(({ status }) => status === 401);
    });
    expect(await cyd.page.evaluate<string[]>('kept')).toEqual([]);
    await cyd.page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await cyd.context.close();
  }, 120_000);

  test.concurrent('a tab that was frozen in the background has missed nothing', async () => {
    const [ada, bob] = await inGroup('Background');
    await write(ada, 'before');
    await messageOf(bob, 'before').waitFor();
    const { thaw } = await freeze(bob);
    const last = await sendMany(await sessionOf(ada), chatIdOf(ada), 60);
    await say(ada, last);
    await thaw();
    await messageOf(bob, last).waitFor();
    expect(await textsIn(bob)).toEqual(await textsIn(ada));
    await Promise.all([ada.close(), bob.close()]);
  }, 120_000);

  test.concurrent('what waits in IndexedDB survives a closed tab', async () => {
    const [ada] = await inGroup('Kept');
    const chatId = chatIdOf(ada);
    const { accessToken: token } = await sessionOf(ada);
    const context = await browser.newContext();
    const open = async () => {
      const page = await context.newPage();
      await openProgram(page, apiUrl, 'harness/pages/client.ts');
      await page.evaluate((options) => clientPage.open(options), {
        token,
        chatId,
        keptIn: 'IndexedDB',
      } as const);
      return page;
    };
    const untilAll = (page: Page, state: string) =>
      page.waitForFunction((wanted) => {
        const { messages } = clientPage.seen();
        return messages.length === 3 && messages.every((one) => one.state === wanted);
      }, state);
    const page = await open();
    await page.waitForFunction(() => clientPage.seen().connection === 'ready');
    await context.setOffline(true);
    for (const text of ['one', 'two', 'three'])
      await page.evaluate((content) => clientPage.send(content), text);
    await untilAll(page, 'queued');
    await page.close();
    await context.setOffline(false);
    const again = await open();
    await untilAll(again, 'saved');
    // Saved is what its sender is told; the other one is told, too, a moment before or after.
    await say(ada, 'three');
    expect(await textsIn(ada)).toEqual(['one', 'two', 'three']);
    expect(await again.evaluate<number>('localStorage.length')).toBe(0);
    await Promise.all([context.close(), ada.close()]);
  }, 120_000);

  test('a long chat scrolled to its first message: the page holds 2,000 at most, and nothing moves', async () => {
    const { chatId, readerId, messages } = longChat;
    const token = await newToken(readerId);
    const context = await browser.newContext({ viewport: { width: 600, height: 700 } });
    context.setDefaultTimeout(patienceMs);
    const page = await context.newPage();
    await page.goto(apiUrl);
    await setSession(page, { ...token, refreshToken: '' });
    await page.goto(`${apiUrl}/#${chatId}`);
    await page.reload();
    await messageOf(page, `Number ${messages}`).waitFor();
    const { full, moved } = await scrollUp(page);
    await say(page, 'Number 1');
    expect(await page.locator('.message').count()).toBe(mostMessages);
    // At some time: Chromium lets go of what a frame still shows when it likes to.
    await eventually('what has gone out of the page is let go', async () => {
      const { nodes, heapBytes } = await holdingsOf(page);
      return nodes / full.nodes < 1.2 && heapBytes / full.heapBytes < 1.5;
    });
    expect(moved).toBeLessThan(2);
    await page.getByRole('button', { name: 'Latest messages' }).click();
    await say(page, `Number ${messages}`);
    await context.close();
  }, 120_000);
}

/** What a page keeps from now on of who is signed in, also for a moment. */
const noteKept = `
  kept = [];
  const { setItem } = Storage.prototype;
  Storage.prototype.setItem = function (key, value) {
    if (key.endsWith('.session')) kept.push(value);
    setItem.call(this, key, value);
  };
`;
