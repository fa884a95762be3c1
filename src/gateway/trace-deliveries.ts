import type { Tracing } from '../shared/ports/tracing.ts';
import type { FanOut } from './fan-out.ts';

/** The fan-out, with a span for each change whose notification carries a trace. What is read of a gap carries none. */
export const traceDeliveries = (fanOut: FanOut, tracing: Tracing, system: string): FanOut => ({
  ...fanOut,
  tell(room, change) {
    if (change.traceparent === undefined) return fanOut.tell(room, change);
    const attributes = {
      'messaging.system': system,
      'messaging.operation.name': 'deliver',
      'messaging.operation.type': 'process',
      'confab.event': change.event,
    };
    const span = tracing.begin({ name: 'deliver', kind: 'consumer', attributes }, change.traceparent);
    try {
      const sockets = fanOut.tell(room, change);
      span.set({ 'confab.sockets': sockets });
      return sockets;
    } finally {
      span.end();
    }
  },
});
