import type { Socket } from 'socket.io';
import { Adapter, type BroadcastOptions, type Room, type SocketId } from 'socket.io-adapter';
import { type Frame, NativeRoom, type Publish, publishFrom, type Recipient } from './native-room.ts';
import { nativeSocketOf } from './native-socket.ts';

/** One in so many may be left out of a publish; more, and taking them out costs more than a loop of sends. */
const leftOutShare = 8;

/** The private parts of Socket.IO that its own adapters use. */
interface AdapterSocket {
  conn: Socket['conn'];
  acks: Map<number, (...answer: unknown[]) => void>;
  notifyOutgoingListeners?(packet: Packet): void;
  client: { writeToEngine(encoded: Encoded, options: EngineOptions): void };
}

interface Packet {
  nsp?: string;
  id?: number;
}

type Encoded = Frame[];
type EngineOptions = { preEncoded: true; volatile?: boolean | undefined; compress?: boolean | undefined };

class AdapterRecipient implements Recipient {
  readonly socket: AdapterSocket;
  constructor(socket: AdapterSocket) {
    this.socket = socket;
  }
  get ws() {
    return nativeSocketOf(this.socket.conn);
  }
  send(frame: Frame): void {
    this.ws?.send(frame);
  }
}

/** All of the namespace; no room has this name, as Socket.IO's have any string. */
const everybody = Symbol('everybody');

/**
 * Socket.IO's adapter in memory with everything as it is there, except that what goes to a big room is one native publish, and
 * what goes to a small one passes the engine by. The precedent is `uws.js` of Socket.IO itself. What the engine tells of each
 * packet (`packetCreate`, `flush`, `drain`) it does not tell of these.
 * @param from the size from which a room is big
 */
export function nativeAdapter(publish: Publish, from: number = publishFrom): typeof Adapter {
  return class NativeAdapter extends Adapter {
    /** Big rooms that something was sent to, with their connected sockets. */
    readonly #natives = new Map<Room | typeof everybody, NativeRoom<AdapterRecipient>>();
    readonly #recipients = new Map<SocketId, AdapterRecipient>();

    override addAll(id: SocketId, rooms: Set<Room>): void {
      super.addAll(id, rooms);
      if (this.#natives.size === 0 || !this.#connected(id)) return;
      // Its own room is the first it joins when it has connected; the others it may have joined before.
      this.#natives.get(everybody)?.add(this.#recipient(id));
      for (const room of rooms.has(id) ? (this.sids.get(id) ?? rooms) : rooms) {
        this.#natives.get(room)?.add(this.#recipient(id));
      }
    }

    override del(id: SocketId, room: Room): void {
      super.del(id, room);
      this.#leave(id, room);
    }

    override delAll(id: SocketId): void {
      const rooms = this.sids.get(id);
      super.delAll(id);
      if (rooms) for (const room of rooms) this.#leave(id, room);
      this.#leave(id, everybody);
      this.#recipients.delete(id);
    }

    override broadcast(packet: Packet, options: BroadcastOptions): void {
      packet.nsp = this.nsp.name;
      this.#send(packet, options, () => {});
    }

    override broadcastWithAck(
      packet: Packet,
      options: BroadcastOptions,
      clientCountCallback: (clientCount: number) => void,
      ack: (...answer: unknown[]) => void,
    ): void {
      packet.nsp = this.nsp.name;
      const id = this.nsp._ids++;
      packet.id = id;
      let clients = 0;
      this.#send(packet, options, (socket) => {
        clients += 1;
        socket.acks.set(id, ack);
      });
      clientCountCallback(clients);
    }

    /** @param before called for each recipient before anything is sent to it */
    #send(packet: Packet, options: BroadcastOptions, before: (socket: AdapterSocket) => void): void {
      const { volatile, compress } = options.flags ?? {};
      const engineOptions: EngineOptions = { preEncoded: true, volatile, compress };
      const encoded: Encoded = this.nsp.server.encoder.encode(packet);
      // Engine.IO marks text as a message; what is binary is nothing else.
      const frames = encoded.map((part) => (typeof part === 'string' ? `4${part}` : part));
      const prepare = (socket: AdapterSocket) => {
        before(socket);
        socket.notifyOutgoingListeners?.(packet);
      };

      const room = this.#big(options);
      const leftOut = room && this.#leftOut(room, options.except);
      if (!room || !leftOut || leftOut.size * leftOutShare > room.size) {
        this.#each(options, (socket) => {
          prepare(socket);
          const ws = nativeSocketOf(socket.conn);
          if (ws) for (const frame of frames) ws.send(frame);
          else socket.client.writeToEngine(encoded, engineOptions);
        });
        return;
      }
      for (const recipient of room) if (!leftOut.has(recipient)) prepare(recipient.socket);
      for (const recipient of room.others) {
        if (!leftOut.has(recipient)) recipient.socket.client.writeToEngine(encoded, engineOptions);
      }
      for (const frame of frames) room.publish(frame, [...leftOut]);
    }

    /** The one room that is meant, or the whole namespace, if it is big. */
    #big({ rooms }: BroadcastOptions): NativeRoom<AdapterRecipient> | undefined {
      if (rooms.size > 1) return undefined;
      const [name = everybody] = rooms;
      const native = this.#natives.get(name) ?? this.#becomeNative(name);
      return native?.isTopic ? native : undefined;
    }

    #becomeNative(name: Room | typeof everybody): NativeRoom<AdapterRecipient> | undefined {
      const ids = name === everybody ? this.sids : this.rooms.get(name);
      if (!ids || ids.size < from) return undefined;
      const topic = name === everybody ? this.nsp.name : `${this.nsp.name}\x1f${name}`;
      const native = new NativeRoom<AdapterRecipient>(topic, publish, from);
      for (const id of ids.keys()) if (this.#connected(id)) native.add(this.#recipient(id));
      this.#natives.set(name, native);
      return native;
    }

    #leftOut(room: NativeRoom<AdapterRecipient>, except: Set<Room> | undefined): Set<AdapterRecipient> {
      const leftOut = new Set<AdapterRecipient>();
      for (const name of except ?? []) {
        for (const id of this.rooms.get(name) ?? []) {
          const recipient = this.#recipients.get(id);
          if (recipient && room.has(recipient)) leftOut.add(recipient);
        }
      }
      return leftOut;
    }

    #leave(id: SocketId, room: Room | typeof everybody): void {
      const native = this.#natives.get(room);
      if (!native) return;
      const recipient = this.#recipients.get(id);
      if (recipient) native.delete(recipient);
      if (native.size === 0) this.#natives.delete(room);
    }

    #connected(id: SocketId): boolean {
      return this.nsp.sockets.has(id);
    }

    #recipient(id: SocketId): AdapterRecipient {
      let recipient = this.#recipients.get(id);
      if (!recipient) {
        recipient = new AdapterRecipient(this.nsp.sockets.get(id));
        this.#recipients.set(id, recipient);
      }
      return recipient;
    }

    #each(options: BroadcastOptions, callback: (socket: AdapterSocket) => void): void {
      // Private in its type, and what all that is not overridden here goes through.
      const { apply } = this as unknown as {
        apply(options: BroadcastOptions, callback: (socket: AdapterSocket) => void): void;
      };
      apply.call(this, options, callback);
    }
  };
}
