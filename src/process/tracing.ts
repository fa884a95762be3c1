import { AsyncLocalStorage } from 'node:async_hooks';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { ExportResultCode, parseKeyPairsIntoRecord, parseTraceParent } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BatchSpanProcessor,
  type SpanExporter,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import packageJson from '../../package.json' with { type: 'json' };
import type { Config } from '../shared/config.ts';
import { withDeadline } from '../shared/deadline.ts';
import type { Logger } from '../shared/log.ts';
import { reasonOf } from '../shared/loggable.ts';
import type { Span, SpanDescription, Traceparent, Tracing } from '../shared/ports/tracing.ts';

export interface TracingOptions
  extends Pick<NonNullable<Config['tracing']>, 'endpoint' | 'headers' | 'ratio'> {
  serviceName: string;
  /** What tells this process from others of its service. */
  instance: string;
  log: Logger;
  /** Between two exports. */
  everyMs?: number;
  /** How long the end waits for the last one. */
  lastExportMs?: number;
}

/** Spans that wait for the collector, some 2 KB each; more are dropped. */
const mostSpans = 2_048;

const kinds: Record<SpanDescription['kind'], SpanKind> = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

/**
 * The one file that knows of OpenTelemetry, loaded where a collector is named. Whether a trace is sampled is said before its first span
 * is made: one costs 13 µs, and 20 more until the collector has it. What waits for the collector waits here; nobody waits for it.
 */
export function openTracing(options: TracingOptions): Tracing & { close(): Promise<void> } {
  const { endpoint, headers, ratio, serviceName, instance, log } = options;
  const { everyMs = 1_000, lastExportMs = 2_000 } = options;
  const url = new URL(endpoint);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/traces`;
  const exporter = telling(
    new OTLPTraceExporter({ url: url.href, headers: parseKeyPairsIntoRecord(headers) }),
    log,
  );
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': serviceName,
      'service.version': packageJson.version,
      'service.instance.id': instance,
    }),
    sampler: new AlwaysOnSampler(),
    spanProcessors: [
      new BatchSpanProcessor({ exporter, maxQueueSize: mostSpans, scheduledDelayMillis: everyMs }),
    ],
  });
  const tracer = provider.getTracer(packageJson.name, packageJson.version);
  const underWay = new AsyncLocalStorage<{ span: Span; ended: boolean }>();

  function begin(
    { name, kind, attributes }: SpanDescription,
    parent?: Traceparent,
    links: readonly Traceparent[] = [],
  ): Span {
    const context = parent === undefined ? null : parseTraceParent(parent);
    const span = tracer.startSpan(
      name,
      {
        kind: kinds[kind],
        ...(attributes ? { attributes } : {}),
        links: links
          .map(parseTraceParent)
          .filter((link) => link !== null)
          .map((link) => ({ context: link })),
      },
      context ? trace.setSpanContext(ROOT_CONTEXT, { ...context, isRemote: true }) : ROOT_CONTEXT,
    );
    const { traceId, spanId } = span.spanContext();
    return {
      ...{ traceId, spanId },
      traceparent: `00-${traceId}-${spanId}-01`,
      set: (more) => void span.setAttributes(more),
      fail(error) {
        span.setAttribute('error.type', typeOf(error));
        span.setStatus({
          code: SpanStatusCode.ERROR,
          ...(error instanceof Error ? { message: reasonOf(error.cause ?? error) } : {}),
        });
      },
      end: () => span.end(),
    };
  }

  return {
    begin,

    enter(header, description) {
      const given = header === null ? null : parseTraceParent(header);
      const sampled = given ? (given.traceFlags & 1) === 1 : Math.random() < ratio;
      if (!sampled) return undefined;
      return begin(description, given && header !== null ? header : undefined);
    },

    isSampled: (carried): carried is Traceparent =>
      carried !== undefined && ((parseTraceParent(carried)?.traceFlags ?? 0) & 1) === 1,

    async within(span, work) {
      const part = { span, ended: false };
      try {
        return await underWay.run(part, work);
      } catch (error) {
        span.fail(error);
        throw error;
      } finally {
        span.end();
        // What was begun meanwhile and goes on is no part of it: a connection, a timer.
        part.ended = true;
      }
    },

    current() {
      const part = underWay.getStore();
      return part?.ended === false ? part.span : undefined;
    },

    async close() {
      const late = () => new Error(`no answer within ${lastExportMs} ms`);
      // Why it failed has been told.
      await withDeadline(provider.shutdown(), lastExportMs, late).catch(() => {});
    },
  };
}

function typeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}

/** The same, and says once that the collector takes nothing, and once that it does again. */
function telling(exporter: SpanExporter, log: Logger): SpanExporter {
  let away: string | undefined;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const reason = result.code === ExportResultCode.SUCCESS ? undefined : reasonOf(result.error);
        if (reason !== undefined && reason !== away)
          log.warn({ reason }, 'the collector takes no traces: they are dropped');
        if (reason === undefined && away !== undefined) log.info('the collector takes traces again');
        away = reason;
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}
