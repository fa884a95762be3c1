/**
 * The way of a message through the processes, told to a collector: spans, of those messages alone that are sampled. Undefined where no
 * collector is named: then nobody asks for it. Adapter: OpenTelemetry (`process/tracing.ts`).
 */

/** A span that others go on from, as the W3C's header of this name says it. Only those that are sampled are passed on. */
export type Traceparent = string;

/** By OpenTelemetry's names, where it has one. */
export type Attributes = Record<string, string | number>;

export interface SpanDescription {
  /** Operation and destination, without ids. */
  name: string;
  kind: 'server' | 'client' | 'producer' | 'consumer';
  attributes?: Attributes;
}

export interface Span {
  readonly traceparent: Traceparent;
  readonly traceId: string;
  readonly spanId: string;
  set(attributes: Attributes): void;
  fail(error: unknown): void;
  end(): void;
}

export interface Tracing {
  /** Goes on with a caller's trace, or begins one; undefined where it is not to be sampled. @param header may say anything */
  enter(header: string | null, span: SpanDescription): Span | undefined;
  /** Goes on with a trace that is sampled; without a parent begins one. */
  begin(span: SpanDescription, parent?: Traceparent, links?: readonly Traceparent[]): Span;
  /** @param carried by a message: may say anything */
  isSampled(carried: string | undefined): carried is Traceparent;
  /** Does the work as part of the span, which ends with it, and fails where it fails. */
  within<Result>(span: Span, work: () => Promise<Result>): Promise<Result>;
  /** That which the caller's work is part of, until it has ended. */
  current(): Span | undefined;
}
