/** Between the packets of one request or answer. */
export const separator = '\x1e';
/** Engine.IO's packet that says nothing. */
const noop = '6';
/** A client that goes over to a WebSocket waits for the end of its poll: so soon it ends. */
const pollWhileProbingMs = 100;
/** It goes over before it sees that its session has ended: where the WebSocket ended first, it would wait for ever. */
const probeAfterEndMs = 1_000;

/** What waits for the client's next poll, or the poll that waits for something. */
export class LongPolling {
  /** In characters. */
  backlog = 0;
  /** The WebSocket that asks to take the place of this. */
  probe: { readonly asked: boolean; close(): void } | undefined = undefined;
  #packets: string[] = [];
  #answer: ((payload: string) => void) | undefined = undefined;
  #taken: ((body: string | undefined) => void) | undefined = undefined;
  readonly #forget: () => void;

  /** @param forget called at its end */
  constructor(forget: () => void) {
    this.#forget = forget;
  }

  get isPolled(): boolean {
    return this.#answer !== undefined;
  }

  /** What is sent in one tick goes in one answer. @returns whether it waits for the next poll */
  send(packet: string): boolean {
    this.backlog += packet.length;
    this.#packets.push(packet);
    if (this.isPolled && this.#packets.length === 1) queueMicrotask(() => this.#flush());
    return !this.isPolled;
  }

  /** Resolves with a payload, once there is something. One at a time. */
  poll(): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#answer = resolve;
    this.#flush();
    if (this.isPolled && this.probe?.asked) {
      setTimeout(() => {
        if (this.#answer === resolve) this.release();
      }, pollWhileProbingMs);
    }
    return promise;
  }

  /** The poll that waits ends with nothing. */
  release(): void {
    this.#answer?.(noop);
    this.#answer = undefined;
  }

  get isTaking(): boolean {
    return this.#taken !== undefined;
  }

  /**
   * What the client sends. One at a time.
   * @returns undefined where it does not come, or the session ends first: who sends slowly holds what has come no longer
   */
  async take(body: Promise<string>): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#taken = resolve;
    body.then(resolve, () => resolve(undefined));
    const taken = await promise;
    this.#taken = undefined;
    return taken;
  }

  /**
   * The poll that waits is not told of the end, which python-socketio takes for the end of everything. Of a session that is unknown,
   * as its next one says, every client comes back.
   * @returns what has not been fetched
   */
  end(): readonly string[] {
    this.#forget();
    this.release();
    this.#taken?.(undefined);
    const { probe } = this;
    if (probe?.asked) setTimeout(() => probe.close(), probeAfterEndMs);
    else probe?.close();
    return this.#packets;
  }

  #flush(): void {
    if (!this.#answer || this.#packets.length === 0) return;
    this.#answer(this.#packets.join(separator));
    this.#answer = undefined;
    this.#packets = [];
    this.backlog = 0;
  }
}
