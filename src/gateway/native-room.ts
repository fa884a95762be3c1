/** The part of Bun's WebSocket that rooms use. */
export interface NativeSocket {
  send(frame: string): number;
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  /** What is sent meanwhile goes in one write. */
  cork(work: () => void): unknown;
  /** Bytes that it was given to send and has not written yet. */
  getBufferedAmount(): number;
  /** After what it was given to send has been written. */
  close(): void;
  /** At once. */
  terminate(): void;
}

/** Who can be in a native room. */
export interface Recipient {
  /** Bun's own socket; undefined on long polling. */
  readonly ws?: NativeSocket | undefined;
}

/** `Bun.Server.publish`. */
export type Publish = (topic: string, frame: string) => void;

/**
 * From this size on a room is a topic of Bun's. µs of CPU a delivery on 2 cores, loop of sends / publish with the sender
 * taken out: one frame a tick, 2 members 9.6 / 10.9, 8 7.4 / 9.7, 20 7.9 / 7.9, 200 8.2 / 7.7, as nearly all of it is the
 * kernel's; four of one room a tick, 2 members 7.5 / 8.0, 12 6.5 / 2.9, 200 7.6 / 1.9, as a topic writes together what a
 * tick holds for a socket. A membership of a topic costs memory too, so the smallest rooms have none.
 */
const publishFrom = 16;

/**
 * A set of recipients that is told by one native publish where it is big, and by a loop of sends where it is small. Order
 * is the same for everybody: Bun writes what a topic holds for a socket before anything that is sent to it directly, and
 * leaving a topic loses nothing that was published before.
 */
export class NativeRoom<Member extends Recipient> extends Set<Member> {
  readonly #topic: string;
  readonly #publish: Publish;
  /** While it is a topic: who is not in it, for want of a native socket. */
  #others: Set<Member> | undefined;

  constructor(topic: string, publish: Publish) {
    super();
    this.#topic = topic;
    this.#publish = publish;
  }

  override add(member: Member): this {
    if (this.#others && !this.has(member)) this.#enterTopic(member, this.#others);
    return super.add(member);
  }

  override delete(member: Member): boolean {
    if (!super.delete(member)) return false;
    if (this.#others && !this.#others.delete(member)) member.ws?.unsubscribe(this.#topic);
    return true;
  }

  /** If so, `publish` and the others reach everybody; if not, a loop of sends does. */
  get isTopic(): boolean {
    if (this.#others) {
      // Not at the same size as it began: at the crossing a room would go back and forth.
      if (this.size * 2 < publishFrom) this.#endTopic();
    } else if (this.size >= publishFrom) {
      this.#beginTopic();
    }
    return this.#others !== undefined;
  }

  /** Whom a publish does not reach. */
  get others(): ReadonlySet<Member> {
    if (!this.#others) return this;
    for (const member of this.#others) {
      // A WebSocket has taken the place of its long polling since.
      if (member.ws && this.#others.delete(member)) member.ws.subscribe(this.#topic);
    }
    return this.#others;
  }

  /** To all that have a native socket, but a few who are taken out of the topic for the moment. */
  publish(frame: string, leftOut: ReadonlySet<Recipient>): void {
    for (const { ws } of leftOut) ws?.unsubscribe(this.#topic);
    this.#publish(this.#topic, frame);
    for (const { ws } of leftOut) ws?.subscribe(this.#topic);
  }

  #enterTopic(member: Member, others: Set<Member>): void {
    if (member.ws) member.ws.subscribe(this.#topic);
    else others.add(member);
  }

  #beginTopic(): void {
    this.#others = new Set();
    for (const member of this) this.#enterTopic(member, this.#others);
  }

  #endTopic(): void {
    for (const member of this) member.ws?.unsubscribe(this.#topic);
    this.#others = undefined;
  }
}
