import type { Socket } from 'socket.io';

/*
 * Socket.IO and its engine keep some 9 KB of objects for a connection: five Maps with one entry each (0.36 KB apiece), bound
 * functions, listeners, a decoder, the handshake. Once a socket is in `/chat` over a WebSocket, none of it differs from socket to
 * socket, so functions shared by all take its place. Their private parts are touched here and in `engine-connections.ts` alone, and
 * all tests of the gateway run through it.
 */

interface Packet {
  type: string;
  data?: unknown;
}

interface EngineSocket {
  _listeners: Map<string, unknown>;
  transport: Transport;
  onPacket(packet: Packet): void;
  onClose(reason: string): void;
  emitReserved(event: string, ...values: unknown[]): boolean;
  /** Ours. */
  client?: Client;
  /** Ours. */
  whenClosed?: (this: never) => void;
}

interface Transport {
  readonly name: string;
  _listeners: Map<string, unknown>;
  readyState: string;
  doClose(): void;
  onPacket(packet: Packet): void;
  onClose(): void;
  /** Ours. */
  carries?: EngineSocket;
}

interface Client {
  sockets: unknown;
  nsps: unknown;
  decoder: Decoder;
  ondata(data: unknown): void;
  ondecoded(packet: unknown): void;
  onclose(reason: unknown): void;
  onerror(error: unknown): void;
}

interface Decoder {
  on(event: 'decoded', listener: (packet: unknown) => void): void;
  off(event: 'decoded'): void;
}

const noHandshake = Object.freeze({ headers: {}, query: {}, auth: {}, url: '', time: '', issued: 0 });
const noData = Object.freeze({});
const ignoreEvents = Object.freeze([() => {}]);
const noRequest = Object.freeze({ headers: {}, url: '', connection: {} });

/** Of two Maps what Socket.IO's client uses: its one socket, by the socket's id and by its namespace. */
class OneSocket {
  #socket: Socket | undefined;
  constructor(socket: Socket) {
    this.#socket = socket;
  }
  get size(): number {
    return this.#socket ? 1 : 0;
  }
  get(key: string): Socket | undefined {
    return this.#socket && (key === this.#socket.id || key === this.#socket.nsp.name)
      ? this.#socket
      : undefined;
  }
  has(key: string): boolean {
    return this.get(key) !== undefined;
  }
  delete(key: string): void {
    if (this.has(key)) this.clear();
  }
  clear(): void {
    this.#socket = undefined;
  }
  values(): Socket[] {
    return this.#socket ? [this.#socket] : [];
  }
}

/** Shared by all, so nobody may listen. */
class NoListeners extends Map<string, unknown> {
  override set(event: string): never {
    throw new Error(`nobody can listen to ${event} any more`);
  }
}
const noListeners = new NoListeners();

export interface Slimming {
  /**
   * Forgets what the connect needed; over a WebSocket, everything else too.
   * @param onClose takes the place of all listeners to the connection but Socket.IO's own; the connection is its `this`
   */
  slim(socket: Socket, onClose: (this: never) => void): void;
  /** What the client sends, for one that is slim. @returns false if it is not */
  receive(connection: Socket['conn'], packet: Packet): boolean;
}

export function createSlimming(): Slimming {
  /** Without attachments, which no client may send, a decoder holds nothing between two packets. */
  let decoder: Decoder | undefined;
  let current: Client | undefined;

  function slimClient(socket: Socket, client: Client): void {
    client.decoder.off('decoded');
    if (!decoder) {
      decoder = client.decoder;
      decoder.on('decoded', (packet) => current?.ondecoded(packet));
    }
    client.decoder = decoder;
    client.sockets = new OneSocket(socket);
    client.nsps = client.sockets;
    // Bound for each client by its constructor; here they are only called as its methods.
    const { ondata, ondecoded, onclose, onerror } = Object.getPrototypeOf(client) as Client;
    Object.assign(client, { ondata, ondecoded, onclose, onerror });
  }

  return {
    slim(socket, onClose) {
      const engineSocket = socket.conn as unknown as EngineSocket;
      const client = socket.client as unknown as Client;
      const { transport } = engineSocket;
      // Clients only listen: events they send end here. Nobody keeps data at a socket.
      Object.assign(socket, { handshake: noHandshake, data: noData, fns: ignoreEvents });
      Object.assign(engineSocket, { request: noRequest });
      if (transport.name !== 'websocket') return;
      slimClient(socket, client);
      engineSocket.client = client;
      engineSocket.whenClosed = onClose;
      engineSocket.emitReserved = emitReserved;
      engineSocket._listeners = noListeners;
      transport.carries = engineSocket;
      transport.onPacket = onTransportPacket;
      transport.onClose = onTransportClose;
      transport._listeners = noListeners;
    },

    receive(connection, { type, data }) {
      const engineSocket = connection as unknown as EngineSocket;
      if (!engineSocket.client) return false;
      current = engineSocket.client;
      if (type === 'message') current.ondata(data);
      else engineSocket.onClose('parse error');
      return true;
    },
  };
}

function emitReserved(this: EngineSocket, event: string, reason: unknown): boolean {
  if (event !== 'close') return false;
  this.whenClosed?.call(this as never);
  this.client?.onclose(reason);
  return true;
}

function onTransportPacket(this: Transport, packet: Packet): void {
  if (packet.type === 'close') this.doClose();
  else this.carries?.onPacket(packet);
}

function onTransportClose(this: Transport): void {
  this.readyState = 'closed';
  this.carries?.onClose('transport close');
}
