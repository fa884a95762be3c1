import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { connect as connectTcp } from 'node:net';
import { embeddedBase } from '../support/api-bases.ts';
import { eventually } from '../support/eventually.ts';
import {
  createWorld,
  type RunningGateway,
  startTestGateway,
  type WorldUser,
} from '../support/gateway-world.ts';
import {
  openPollingLink,
  openUpgradedLink,
  openWebSocketLink,
  separator,
} from '../support/protocol-links.ts';
import { runningMs } from '../support/running-time.ts';
import { socketProtocolConformance } from './socket-protocol.ts';

const base = await embeddedBase();

socketProtocolConformance('a WebSocket from the beginning', base, openWebSocketLink);
socketProtocolConformance('long polling', base, openPollingLink);
socketProtocolConformance('a WebSocket that was long polling', base, openUpgradedLink);

describe('socket protocol: what is said of each transport', () => {
  const world = createWorld(base);
  let running: RunningGateway;
  let ada: WorldUser;
  beforeAll(async () => {
    running = await startTestGateway(base);
    [ada] = (await (await world).newUsers(1)) as [WorldUser];
  });
  afterAll(() => running.stop());

  const at = (query: string) => `${running.url}/socket.io/?${query}`;
  const polling = 'EIO=4&transport=polling';
  const statusOf = async (query: string, init?: RequestInit) => (await fetch(at(query), init)).status;

  async function open(): Promise<string> {
    return JSON.parse((await (await fetch(at(polling))).text()).slice(1)).sid;
  }
  const poll = async (sid: string, init?: RequestInit) => {
    const response = await fetch(at(`${polling}&sid=${sid}`), init);
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      text: await response.text(),
    };
  };
  const post = (sid: string, ...packets: string[]) =>
    poll(sid, { method: 'POST', body: packets.join(separator) });
  /** Something has come of it: it has 10 s until it has to be in the chat, where a silent one has two. */
  async function openSpeaking(): Promise<string> {
    const sid = await open();
    await post(sid, '3');
    return sid;
  }
  const connect = () => `40/chat,${JSON.stringify({ token: ada.token })}`;

  async function webSocket(query: string) {
    const ws = new WebSocket(at(query).replace('http', 'ws'));
    const frames: string[] = [];
    ws.addEventListener('message', ({ data }) => frames.push(String(data)));
    await eventually('it is open or refused', () => ws.readyState !== WebSocket.CONNECTING);
    return { ws, frames, isClosed: () => ws.readyState === WebSocket.CLOSED };
  }

  test.each([
    'transport=polling',
    'EIO=abc&transport=polling',
    'EIO=3&transport=polling',
    'EIO=4',
    'EIO=4&transport=abc',
    'EIO=4&transport=websocket',
  ])('a handshake by %s is 400', async (query) => {
    const response = await fetch(at(query));
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ code: expect.any(Number), message: expect.any(String) });
  });

  test.each(['POST', 'PUT', 'DELETE', 'PATCH'])('a handshake is a GET: %s is 400', async (method) => {
    expect(await statusOf(polling, { method, ...(method === 'DELETE' ? {} : { body: '40' }) })).toBe(400);
  });

  test.each(['transport=websocket', 'EIO=abc&transport=websocket', 'EIO=4', 'EIO=4&transport=abc'])(
    'a WebSocket by %s is refused',
    async (query) => {
      expect((await webSocket(query)).isClosed()).toBe(true);
    },
  );

  test('what may be upgraded says so, and what is a WebSocket already may not', async () => {
    const opening = await fetch(at(polling));
    expect(opening.headers.get('content-type')).toContain('text/plain');
    expect(JSON.parse((await opening.text()).slice(1)).upgrades).toEqual(['websocket']);
    const { ws, frames } = await webSocket('EIO=4&transport=websocket');
    await eventually('it is greeted', () => frames.length > 0);
    expect(JSON.parse(frames[0]!.slice(1)).upgrades).toEqual([]);
    ws.close();
  });

  test('a payload may hold several packets, in both directions', async () => {
    const sid = await open();
    expect(await post(sid, '40/a', '40/b', '40/c')).toMatchObject({ status: 200, text: 'ok' });
    const { status, text } = await poll(sid);
    expect([status, text.split(separator)]).toEqual([
      200,
      ['a', 'b', 'c'].map((name) => `44/${name},{"message":"Invalid namespace"}`),
    ]);
  });

  test('a poll waits until there is something', async () => {
    const sid = await open();
    let answered = false;
    const polled = poll(sid).then((answer) => {
      answered = true;
      return answer;
    });
    await Bun.sleep(50);
    expect(answered).toBe(false);
    await post(sid, '40/a');
    expect(await polled).toMatchObject({ status: 200, text: '44/a,{"message":"Invalid namespace"}' });
  });

  test('two polls at the same time close the session', async () => {
    const sid = await open();
    const both = await Promise.all([poll(sid), poll(sid)]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 400]);
    expect((await poll(sid)).status).toBe(400);
  });

  const half = (sid: string) => {
    const socket = connectTcp(running.port, 'localhost');
    const answer = { text: '' };
    socket.on('data', (data) => {
      answer.text += data;
    });
    const head = `POST /socket.io/?${polling}&sid=${sid} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n`;
    return new Promise<{ answer: { text: string }; end(): void }>((resolve) => {
      socket.write(`${head}40/a`, () => resolve({ answer, end: () => socket.destroy() }));
    });
  };

  test('two payloads at the same time close the session, and neither is waited for any longer', async () => {
    const sid = await openSpeaking();
    const first = await half(sid);
    await eventually('the second one is refused', async () => (await post(sid, '3')).status === 400);
    const began = runningMs();
    await eventually('the first one is given up', () => first.answer.text.startsWith('HTTP/1.1 400 '));
    expect(runningMs() - began).toBeLessThan(5_000);
    expect((await poll(sid)).text).toContain('Session ID unknown');
    first.end();
  });

  test('a payload that holds no packets closes the session', async () => {
    for (const body of ['abc', '', separator, `40/a${separator}`]) {
      const sid = await open();
      await post(sid, body);
      expect([body, (await poll(sid)).status]).toEqual([body, 400]);
    }
  });

  test('the end of the connection answers the poll that waits with nothing, and the next one is 400', async () => {
    const sid = await open();
    const [polled, posted] = await Promise.all([poll(sid), post(sid, '1')]);
    expect([polled.status, polled.text, posted.status]).toEqual([200, '6', 200]);
    expect((await poll(sid)).status).toBe(400);
  });

  test('a poll that the client gives up closes the session', async () => {
    const sid = await openSpeaking();
    const aborting = new AbortController();
    const polled = poll(sid, { signal: aborting.signal }).catch(() => 'given up');
    await Bun.sleep(20);
    aborting.abort();
    expect(await polled).toBe('given up');
    // Asked in a way that does nothing to it, and before it is late.
    await eventually(
      'the session is closed',
      async () => (await poll(sid, { method: 'PUT' })).text.includes('Session ID unknown'),
      5_000,
    );
  });

  test('a client that is gone before all that it sends has come ends its session', async () => {
    const sid = await openSpeaking();
    const polled = poll(sid);
    const half = connectTcp(running.port, 'localhost');
    half.write(
      `POST /socket.io/?${polling}&sid=${sid} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n40`,
      () => setTimeout(() => half.destroy(), 20),
    );
    const began = runningMs();
    expect((await polled).text).toBe('6');
    expect(runningMs() - began).toBeLessThan(5_000);
    expect((await poll(sid)).status).toBe(400);
  });

  test('other methods than GET and POST are 400, and do no harm', async () => {
    const sid = await open();
    for (const method of ['PUT', 'DELETE', 'PATCH']) {
      expect((await poll(sid, { method })).status).toBe(400);
    }
    await post(sid, '40/a');
    expect((await poll(sid)).status).toBe(200);
  });

  test('a session that nobody began is 400', async () => {
    const unknown = await poll('nobody');
    expect([unknown.status, JSON.parse(unknown.text)]).toEqual([
      400,
      { code: 1, message: 'Session ID unknown' },
    ]);
    expect((await post('nobody', '40/a')).status).toBe(400);
    expect((await webSocket('EIO=4&transport=websocket&sid=nobody')).isClosed()).toBe(true);
  });

  test('an upgrade: the probe is answered, the poll that waits ends with nothing, and all goes by the WebSocket', async () => {
    const [bob] = await (await world).newUsers(1);
    const chat = await (await world).newGroup(bob!, ada);
    const sid = await open();
    await post(sid, connect());
    await eventually('it has joined', async () => (await poll(sid)).text.includes('chat.ready'));
    const waiting = poll(sid);
    const { ws, frames } = await webSocket(`EIO=4&transport=websocket&sid=${sid}`);
    ws.send('2probe');
    await eventually('the probe is answered', () => frames.includes('3probe'));
    expect(await waiting).toMatchObject({ status: 200, text: '6' });
    // A poll that comes too late for that ends by itself.
    expect(await poll(sid)).toMatchObject({ status: 200, text: '6' });
    // What comes between the poll and the upgrade is not lost. The sender's own is told in the same tick.
    const own = await openWebSocketLink(running.url);
    await own.send(`40/chat,${JSON.stringify({ token: bob!.token })}`);
    await own.next('42/chat,["chat.ready"');
    await (await world).send(bob!, chat.id, 'in between');
    await own.next('42/chat,["chat.message.saved"');
    await own.close();
    ws.send('5');
    await eventually('it comes', () => frames.some((frame) => frame.includes('in between')));
    expect((await poll(sid)).status).toBe(400);
    expect((await post(sid, '40/a')).status).toBe(400);
    const another = await webSocket(`EIO=4&transport=websocket&sid=${sid}`);
    await eventually('another WebSocket is refused', another.isClosed);
    await (await world).send(bob!, chat.id, 'and on');
    await eventually('it goes on', () => frames.some((frame) => frame.includes('and on')));
    ws.close();
  });

  test.each(['2', '2other', '40/a', 'abc', '1'])(
    'an upgrade that begins with %s is none: the session goes on with long polling',
    async (frame) => {
      const sid = await open();
      const { ws, isClosed } = await webSocket(`EIO=4&transport=websocket&sid=${sid}`);
      ws.send(frame);
      await eventually('it is closed', isClosed);
      await post(sid, '40/a');
      expect(await poll(sid)).toMatchObject({ status: 200, text: '44/a,{"message":"Invalid namespace"}' });
    },
  );

  test('who is going over to a WebSocket when the server ends the session can: only then it sees the end', async () => {
    const [bob] = await (await world).newUsers(1);
    const sid = await open();
    await post(sid, `40/chat,${JSON.stringify({ token: bob!.token })}`);
    await eventually('it has joined', async () => (await poll(sid)).text.includes('chat.ready'));
    const { ws, frames, isClosed } = await webSocket(`EIO=4&transport=websocket&sid=${sid}`);
    ws.send('2probe');
    await eventually('the probe is answered', () => frames.includes('3probe'));
    await (await world).endSession(bob!);
    await eventually('the session is closed', async () => (await poll(sid)).status === 400);
    expect(isClosed()).toBe(false);
    const began = runningMs();
    ws.send('5');
    await eventually('it is closed', isClosed);
    expect(runningMs() - began).toBeLessThan(5_000);
  });

  test('what the server ends answers the poll that waits with nothing: every client comes back then', async () => {
    const ending = await startTestGateway(base);
    const url = `${ending.url}/socket.io/?${polling}`;
    const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
    const waiting = fetch(`${url}&sid=${sid}`);
    await Bun.sleep(20);
    await ending.gateway.drain(0);
    const answer = await waiting;
    expect([answer.status, await answer.text()]).toEqual([200, '6']);
    expect((await fetch(`${url}&sid=${sid}`)).status).toBe(400);
    await ending.stop();
  });
});
