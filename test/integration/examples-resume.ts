import { expect, test } from 'bun:test';
import { join } from 'node:path';
import type { TokenPair } from '../../src/shared/contract.ts';
import { type Deployment, type Embedded, startEmbedded } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { personWith } from '../support/people.ts';
import { type Processes, type RunningProcess, untilSays } from '../support/processes.ts';
import { readText } from '../support/repository.ts';

/** What each deployment of these tests runs with: every tab's token ends several times. */
export const shortTokens = { JWT_ACCESS_TTL: '3s' };

/** At least: as many as are sent until each tab has come back often enough. */
const messages = 120;
const leastConnects = 4;

/** What the tabs of a browser share, in a file; replaced whole, as a browser does it. */
const sharedIn = (file: string) => `
const { readFileSync, renameSync, writeFileSync } = require('node:fs');
globalThis.localStorage = {
  get tokens() {
    try {
      return readFileSync(${JSON.stringify(file)}, 'utf8');
    } catch {
      return undefined;
    }
  },
  set tokens(text) {
    writeFileSync(${JSON.stringify(file)} + process.pid, text);
    renameSync(${JSON.stringify(file)} + process.pid, ${JSON.stringify(file)});
  },
};
`;

/** Beside the recipe: it says what it is told, and drops its transport all the time. */
const tab = `
for (const event of ['chat.message.new', 'chat.message.saved'])
  chatSocket.on(event, ({ message }) => console.log('told', event.slice(13), message.content));
chatSocket.on('connect', () => console.log('connected'));
chatSocket.on('chat.ready', () => console.log('ready'));
setInterval(() => chatSocket.io.engine.close(), 700 + 600 * Math.random());
`;

/** People at a deployment, and `examples/resume.ts` as it is printed: the addresses and the placeholders alone are put in. */
function recipe(processes: Processes, deployment: Deployment) {
  const password = 'correct horse battery staple';

  /** Again after a 503, as a client does: many sign up at once here, on a machine that has much else to do. */
  async function post(path: string, body: object): Promise<TokenPair> {
    let response = new Response();
    await eventually(
      `${path} is answered`,
      async () => {
        response = await fetch(`${deployment.apiUrl}${path}`, {
          method: 'POST',
          headers: { 'Content-Type': 'application/json' },
          body: JSON.stringify(body),
        });
        return response.status !== 503;
      },
      30_000,
    );
    expect(response.ok).toBe(true);
    return (await response.json()) as TokenPair;
  }
  async function signUp(): Promise<{ tokens: TokenPair; signIn: () => Promise<TokenPair> }> {
    const email = `${crypto.randomUUID()}@example.com`;
    await post('/auth/register', { email, password });
    const signIn = () => post('/auth/login', { email, password });
    return { tokens: await signIn(), signIn };
  }
  /** @param given.folder of the browser whose tab it is */
  async function openTab(
    { accessToken, refreshToken, user }: TokenPair,
    given: { folder?: string; apiUrl?: string } = {},
  ): Promise<RunningProcess> {
    const values = {
      "API_BASE_URL = 'http://localhost:3000'": `API_BASE_URL = '${given.apiUrl ?? deployment.apiUrl}'`,
      "SOCKET_BASE_URL = 'http://localhost:3000'": `SOCKET_BASE_URL = '${deployment.socketUrl}'`,
      '<JWT_ACCESS_TOKEN>': accessToken,
      '<JWT_REFRESH_TOKEN>': refreshToken,
      '<USER_ID>': user.id,
    };
    let text = await readText('examples/resume.ts');
    for (const [placeholder, value] of Object.entries(values)) {
      expect(text).toContain(placeholder);
      text = text.replace(placeholder, value);
    }
    const before = given.folder === undefined ? '' : sharedIn(join(given.folder, 'tokens'));
    const process = processes.run(['--eval', `${before}\n${text}\n${tab}`]);
    await untilSays(process, 'ready');
    return process;
  }
  return { signUp, openTab };
}

