import { expect, test } from 'bun:test';
import type { CollectedSpan, Collector } from '../support/collector.ts';
import type { Deployment } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { newPerson, type Person } from '../support/people.ts';

/** Of a collector's deployments: what a client does not ask for is not traced. */
export const tracedBy = ({ url }: Collector): Record<string, string> => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: url,
  OTEL_TRACES_SAMPLER_ARG: '0',
});

const hex = (bytes: number): string => crypto.getRandomValues(Buffer.alloc(bytes)).toString('hex');

/** A span of a client's. */
export function clientSpan({ sampled = true } = {}) {
  const [traceId, spanId] = [hex(16), hex(8)];
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${sampled ? '01' : '00'}` };
}

/** A send, with the header of a span of its client's. */
export function sendIn(
  { traceparent }: { traceparent: string },
  person: Person,
  at: Deployment,
  chatId: string,
  content: string,
  clientMessageId: string = crypto.randomUUID(),
): Promise<Response> {
  return fetch(`${at.apiUrl}/chats/${chatId}/messages`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${person.token}`, 'Content-Type': 'application/json', traceparent },
    body: JSON.stringify({ content, clientMessageId }),
  });
}

/** What must be seen the same of one process and of three. */
export function tracingSuite({
  deployment,
  collector,
  services,
  env = {},
}: {
  deployment: Deployment;
  collector: Collector;
  services: { api: string; worker: string; gateway: string };
  /** In which the names of its exchange and queues are. */
  env?: Record<string, string>;
}): void {
  const { RABBITMQ_CHAT_EXCHANGE: exchange = 'chat.events' } = env;
  const { RABBITMQ_CHAT_QUEUE_PREFIX: queue = 'chat.message.send' } = env;
  const { CHAT_NOTIFICATION_CHANNEL: channel = 'chat.notifications' } = env;

  test('a send that its client traces is one trace, from the POST to the socket; the others are none', async () => {
    const [ada, bob] = await Promise.all([newPerson(deployment), newPerson(deployment)]);
    const chat = await ada.newChat(bob);
    const bobHears = await bob.connect();
    const [client, refused, unsampled] = [clientSpan(), clientSpan(), clientSpan({ sampled: false })];
    await ada.send(chat.id, 'not traced');
    await sendIn(unsampled, ada, deployment, chat.id, 'not traced either');
    const answer = await sendIn(client, ada, deployment, chat.id, 'traced');
    const { brokerMessageId } = (await answer.json()) as { brokerMessageId: string };
    const elsewhere = await sendIn(refused, ada, deployment, crypto.randomUUID(), 'to no chat');
    expect([answer.status, elsewhere.status]).toEqual([202, 404]);
    await bobHears.heard('traced');
    bobHears.close();

    const of = ({ traceId }: { traceId: string }) =>
      collector.spans.filter((span) => span.traceId === traceId);
    await eventually('it is all told', () => of(client).length >= 6 && of(refused).length >= 1);
    const spanCalled = (name: string): CollectedSpan => {
      const found = of(client).filter((span) => span.name === name);
      expect([name, found.length]).toEqual([name, 1]);
      return found[0]!;
    };
    const post = spanCalled('POST /chats/{chatId}/messages');
    const published = spanCalled(`publish ${exchange}`);
    const processed = spanCalled(`process ${queue}`);
    const stored = spanCalled('store_messages');
    const announced = spanCalled(`publish ${channel}`);
    const delivered = spanCalled('deliver');
    const all = [post, published, processed, stored, announced, delivered];
    expect(of(client)).toHaveLength(all.length);
    expect(all.map(({ kind }) => kind)).toEqual([
      ...['server', 'producer', 'consumer', 'client', 'producer', 'consumer'],
    ]);
    const { api, worker, gateway } = services;
    expect(all.map(({ service }) => service)).toEqual([api, api, worker, worker, worker, gateway]);
    expect(all.map(({ parent }) => parent)).toEqual([
      ...[client.spanId, post.spanId, published.spanId],
      ...[processed.spanId, processed.spanId, announced.spanId],
    ]);
    expect(processed.links).toEqual([published.spanId]);
    expect(all.some(({ failed }) => failed)).toBe(false);
    expect(post.attributes).toMatchObject({
      'http.request.method': 'POST',
      'http.route': '/chats/{chatId}/messages',
      'http.response.status_code': 202,
      'confab.request_id': answer.headers.get('x-request-id'),
    });
    expect(published.attributes['messaging.message.id']).toBe(brokerMessageId);
    expect(processed.attributes['messaging.batch.message_count']).toBeWithin(1, 4);
    expect(delivered.attributes).toMatchObject({ 'confab.event': 'chat.message.new', 'confab.sockets': 1 });
    // The answer waits for the confirm.
    expect(published.tookMs).toBeLessThanOrEqual(post.tookMs);

    expect(of(refused)).toMatchObject([
      { name: post.name, failed: false, attributes: { 'http.response.status_code': 404 } },
    ]);
    expect(of(unsampled)).toEqual([]);
    expect(
      collector.spans.filter(({ traceId }) => ![client, refused].some((one) => one.traceId === traceId)),
    ).toEqual([]);
  });
}
