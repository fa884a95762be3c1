import { Connection } from './connection.ts';

/**
 * A WebSocket that asks to take the place of a session's long polling. Until it does, it is a connection of its own, which carries
 * nobody: it counts as a handshake, has a handshake's time, and its packets have a budget.
 */
export class Probe extends Connection {
  readonly session: Connection;
  /** Its first packet has come: the session's polls end soon. */
  asked = false;

  constructor(remove: ConstructorParameters<typeof Connection>[0], address: string, session: Connection) {
    super(remove, address);
    this.session = session;
  }

  override ping(): void {}

  override leave(): void {
    super.leave();
    const { longPolling } = this.session;
    if (longPolling?.probe === this) longPolling.probe = undefined;
  }
}
