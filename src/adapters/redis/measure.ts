import type { Metrics } from '../../shared/metrics/metrics.ts';
import { timed } from '../../shared/metrics/timed.ts';

/** How long Redis takes for an operation; there are few of them, each of which asks for many at once. */
export function measureRedis(metrics: Metrics, operation: 'admit' | 'publish') {
  const observerOf = (error: '' | 'unavailable') =>
    metrics.histogram('db_client_operation_duration_seconds', {
      db_system_name: 'redis',
      db_operation_name: operation,
      error_type: error,
    });
  const [observe, observeFailed] = [observerOf(''), observerOf('unavailable')];

  return <Result>(ask: () => Promise<Result>): Promise<Result> => timed(ask, observe, () => observeFailed);
}
