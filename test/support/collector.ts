/** As OTLP names the kinds, from 1 on. */
const kinds = ['', 'internal', 'server', 'client', 'producer', 'consumer'];

export interface CollectedSpan {
  service: string;
  name: string;
  kind: string;
  traceId: string;
  spanId: string;
  parent: string | undefined;
  /** The spans that it links to. */
  links: string[];
  attributes: Record<string, string | number>;
  failed: boolean;
  tookMs: number;
}

export interface Collector {
  readonly url: string;
  readonly spans: CollectedSpan[];
  /** Of the requests so far. */
  readonly headers: Headers[];
  /** What it answers from now on. */
  answer(how: () => Promise<Response> | Response): void;
  stop(): void;
}

interface Attribute {
  key: string;
  value: { stringValue?: string; intValue?: number; doubleValue?: number };
}
interface Export {
  resourceSpans: {
    resource: { attributes: Attribute[] };
    scopeSpans: {
      spans: {
        traceId: string;
        spanId: string;
        parentSpanId?: string;
        name: string;
        kind: number;
        startTimeUnixNano: string;
        endTimeUnixNano: string;
        attributes: Attribute[];
        links: { spanId: string }[];
        status: { code?: number };
      }[];
    }[];
  }[];
}

const valuesOf = (attributes: readonly Attribute[]): Record<string, string | number> =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? value.doubleValue ?? '']),
  );

/** Takes OTLP over HTTP in JSON. */
export function startCollector(): Collector {
  const spans: CollectedSpan[] = [];
  const headers: Headers[] = [];
  let answer: () => Promise<Response> | Response = () => Response.json({});
  const server = Bun.serve({
    port: 0,
    routes: {
      '/v1/traces': {
        async POST(request) {
          headers.push(request.headers);
          const { resourceSpans } = (await request.json()) as Export;
          const response = await answer();
          if (!response.ok) return response;
          for (const { resource, scopeSpans } of resourceSpans)
            for (const one of scopeSpans.flatMap((scope) => scope.spans))
              spans.push({
                service: String(valuesOf(resource.attributes)['service.name']),
                ...{ name: one.name, traceId: one.traceId, spanId: one.spanId },
                kind: kinds[one.kind] ?? '',
                parent: one.parentSpanId,
                links: one.links.map(({ spanId }) => spanId),
                attributes: valuesOf(one.attributes),
                failed: one.status.code === 2,
                tookMs: Number(BigInt(one.endTimeUnixNano) - BigInt(one.startTimeUnixNano)) / 1e6,
              });
          return response;
        },
      },
    },
  });
  return {
    ...{ url: `http://localhost:${server.port}`, spans, headers },
    answer(how) {
      answer = how;
    },
    stop: () => void server.stop(true),
  };
}
