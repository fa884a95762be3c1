import { expect, test } from 'bun:test';
import type { Deployment } from '../support/deployment.ts';
import { newPerson } from '../support/people.ts';
import { type Processes, untilSays } from '../support/processes.ts';
import { readText } from '../support/repository.ts';

/** The snippets of `examples/`, run as they are printed: the addresses and the placeholders alone are put in. */
export function examplesSuite({
  processes,
  deployment,
}: {
  processes: Processes;
  deployment: Deployment;
}): void {
  const { apiUrl, socketUrl } = deployment;

  async function program(example: string, values: Record<string, string>, ending = ''): Promise<string[]> {
    let text = await readText(`examples/${example}`);
    for (const [placeholder, value] of Object.entries(values)) {
      expect(text).toContain(placeholder);
      text = text.replaceAll(placeholder, value);
    }
    // Where the packages of the repository are found.
    return ['--eval', `${text}\n${ending}`];
  }

  test('socket.ts connects and prints what comes; send.ts sends it', async () => {
    const [ada, bob] = await Promise.all([newPerson(deployment), newPerson(deployment)]);
    const chat = await ada.newChat(bob);
    const listening = processes.run(
      await program('socket.ts', { 'http://localhost:3000': socketUrl, '<JWT_ACCESS_TOKEN>': bob.token }),
    );
    await untilSays(listening, 'Connected to chat socket:');
    const sent = await processes.finish(
      await program('send.ts', {
        'http://localhost:3000': apiUrl,
        '<JWT_ACCESS_TOKEN>': ada.token,
        '<CHAT_ID>': chat.id,
      }),
    );
    expect(sent).toMatchObject({
      code: 0,
      output: expect.stringMatching(/^202 [0-9a-f-]{36} [0-9a-f-]{36}\n$/),
    });
    await untilSays(listening, 'Hello from sender');
    expect(listening.output()).toContain(`New realtime message ${chat.id}`);
    await listening.kill();
  }, 30_000);

  test('socket.ts says why it is not let in', async () => {
    const listening = processes.run(
      await program('socket.ts', { 'http://localhost:3000': socketUrl, '<JWT_ACCESS_TOKEN>': 'not a token' }),
    );
    await untilSays(listening, 'Not connected: token_invalid');
    await listening.kill();
  }, 30_000);
}

/** Behind one address: Kong's, or the single process's. */
export function oneAddressExamples({
  processes,
  deployment,
}: {
  processes: Processes;
  deployment: Deployment;
}): void {
  test('kong.ts has a client and a socket for one address', async () => {
    const [ada, bob] = await Promise.all([newPerson(deployment), newPerson(deployment)]);
    const chat = await ada.newChat(bob);
    const text = (await readText('examples/kong.ts'))
      .replaceAll('https://api.example.com', deployment.apiUrl)
      .replaceAll('<JWT_ACCESS_TOKEN>', bob.token);
    const use = `chatSocket.on('chat.message.new', async ({ message }) => {
      const { data } = await apiClient.get('/chats/${chat.id}/messages');
      console.log('received', message.content, 'of', data.data.length);
      process.exit(0);
    });
    chatSocket.on('connect', () => console.log('connected'));`;
    const listening = processes.run(['--eval', `${text}\n${use}`]);
    await untilSays(listening, 'connected');
    await ada.send(chat.id, 'through one door');
    expect(await listening.exited).toBe(0);
    expect(listening.output()).toContain('received through one door of 1');
  }, 30_000);
}
