import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { launchBrowser } from '../../harness/browser.ts';
import { createOwnProcess } from '../../harness/process.ts';
import { obtainBinaries } from '../../src/commands/servers/obtain.ts';
import { freePort } from '../../src/commands/servers/ports.ts';
import type { Chat, TokenPair } from '../../src/shared/contract.ts';
import type { Bench } from './bench.ts';
import { bunCommand } from './child.ts';

/** Confab in one process, as `bun run dev` starts it, a chat of two people in it, and a browser. */
export interface Talk {
  readonly url: string;
  readonly chatId: string;
  readonly ada: TokenPair;
  readonly bob: TokenPair;
  readonly browser: Browser;
  /** Ada sends, by the api. The last one is of its own after all others. @returns what that says */
  send(count: number, aSecond?: number): Promise<string>;
}

const inFlight = 32;

export async function startTalk(bench: Bench): Promise<Talk> {
  const { servers, defer, report } = bench;
  report.progress('a server, a browser, two people');
  const url = await startServer(bench);
  const { guard, folder } = servers;
  await obtainBinaries({ guard, folder, print: report.note, needed: ['chromium'] });
  const browser = await launchBrowser();
  defer(() => browser.close());
  const ada = await newPerson(url, 'Ada Lovelace');
  const bob = await newPerson(url, 'Bob Brown');
  const { id: chatId } = await ask<Chat>(url, '/chats', { participantUserIds: [bob.user.id] }, ada);

  let sent = 0;
  const sendOne = async () => {
    sent += 1;
    const content = `Message ${sent}`;
    await ask(url, `/chats/${chatId}/messages`, { content, clientMessageId: crypto.randomUUID() }, ada);
    return content;
  };
  return {
    ...{ url, chatId, ada, bob, browser },
    async send(count, aSecond = Number.POSITIVE_INFINITY) {
      const startedAt = performance.now();
      let begun = 0;
      const sender = async () => {
        while (begun < count - 1) {
          begun += 1;
          const dueMs = (begun / aSecond) * 1_000 - (performance.now() - startedAt);
          if (dueMs > 0) await Bun.sleep(dueMs);
          await sendOne();
        }
      };
      await Promise.all(Array.from({ length: inFlight }, sender));
      return sendOne();
    },
  };
}

async function startServer({ servers: { guard, folder }, defer }: Bench): Promise<string> {
  const port = await freePort();
  const server = createOwnProcess({
    ...{ guard, folder, port, name: `standalone ${port}`, cwd: folder },
    command: [...bunCommand(), join(import.meta.dir, '../../src/standalone.ts')],
    env: {
      PORT: String(port),
      DATA_DIR: join(folder, `data-${port}`),
      LOG_LEVEL: 'warn',
      JWT_ACCESS_TTL: '2h',
      RATE_LIMIT_ENABLED: 'false',
    },
    restarts: false,
  });
  defer(() => server.stop(10_000));
  if (!(await server.start()))
    throw new Error(`the server did not become ready: ${server.unwantedExits().map(({ log }) => log)}`);
  return `http://localhost:${port}`;
}

async function newPerson(url: string, displayName: string): Promise<TokenPair> {
  const account = { email: `${crypto.randomUUID()}@example.com`, password: 'correct horse battery staple' };
  await ask(url, '/auth/register', { ...account, displayName });
  return ask<TokenPair>(url, '/auth/login', account);
}

async function ask<Answer>(url: string, path: string, body: object, as?: TokenPair): Promise<Answer> {
  const answer = await fetch(url + path, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      ...(as ? { Authorization: `Bearer ${as.accessToken}` } : {}),
    },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`POST ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Answer;
}

/** A profile of somebody's own, signed in to the web client or not, with nothing in its cache. */
export async function newProfile({ browser, url }: Talk, person?: TokenPair): Promise<Page> {
  const localStorage = person ? [{ name: 'confab.web.own.session', value: JSON.stringify(person) }] : [];
  const context = await browser.newContext({
    viewport: { width: 1000, height: 700 },
    storageState: { cookies: [], origins: [{ origin: url, localStorage }] },
  });
  return context.newPage();
}
