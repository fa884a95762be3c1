import { afterAll } from 'bun:test';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { launchBrowser } from '../../harness/browser.ts';
import type { TokenPair } from '../../src/shared/contract.ts';

/** Waits on conditions last no longer: on a machine that is busy the same condition comes later. */
export const patienceMs = 40_000;

/** Ended after the test file. */
export async function openBrowser(): Promise<Browser> {
  const browser = await launchBrowser();
  afterAll(() => browser.close());
  return browser;
}

export interface Visitor {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly email: string;
  /** What the page's console and its errors said. */
  readonly complaints: string[];
  /** Another tab of the same browser. */
  tab(): Promise<Page>;
}

/** A proxy that lets no WebSocket through, as some companies have: what is left is polling. @returns its address */
export function refuseWebSockets(url: string): string {
  const proxy = Bun.serve({
    port: 0,
    idleTimeout: 60,
    async fetch(request) {
      if (request.headers.has('upgrade')) return new Response(null, { status: 400 });
      const { pathname, search } = new URL(request.url);
      return fetch(`${url}${pathname}${search}`, request);
    },
  });
  afterAll(() => proxy.stop(true));
  return `http://localhost:${proxy.port}`;
}

/** Somebody with a browser profile of their own, who has signed up by the form. */
export async function visit(browser: Browser, url: string, name: string): Promise<Visitor> {
  const context = await browser.newContext({
    viewport: { width: 1000, height: 700 },
    reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(patienceMs);
  const complaints: string[] = [];
  context.on('weberror', (error) => complaints.push(String(error.error())));
  context.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`${message.text()} ${message.location().url}`);
  });
  const tab = async () => {
    const page = await context.newPage();
    await page.goto(url);
    return page;
  };
  const page = await tab();
  const email = `${name.toLowerCase().replaceAll(' ', '-')}-${crypto.randomUUID()}@example.com`;
  await page.getByRole('button', { name: 'I am new here' }).click();
  await page.getByLabel('Your name').fill(name);
  await page.getByLabel('Email').fill(email);
  await page.getByLabel('Password').fill('correct horse battery staple');
  await page.getByRole('button', { name: 'Sign up' }).click();
  await page.getByRole('heading', { name }).waitFor();
  return { context, page, email, complaints, tab };
}

/** What the web client keeps of whoever is signed in, in all tabs. */
const sessionKey = 'confab.web.own.session';
export const sessionOf = async (page: Page): Promise<TokenPair> =>
  JSON.parse(await page.evaluate<string>(`localStorage.getItem('${sessionKey}')`));
export const setSession = (page: Page, session: TokenPair): Promise<void> =>
  page.evaluate(`localStorage.setItem('${sessionKey}', ${JSON.stringify(JSON.stringify(session))})`);

/** It stands there, as it is. */
export const say = (page: Page, text: string): Promise<void> =>
  page.getByText(text, { exact: true }).filter({ visible: true }).first().waitFor();

/** What all messages say that the page holds, in their order. */
export const textsIn = (page: Page): Promise<string[]> => page.locator('.message .text').allTextContents();

export const messageOf = (page: Page, text: string): Locator =>
  page.locator('.message').filter({ has: page.getByText(text, { exact: true }) });

export const field = (page: Page): Locator => page.getByRole('textbox', { name: 'Message' });

export async function write(page: Page, text: string): Promise<void> {
  await field(page).fill(text);
  await field(page).press('Enter');
}

/** Chooses what a message's actions offer. */
export async function act(page: Page, text: string, ...buttons: string[]): Promise<void> {
  const message = messageOf(page, text);
  // Behind another tab it would be drawn once a second.
  await page.bringToFront();
  await message.hover();
  for (const name of buttons) await message.getByRole('button', { name, exact: true }).click();
}

/** The state of one's own message, in the words that a screen reader says. */
export const stateOf = (page: Page, text: string, state: string): Promise<void> =>
  messageOf(page, text).getByRole('img', { name: state, exact: true }).waitFor();

/** A chat with these, begun by the form; it is open when this resolves. */
export async function begin(page: Page, emails: readonly string[], name?: string): Promise<void> {
  await page.getByRole('button', { name: 'New chat' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Emails').fill(emails.join(', '));
  if (name) await dialog.getByLabel('Name, for a group').fill(name);
  await dialog.getByRole('button', { name: 'Begin' }).click();
  await field(page).waitFor();
}

/** A chat in the list, by its title. */
export const chatOf = (page: Page, title: string): Locator =>
  page.getByRole('navigation', { name: 'Chats' }).getByRole('link').filter({ hasText: title });
