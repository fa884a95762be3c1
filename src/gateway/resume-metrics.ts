import type { Metrics } from '../shared/metrics/metrics.ts';

/** How sockets come back that say what they know. */
export function createResumeMetrics(metrics: Metrics) {
  const countOf = (outcome: 'replayed' | 'reset' | 'none') =>
    metrics.counter('confab_resumes_total', { outcome });
  const counts = { replayed: countOf('replayed'), reset: countOf('reset'), none: countOf('none') };
  const observeEvents = metrics.histogram('confab_resume_events');
  const observeDuration = metrics.histogram('confab_resume_duration_seconds');

  return {
    none: () => counts.none(),
    /** @returns to be called once all of it has been sent */
    begin() {
      const beganAt = performance.now();
      return ({ told, wasReset }: { told(): number; wasReset(): boolean }): void => {
        counts[wasReset() ? 'reset' : 'replayed']();
        observeEvents(told());
        observeDuration((performance.now() - beganAt) / 1000);
      };
    },
  };
}