export function resumeExampleSuite(processes: Processes, deployment: Deployment): void {
  const { signUp, openTab } = recipe(processes, deployment);
  const told = (process: RunningProcess, event: string) =>
    [...process.output().matchAll(/^told (\w+) (\d+)$/gm)].flatMap(([, name, content]) =>
      name === event ? [content] : [],
    );

  test.concurrent('resume.ts, in two tabs of each user that drop all the time, misses nothing and repeats nothing', async () => {
    const [ada, bob] = await Promise.all([signUp(), signUp()]);
    const sender = async () => {
      const { accessToken, user } = await ada.signIn();
      return personWith(deployment, user.id, accessToken);
    };
    const { status, body: chat } = await (await sender()).call('POST', '/chats', {
      participantUserIds: [bob.tokens.user.id],
      isGroup: true,
    });
    expect(status).toBe(201);
    // A token each for Ada; Bob's two tabs share one session and its pair.
    const shared = await bob.signIn();
    const folder = await processes.folder();
    const [bobs, adas] = await Promise.all([
      Promise.all([openTab(shared, { folder }), openTab(shared, { folder })]),
      Promise.all([openTab(await ada.signIn()), openTab(await ada.signIn())]),
    ]);
    let person = await sender();
    let signedInAt = performance.now();
    const tabs = [...bobs, ...adas];
    const connects = (tab: RunningProcess) => tab.output().match(/^connected$/gm)?.length ?? 0;
    let sent = 0;
    for (; sent < messages || tabs.some((tab) => connects(tab) < leastConnects); sent += 1) {
      // Well before the token's three seconds are over, however slow the machine is.
      if (performance.now() - signedInAt > 1_000) {
        person = await sender();
        signedInAt = performance.now();
      }
      await person.send(chat.id, String(sent));
      await Bun.sleep(60);
    }
    const expected = Array.from({ length: sent }, (_, at) => String(at));
    const all = () => bobs.every((each) => told(each, 'new').length >= sent);
    const allSaved = () => adas.every((each) => told(each, 'saved').length >= sent);
    await eventually('every tab has been told everything', () => all() && allSaved(), 30_000);
    for (const each of bobs) expect(told(each, 'new')).toEqual(expected);
    for (const each of adas) expect(told(each, 'saved')).toEqual(expected);
    for (const each of tabs) {
      expect(each.output()).not.toContain('Sign in again');
      expect(each.output()).not.toContain('Read again');
    }
    await Promise.all(tabs.map((each) => each.kill()));
  }, 90_000);

  test.concurrent('resume.ts says when it is time to sign in', async () => {
    const { tokens } = await signUp();
    const listening = await openTab(tokens);
    await personWith(deployment, tokens.user.id, tokens.accessToken).call('POST', '/auth/logout');
    await untilSays(listening, 'Sign in again');
    await listening.kill();
  }, 30_000);
}

/** How the documented client bears a server that is not as it was. */
export function resumeExampleFaults(processes: Processes, deployment: Embedded): void {
  const { signUp, openTab } = recipe(processes, deployment);

  test.concurrent('resume.ts asks a server that refuses at a pace that slows down', async () => {
    const asked: number[] = [];
    const refusing = Bun.serve({
      port: 0,
      fetch() {
        asked.push(performance.now());
        return Response.json({ code: 'server_busy' }, { status: 503 });
      },
    });
    const { tokens } = await signUp();
    const tab = await openTab(tokens, { apiUrl: refusing.url.origin });
    await eventually('it has asked three times', () => asked.length >= 3, 30_000);
    const pauses = asked.slice(1).map((at, before) => at - (asked[before] ?? 0));
    expect(pauses[0]).toBeGreaterThan(900);
    expect(pauses[1]).toBeGreaterThan(1_900);
    await Promise.all([tab.kill(), refusing.stop(true)]);
  }, 60_000);

  test('resume.ts comes back to a server that has another secret', async () => {
    const { tokens } = await signUp();
    const listening = await openTab(tokens);
    await deployment.process.kill();
    const connects = () => listening.output().match(/^connected$/gm)?.length ?? 0;
    const before = connects();
    const env = { ...deployment.env, JWT_SECRET: 'another secret, of more than thirty-two bytes' };
    await startEmbedded(processes, { dataDir: deployment.dataDir, env });
    await eventually('it is connected again', () => connects() > before, 30_000);
    expect(listening.output()).not.toContain('Sign in again');
    await listening.kill();
  }, 60_000);
}
