import * as v from 'valibot';
import { text, url } from './variable-kinds.ts';

/** By OpenTelemetry's own names. */
export const tracingVariables = v.object({
  OTEL_EXPORTER_OTLP_ENDPOINT: v.optional(url('http:', 'https:')),
  OTEL_EXPORTER_OTLP_HEADERS: v.optional(text),
  OTEL_TRACES_SAMPLER_ARG: v.optional(
    v.pipe(
      text,
      v.regex(/^(?:0|1|[01]?\.\d+)$/, 'must be a number from 0 to 1'),
      v.transform(Number),
      v.maxValue(1, 'must be a number from 0 to 1'),
    ),
    '1',
  ),
  OTEL_SERVICE_NAME: v.optional(text),
});

/** Undefined: there are no traces. */
export function tracingOf(env: v.InferOutput<typeof tracingVariables>) {
  const endpoint = env.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (endpoint === undefined) return undefined;
  return {
    /** Of a collector that takes OTLP over HTTP. */
    endpoint,
    /** `name=value` pairs, as OpenTelemetry writes them. */
    headers: env.OTEL_EXPORTER_OTLP_HEADERS,
    /** How many of the traces that begin here are sampled. */
    ratio: env.OTEL_TRACES_SAMPLER_ARG,
    /** Undefined: after the process. */
    serviceName: env.OTEL_SERVICE_NAME,
  };
}
