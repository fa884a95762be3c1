import { Connection } from './connection.ts';
import type { Connections } from './connections.ts';
import { badRequest, refusal, unknownSid } from './http.ts';
import { fullPacketBudget } from './limits.ts';
import { LongPolling, separator } from './long-polling.ts';
import type { NativeSocket } from './native-room.ts';
import type { Probe } from './probe.ts';
import { openPacket, type Protocol } from './protocol.ts';

export interface Polling {
  /** Undefined for one that has ended, or has become a WebSocket. */
  session(sid: string): Connection | undefined;
  begin(request: Request, address: string): Response;
  /** A poll, or what the client sends. */
  answer(session: Connection, request: Request): Response | Promise<Response>;
  openProbe(probe: Probe): void;
  /** @returns the session, once the WebSocket is its own */
  probe(probe: Probe, ws: NativeSocket, packet: string | Uint8Array): Connection | undefined;
}

/** Engine.IO 4 on long polling, and its upgrade to a WebSocket. */
export function createPolling(deps: { connections: Connections; protocol: Protocol }): Polling {
  const { connections, protocol } = deps;
  const sessions = new Map<string, Connection>();

  async function poll(session: Connection, longPolling: LongPolling, signal: AbortSignal): Promise<Response> {
    if (longPolling.isPolled) {
      session.close('packets');
      return refusal(400, badRequest, 'Bad request');
    }
    signal.addEventListener('abort', () => {
      if (session.longPolling) session.close();
    });
    return textOf(await longPolling.poll());
  }

  async function receive(session: Connection, longPolling: LongPolling, request: Request): Promise<Response> {
    if (longPolling.isTaking) {
      session.close('packets');
      return refusal(400, badRequest, 'Bad request');
    }
    const body = await longPolling.take(request.text());
    // The client is gone before all of it came.
    if (body === undefined) session.close();
    if (body === undefined || session.closed || !session.longPolling) {
      return refusal(400, unknownSid, 'Session ID unknown');
    }
    // The one that is one too many closes the session; behind it there may be a quarter of a million.
    const packets = body.split(separator, fullPacketBudget + 1);
    for (const packet of packets) protocol.receive(session, packet);
    return textOf('ok');
  }

  return {
    session: (sid) => sessions.get(sid),

    begin(request, address) {
      const sid = crypto.randomUUID();
      const session = new Connection(
        connections.remove,
        address,
        request.headers.get('authorization') ?? undefined,
      );
      session.longPolling = new LongPolling(() => sessions.delete(sid));
      sessions.set(sid, session);
      connections.add(session);
      return textOf(openPacket(sid, ['websocket']));
    },

    answer(session, request) {
      const { longPolling } = session;
      if (longPolling && request.method === 'POST') return receive(session, longPolling, request);
      if (longPolling && request.method === 'GET') return poll(session, longPolling, request.signal);
      return refusal(400, badRequest, 'Bad request');
    },

    openProbe(probe) {
      const { longPolling } = probe.session;
      // Another one was before it, or the session has ended.
      if (!longPolling || longPolling.probe || probe.session.closed) probe.close();
      else longPolling.probe = probe;
    },

    probe(probe, ws, packet) {
      const { session } = probe;
      const { longPolling } = session;
      if (packet === '2probe') {
        probe.send('3probe');
        probe.asked = true;
        longPolling?.release();
      } else if (packet === '5' && longPolling && !session.closed) {
        connections.remove(probe);
        session.longPolling = undefined;
        session.ws = ws;
        for (const held of longPolling.end()) session.send(held);
        return session;
      } else {
        probe.close();
      }
      return undefined;
    },
  };
}

const textOf = (payload: string): Response =>
  new Response(payload, { headers: { 'Content-Type': 'text/plain; charset=UTF-8' } });
