import type { HttpApp } from '../process/http/http-app.ts';
import { requestPath } from '../process/http/request-path.ts';
import type { SendQueue } from '../shared/ports/queue.ts';
import type { Tracing } from '../shared/ports/tracing.ts';

const sendPath = /^\/chats\/[^/]+\/messages$/;

/** The app, with a span for each send that is sampled: of the client's trace, where its request names one. */
export const traceSends = (app: HttpApp, tracing: Tracing): HttpApp => ({
  async fetch(request, server) {
    const path = requestPath(request);
    if (request.method !== 'POST' || !sendPath.test(path)) return app.fetch(request, server);
    const span = tracing.enter(request.headers.get('traceparent'), {
      name: 'POST /chats/{chatId}/messages',
      kind: 'server',
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/chats/{chatId}/messages',
        'url.path': path,
      },
    });
    if (!span) return app.fetch(request, server);
    return tracing.within(span, async () => {
      const response = await app.fetch(request, server);
      const { status, headers } = response;
      span.set({
        'http.response.status_code': status,
        'confab.request_id': headers.get('x-request-id') ?? '',
      });
      if (status >= 500) span.fail(status);
      return response;
    });
  },
});

/** The queue, with a span for each message of a sampled send, which carries it on. @param exchange that they are published to */
export const traceQueue = (
  queue: SendQueue,
  tracing: Tracing,
  exchange: string,
  system: string,
): SendQueue => ({
  ...queue,
  publish(message) {
    const sending = tracing.current();
    if (!sending) return queue.publish(message);
    const span = tracing.begin(
      {
        name: `publish ${exchange}`,
        kind: 'producer',
        attributes: {
          'messaging.system': system,
          'messaging.operation.name': 'publish',
          'messaging.operation.type': 'send',
          'messaging.destination.name': exchange,
          'messaging.destination.partition.id': String(message.partition),
          'messaging.message.id': message.id,
        },
      },
      sending.traceparent,
    );
    return tracing.within(span, () => queue.publish({ ...message, traceparent: span.traceparent }));
  },
});
