import type { Metrics } from '../../shared/metrics/metrics.ts';

/** How publishes end; an outlet has one. */
export interface PublishMetrics {
  sent(): void;
  /** @param beganAt by `performance.now()` */
  ended(beganAt: number, confirmed: boolean): void;
}

/** @returns of an exchange; the routing key is a partition's */
export function measurePublishes(metrics: Metrics): (exchange: string) => PublishMetrics {
  let count = 0;
  metrics.read('messaging_client_sent_messages_total', () => count);
  const observerOf = (exchange: string, error: '' | 'not_confirmed') =>
    metrics.histogram('messaging_client_operation_duration_seconds', {
      messaging_system: 'rabbitmq',
      messaging_operation_name: 'publish',
      messaging_destination_name: exchange,
      error_type: error,
    });

  return (exchange) => {
    const [observe, observeFailed] = [observerOf(exchange, ''), observerOf(exchange, 'not_confirmed')];
    return {
      sent: () => (count += 1),
      ended(beganAt, confirmed) {
        (confirmed ? observe : observeFailed)((performance.now() - beganAt) / 1000);
      },
    };
  };
}
