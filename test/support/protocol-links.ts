import { eventually } from './eventually.ts';

/** One connection of Engine.IO 4, by hand: what a client of any make sends and receives. */
export interface Link {
  /** What the handshake said. */
  readonly opening: {
    sid: string;
    upgrades: string[];
    pingInterval: number;
    pingTimeout: number;
    maxPayload: number;
  };
  /** All packets since the handshake, oldest first, but pings that were answered. */
  readonly packets: string[];
  readonly pings: number;
  readonly closed: boolean;
  /** Whether pings are answered; they are. */
  answersPings: boolean;
  send(...packets: string[]): Promise<void>;
  /** The first packet that begins so, once it is there. */
  next(start: string): Promise<string>;
  close(): Promise<void>;
}

export type OpenLink = (url: string) => Promise<Link>;

/** Between the packets of a payload on long polling. */
export const separator = '\x1e';
const query = '/socket.io/?EIO=4&transport=';

abstract class BaseLink implements Link {
  opening: Link['opening'] = { sid: '', upgrades: [], pingInterval: 0, pingTimeout: 0, maxPayload: 0 };
  packets: string[] = [];
  pings = 0;
  closed = false;
  answersPings = true;

  protected take(packet: string): void {
    if (packet[0] === '0') {
      this.opening = JSON.parse(packet.slice(1));
    } else if (packet === '2') {
      this.pings += 1;
      if (this.answersPings) this.send('3').catch(() => {});
    } else {
      this.packets.push(packet);
    }
  }

  async next(start: string): Promise<string> {
    const found = () => this.packets.find((packet) => packet.startsWith(start));
    await eventually(`${start} comes`, () => found() !== undefined || this.closed);
    const packet = found();
    if (packet === undefined) throw new Error(`closed before ${start} came: ${this.packets.join(' ')}`);
    return packet;
  }

  abstract send(...packets: string[]): Promise<void>;
  abstract close(): Promise<void>;
}

class WebSocketLink extends BaseLink {
  ws: WebSocket;
  constructor(ws: WebSocket) {
    super();
    this.ws = ws;
    ws.addEventListener('message', ({ data }) => this.take(String(data)));
    ws.addEventListener('close', () => {
      this.closed = true;
    });
  }
  async send(...packets: string[]): Promise<void> {
    for (const packet of packets) this.ws.send(packet);
  }
  async close(): Promise<void> {
    this.ws.close();
  }
}

class PollingLink extends BaseLink {
  readonly at: string;
  readonly #aborting = new AbortController();
  /** No further poll begins. */
  paused = false;
  polling: Promise<void> = Promise.resolve();

  constructor(at: string, opening: string) {
    super();
    this.take(opening);
    this.at = `${at}&sid=${this.opening.sid}`;
  }

  begin(): void {
    this.polling = this.#poll();
  }

  async #poll(): Promise<void> {
    while (!this.closed && !this.paused) {
      // The end may come between the head of an answer and its body.
      const answer = fetch(this.at, { signal: this.#aborting.signal }).then(
        async (response) => response.status === 200 && (await response.text()),
      );
      const payload = await answer.catch(() => false as const);
      if (payload === false) {
        this.closed = true;
        return;
      }
      for (const packet of payload.split(separator)) this.take(packet);
    }
  }

  async send(...packets: string[]): Promise<void> {
    const response = await fetch(this.at, { method: 'POST', body: packets.join(separator) });
    await response.text();
  }
  async close(): Promise<void> {
    this.#aborting.abort();
    await this.polling;
  }
}

const webSocketUrl = (url: string): string => url.replace('http', 'ws');

export async function openWebSocketLink(url: string): Promise<Link> {
  const link = new WebSocketLink(new WebSocket(`${webSocketUrl(url)}${query}websocket`));
  await eventually('it is open', () => link.opening.sid !== '' || link.closed);
  return link;
}

export async function openPollingLink(url: string): Promise<PollingLink> {
  const at = `${url}${query}polling`;
  const link = new PollingLink(at, await (await fetch(at)).text());
  link.begin();
  return link;
}

/** As clients with the default transports do, before they have said anything, or after. */
export async function openUpgradedLink(url: string): Promise<Link> {
  const polling = await openPollingLink(url);
  const ws = new WebSocket(`${webSocketUrl(url)}${query}websocket&sid=${polling.opening.sid}`);
  const link = new WebSocketLink(ws);
  link.opening = polling.opening;
  await eventually('it is open', () => ws.readyState === WebSocket.OPEN);
  await link.send('2probe');
  await link.next('3probe');
  // The poll that waits is answered by then, and no other begins.
  polling.paused = true;
  await polling.polling;
  link.packets.splice(0);
  await link.send('5');
  return link;
}
